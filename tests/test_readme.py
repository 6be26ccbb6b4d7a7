"""README: its Python block runs, its commands exist, its tables are what the result files say."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.oracles import drawn

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


@pytest.fixture
def photos(tmp_path):
    """Three classes of drawn photos: flat, upright stripes, lying stripes."""
    rng = np.random.default_rng(0)
    for i in range(60):
        pattern = np.zeros((48, 64, 3), np.uint8)
        pattern[:, ::8] += np.uint8(200 * (i % 3 == 1))
        pattern[::8] += np.uint8(200 * (i % 3 == 2))
        pattern += rng.integers(0, 50, pattern.shape, dtype=np.uint8)
        path = tmp_path / "photos" / "abc"[i % 3] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pattern).save(path)
    return path.parents[1]


def test_the_tour_runs(photos, monkeypatch, capsys):
    tour, continued, toolkit, augmentation = BLOCKS[:4]
    monkeypatch.chdir(photos.parent)
    names = {"WEIGHTS": None}
    exec(compile(tour, "README.md", "exec"), names)
    assert "['a', 'b', 'c']" in capsys.readouterr().out
    assert (photos.parent / "run" / "report.html").exists()
    assert names["similar"][0, 0] == 0  # the nearest to a photo is itself
    for begins_at in (0, 2):  # the second time nothing is left to do
        exec(compile(continued, "README.md", "exec"), names)
        assert names["resume"].initial_epoch == 2
        assert names["plain"].history.epoch == [0, 1]
        assert ("Epoch 1/2" in capsys.readouterr().out) == (begins_at == 0)
    exec(compile(toolkit, "README.md", "exec"), names)
    assert capsys.readouterr().out.startswith("[]")
    assert (photos.parent / "rate.png").exists()
    assert set(names["labels"]) <= set("abc")
    exec(compile(augmentation, "README.md", "exec"), names)
    assert "RandAugment: " in capsys.readouterr().out
    assert (photos.parent / "grid.png").stat().st_size > 10_000


@pytest.mark.thorough
def test_the_tour_goes_on(photos, monkeypatch, capsys):
    *before, seeing, search, beyond = BLOCKS[:7]
    monkeypatch.chdir(photos.parent)
    names = {"WEIGHTS": None}
    for block in before:
        exec(compile(block, "README.md", "exec"), names)
    exec(compile(seeing, "README.md", "exec"), names)
    assert "one batch" in capsys.readouterr().out  # of the checks
    for name in ("why", "filters", "worst", "features"):
        assert (photos.parent / f"{name}.png").stat().st_size > 5_000
    assert "max_trials=20" in search
    exec(compile(search.replace("20", "2, epochs=1"), "README.md", "exec"), names)
    assert [row["status"] for row in names["trials"]] == ["COMPLETED"] * 2
    assert (photos.parent / "winner" / "report.html").exists()
    exec(compile(beyond, "README.md", "exec"), names)
    assert "as it is" in capsys.readouterr().out
    assert names["exported"].agreement == 1


def test_the_networks_run(tmp_path, monkeypatch, capsys):
    """With a checkpoint of random tensors, which has a real one's names and shapes."""
    goldens = json.loads((ROOT / "tests" / "golden" / "torch_resnet.json").read_text("utf-8"))
    tensors = next(row["tensors"] for row in goldens if row["name"] == "resnet18")
    drawn_tensors = {name: drawn.tensor(name, shape) for name, shape in tensors.items()}
    save_file(drawn_tensors, tmp_path / "resnet18.safetensors")
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[7], "README.md", "exec"), {"CHECKPOINT": "resnet18.safetensors"})
    printed = capsys.readouterr().out
    assert "271,098" in printed  # ResNet-20 with its moving statistics
    assert "40 layers loaded from resnet18.safetensors; adapted: stem_conv; new: output" in printed
    assert (tmp_path / "overview.png").stat().st_size > 10_000


def test_blocks_are_short():
    assert len(BLOCKS) == 8
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line.strip()]) <= 20


def test_every_command_exists():
    listed = set(re.findall(r"^kerascnn (\w+)", TEXT, re.M))
    from kerascnn.cli import app

    offered = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert listed <= offered
    assert {"check", "finetune", "extract", "evaluate", "predict", "models"} <= listed


def test_make_targets_exist():
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make ([\w-]+)", TEXT, re.M)) <= targets


def test_tables_are_generated():
    command = [sys.executable, ROOT / "recipes" / "make_results.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
