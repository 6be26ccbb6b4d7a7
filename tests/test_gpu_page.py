"""The page about GPUs: what it says of files, commands and versions is so; its code runs."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer.testing

import kerascnn as kc

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "notebooks" / "GPU.md").read_text("utf-8")


def test_the_code_runs(capsys):
    pytest.importorskip("tensorflow")
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    model = kc.models.LeNet5()
    model.compile("sgd", "sparse_categorical_crossentropy")
    data = np.zeros((64, 32, 32, 1), "float32"), np.zeros(64)
    names = {"model": model, "data": data}
    exec(block.replace("(model, data)", "(model, data, seconds=1)", 1), names)
    assert "chosen" in capsys.readouterr().out
    assert names["model"].count_params() == model.count_params()


def test_the_line_that_lists_gpus_runs():
    (code,) = re.findall(r'python -c "(.*)"', PAGE)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\[.*\]", done.stdout.strip())


def test_commands_and_files_exist():
    from kerascnn.cli import app

    for path in re.findall(r"`python (\S+\.py)", PAGE):
        assert (ROOT / path).exists()
    for line in re.findall(r"`(kerascnn [a-z][^`]*)`", PAGE):
        _, command, *rest = line.split()
        said = typer.testing.CliRunner().invoke(app, [command, "--help"]).output
        assert all(word in said for word in rest if word.startswith("--")), line
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert link.startswith("https://") or (ROOT / "notebooks" / link).exists()


@pytest.mark.parametrize(("package", "named"), [("cudnn", "9.3"), ("cuda-runtime", "12.5")])
def test_the_libraries_are_those_of_tensorflow(package, named):
    needs = importlib.metadata.requires("tensorflow")
    (line,) = [x for x in needs if x.startswith(f"nvidia-{package}-cu12") and "and-cuda" in x]
    assert f">={named}." in line and named in PAGE


def test_nothing_is_said_to_be_measured_without_a_result():
    rows = re.findall(r"^\| .* \| (not measured|[\d.]+) \| `python", PAGE, re.M)
    assert rows and set(rows) == {"not measured"}
