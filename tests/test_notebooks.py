"""Notebooks: their code runs, and the outputs that are committed are what it gives."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kerascnn import models
from tests.notebooks import code_cells

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.)])/(?:home|root|tmp|usr|opt|var|mnt|work|Users)\b|\b[A-Z]:\\\\")
MOST_BYTES = 1_500_000


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def committed(cell):
    """What the file says that a cell gives, in the form of `tests.notebooks`."""
    outputs = cell["outputs"]
    printed = ["".join(output["text"]) for output in outputs if "text" in output]
    data = [output["data"] for output in outputs if "data" in output]
    figure = any("image/png" in part for part in data)
    shown = ["".join(part["text/plain"]) for part in data if not figure]
    return {"text": "".join(printed + shown), "figure": figure}


def run(notebook, tmp_path):
    environment = os.environ | {
        "KERASCNN_CACHE": str(tmp_path / "cache"),
        "MPLBACKEND": "Agg",
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", "tests.notebooks", str(notebook)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_committed_outputs_are_what_the_code_gives(notebook, tmp_path):
    cells = code_cells(notebook)
    for cell, now in zip(cells, run(notebook, tmp_path), strict=True):
        start = "".join(cell["source"])[:200]
        assert now == committed(cell), f"Run the notebook again. This cell gives another:\n{start}"


def test_outputs_are_complete_and_clean(notebook):
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {
        "stream",
        "execute_result",
        "display_data",
    }
    assert all(output.get("name", "stdout") == "stdout" for output in outputs)
    pictures = [output["data"]["image/png"] for output in outputs if "data" in output]
    assert len(pictures) >= 1
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)


def test_nothing_of_the_machine_it_ran_on_is_in_it(notebook):
    text = notebook.read_text("utf-8")
    assert len(text) < MOST_BYTES
    assert not ABSOLUTE.findall(re.sub(r'"image/png": "[^"]*"', "", text))
    content = json.loads(text)
    assert set(content["metadata"]) == {"kernelspec", "language_info"}
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert not any(cell["metadata"] for cell in content["cells"])  # such as times of execution


def test_path_pattern():
    assert ABSOLUTE.search("File /home/me/x.py") and ABSOLUTE.search(r"C:\\Users")
    assert not ABSOLUTE.search("7x7/2, and/or, kerascnn/models, https://a.b/home")


@pytest.mark.parametrize("name", [name for name in models.__all__ if name[0].isupper()])
def test_models_page_names_every_builder(name):
    cells = json.loads((ROOT / "notebooks" / "models.ipynb").read_text("utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    texts += [committed(cell)["text"] for cell in cells if cell["cell_type"] == "code"]
    assert re.search(rf"\b{name}\b", "\n".join(texts))
