"""Notebooks: their code runs in quick mode, their pictures are drawn, their files are clean."""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kerascnn import models
from tests.notebooks import cells, code_cells, source, stripped

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
INDEX = (ROOT / "notebooks" / "README.md").read_text("utf-8")
FIGURES = re.findall(r"^\| (.+?) \| \[\w+\]\((\w+\.ipynb)\) \| (.+?) \|$", INDEX, re.MULTILINE)
ABSOLUTE = re.compile(r"(?<![\w.)])/(?:home|root|tmp|usr|opt|var|mnt|work|Users)\b|\b[A-Z]:\\\\")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


@functools.cache
def given(notebook):
    """What each code cell gives in quick mode, in the form of `tests.notebooks`."""
    environment = os.environ | {
        "KERASCNN_QUICK": "1",
        "MPLBACKEND": "Agg",
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", "tests.notebooks", "run", str(notebook)]
    with tempfile.TemporaryDirectory() as folder:
        environment["KERASCNN_CACHE"] = folder
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.thorough
def test_every_picture_is_drawn_and_shown(notebook):
    for cell, now in zip(code_cells(notebook), given(notebook), strict=True):
        assert now["figure"] or not re.search(r"^figure\b|^\S*plot_\w+\(", source(cell), re.M)
        assert " object at 0x" not in now["text"]


def test_files_are_stripped(notebook):
    is_stripped = notebook.read_text("utf-8") == stripped(notebook)
    assert is_stripped, f"Run: python -m tests.notebooks strip notebooks/{notebook.name}"


def test_nothing_of_the_machine_it_ran_on_is_in_it(notebook):
    assert not ABSOLUTE.findall(notebook.read_text("utf-8"))


def test_path_pattern():
    assert ABSOLUTE.search("File /home/me/x.py") and ABSOLUTE.search(r"C:\\Users")
    assert not ABSOLUTE.search("7x7/2, and/or, kerascnn/models, https://a.b/home")


def sections(notebook):
    """{heading: whether it has a picture}, those of the headings below it included."""
    outputs, open_, found = iter(given(notebook)), {}, {}
    for cell in cells(notebook):
        text = "".join(cell["source"])
        has_picture = "](../recipes/results/" in text
        if cell["cell_type"] == "code":
            has_picture = next(outputs)["figure"]
        else:
            for marks, heading in re.findall(r"^(#+) (.+)", text, re.MULTILINE):
                open_ = {name: depth for name, depth in open_.items() if depth < len(marks)}
                open_[heading] = len(marks)
        found |= {name: found.get(name, False) or has_picture for name in open_}
    return found


@pytest.mark.parametrize(
    "path", [*NOTEBOOKS, ROOT / "notebooks" / "README.md"], ids=lambda p: p.stem
)
def test_links_lead_to_files(path):
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(c["source"]) for c in cells(path) if c["cell_type"] == "markdown")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / link).exists(), link


def test_index_names_the_notebook(notebook):
    assert f"]({notebook.name}): " in INDEX


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "heading"), [row[1:] for row in FIGURES], ids=[row[0] for row in FIGURES]
)
def test_sections_of_the_index_have_their_picture(name, heading):
    found = sections(ROOT / "notebooks" / name)
    assert found[heading], f"{heading!r} of {name} shows no picture"


@pytest.mark.parametrize("name", [name for name in models.__all__ if name[0].isupper()])
def test_architectures_name_every_builder(name):
    notebook = ROOT / "notebooks" / "2_architectures.ipynb"
    texts = ["".join(cell["source"]) for cell in cells(notebook)]
    texts += [now["text"] for now in given(notebook)]
    assert re.search(rf"\b{name}\b", "\n".join(texts))
