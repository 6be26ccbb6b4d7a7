"""What readers see of runs: tables and the degradation figure, from result files that are drawn."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
COPY = "CIFAR-10 (JPEG copy)"


@pytest.fixture
def recipe(monkeypatch):
    """Imports a recipe by name, as the recipes import each other."""
    monkeypatch.syspath_prepend(ROOT / "recipes")
    return importlib.import_module


@pytest.fixture
def write(tmp_path):
    """Writes the result file of a run."""

    def write(name, seed=0, error=9.5, length="short 40", data=COPY, **changes):
        schedule = {"epochs": 40, "rate": 0.2, "falls": None, "nesterov": True, "warm_up": None}
        result = {
            "name": name, "length": length, "seed": seed, "data": data, "error": error,
            "published": 8.75, "schedule": schedule, "seconds": 3600 + 600 * seed,
            "images_per_second": 512.4, "matmul_share": 0.31, "precision": "float32",
            "curve": [
                {"epoch": e, "train_error": error + 40 / e, "test_error": error + 80 / e**2}
                for e in range(1, 41, 3)
            ],
            "command": f"python recipes/reproduce.py {name} --short --seeds {seed + 1}",
            "commit": "abc1234", "backend": "jax", "device": "CPU",
            "versions": {"keras": "3.15.1", "cores": 2, "cpu": "AMD EPYC"},
        }  # fmt: skip
        file = tmp_path / f"{name}-{length}-{seed}.json"
        file.write_text(json.dumps(result | changes))

    return write


def cells(text, network):
    """The rows of a Markdown table that begin with this network."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [row[1:] for row in rows if row[0] == network]


def test_seeds_are_one_row_and_schedules_and_data_are_rows_of_their_own(recipe, write, tmp_path):
    for seed, error in enumerate((9.0, 9.2, 9.7)):
        write("resnet20", seed, error)
    full = {"epochs": 182, "falls": {"91": 0.1, "137": 0.01}}
    write("resnet20", 0, 8.5, "full", "CIFAR-10", device="NVIDIA A100", schedule=full)
    reproduced = recipe("reproduced")
    text = reproduced.section(reproduced.finished(tmp_path))
    paper, short = cells(text, "ResNet-20")
    epochs = recipe("experiments").EXPERIMENTS["resnet20"].full.epochs
    assert paper[:6] == [
        "CIFAR-10", "the paper's: 182 epochs", "8.50 (1 seed)", "8.75", "60 min",
        "NVIDIA A100; jax, float32",
    ]  # fmt: skip
    assert short == [
        COPY, f"**short**: 40 epochs, the paper has {epochs}", "9.30 [9.00..9.70] (3 seeds)",
        "8.75", "70 min", "2 cores, AMD EPYC; jax, float32", "512", "31%",
    ]  # fmt: skip
    assert "- ResNet-20: rate 0.2, nesterov True, one cycle" in text
    assert "--seeds 3` (commit abc1234; jax; Keras 3.15.1)" in text and "--seeds 2`" not in text
    assert "- LeNet-5: rates of at most 5e-5" in text  # of every row, also those not run


def test_shares_are_of_the_most_that_the_device_made(recipe, write, tmp_path):
    """A peak that was measured while other work ran is too low."""
    write("resnet20", 0, matmul_share=0.2)
    write("resnet20", 1, matmul_share=0.8, commit="fff0000")
    write("plain20", 0, matmul_share=0.9)
    reproduced = recipe("reproduced")
    text = reproduced.section(reproduced.finished(tmp_path))
    assert cells(text, "ResNet-20")[1][-1] == cells(text, "plain-20")[1][-1] == "20%"
    assert "(commit abc1234, fff0000; jax" in text


def test_devices_are_not_averaged(recipe, write, tmp_path):
    write("resnet20", 0)
    write("resnet20", 1, seconds=60, images_per_second=40000, device="NVIDIA A100")
    reproduced = recipe("reproduced")
    _, row = cells(reproduced.section(reproduced.finished(tmp_path)), "ResNet-20")
    assert row[4] == "60 min / 60 s" and row[6] == "512 / 40,000"


def test_a_short_run_leaves_the_papers_not_run(recipe, write, tmp_path):
    write("plain20")
    reproduced = recipe("reproduced")
    found = reproduced.finished(tmp_path)
    first, second = cells(reproduced.section(found), "plain-20")
    assert first[1].startswith("the paper's: ") and first[2:4] == ["not run", "not printed"]
    assert second[2] == "9.50 (1 seed)"
    summary = reproduced.summary(found)
    assert len(cells(summary, "plain-20")) == 1
    (rest,) = [line for line in summary.splitlines() if line.startswith("Not run")]
    assert "ResNet-20" in rest and "plain-20" not in rest


def test_every_experiment_of_a_paper_has_a_row_and_a_source(recipe, tmp_path):
    reproduced = recipe("reproduced")
    text = reproduced.section(reproduced.finished(tmp_path))
    for row in recipe("experiments").EXPERIMENTS.values():
        if "Tiny-ImageNet" not in row.data:
            found = cells(text, row.title)
            assert [(cell[0], cell[2]) for cell in found] == [(row.data, "not run")]
            assert f": {row.source}\n" in text + "\n"
    assert "degradation" not in text and "|" not in reproduced.summary({})


def test_the_marks_of_the_readme_are_filled(recipe, write, tmp_path):
    write("resnet20", 0, 9.16)
    found = recipe("reproduced").finished(tmp_path)
    text = "before\n<!-- reproduce -->\nold\n<!-- /reproduce -->\nafter\n"
    filled = recipe("make_results").readme(text, found)
    assert "9.16 (1 seed)" in filled and "old" not in filled
    assert filled.startswith("before\n<!-- reproduce -->\n") and filled.endswith("-->\nafter\n")
    assert recipe("make_results").readme(filled, found) == filled


def test_the_degradation_figure_shows_runs_of_one_schedule(recipe, write, tmp_path):
    degradation, finished = recipe("degradation"), recipe("reproduced").finished
    path = tmp_path / "degradation.png"
    write("plain20", 0, 9.9)
    write("resnet20", 0, 8.8, length="full")
    degradation.draw(finished(tmp_path), path)  # nothing that can be compared
    assert not path.exists() and degradation.is_current(finished(tmp_path), path)
    write("resnet20", 0, 8.8)
    write("plain56", 0, 13.4)
    for name in ("resnet56", "plain56"):  # with resnet20 three of the paper's, and no plain20
        write(name, 0, 7.0, length="full")
    found = finished(tmp_path)
    assert not degradation.is_current(found, path)
    degradation.draw(found, path)
    assert degradation.is_current(found, path)
    caption = degradation.picture(found)
    assert COPY in caption and "short schedule of 40" in caption and "Not run: ResNet-56" in caption
    with Image.open(path) as file:
        assert file.width >= 900
        red, green, blue = np.moveaxis(np.asarray(file.convert("RGB"), int), -1, 0)
    dark_blue = (blue > red + 40) & (blue > green + 20)  # plain-56, in the left half alone
    assert dark_blue[:, : file.width // 2].sum() > 300 > dark_blue[:, file.width // 2 :].sum()
    first = path.read_bytes()
    degradation.draw(found, path)
    assert path.read_bytes() == first
    write("plain20", 0, 9.8)
    assert not degradation.is_current(finished(tmp_path), path)


def test_the_guides_lines_exist(recipe):
    guide = (ROOT / "notebooks" / "README.md").read_text("utf-8")
    guide = guide.split("## Reproduce a paper's figure")[1].split("\n## ")[0]
    lines = re.findall(r"^    python (recipes/\w+\.py) ?(.*)$", guide, re.M)
    assert len(lines) == 4
    for script, options in lines:
        text = (ROOT / script).read_text("utf-8")
        assert all(f'"{option}"' in text for option in re.findall(r"--\w+", options))
    experiments = recipe("experiments").EXPERIMENTS
    named = re.findall(r"(?:reproduce\.py |`)((?:plain|resnet)\d+)", guide)
    assert len(named) == 6 and set(named) <= set(experiments)
    assert experiments["resnet20"].short
    figure = re.search(r"`(\S+\.png)`", guide)[1]
    assert recipe("degradation").FIGURE.relative_to(ROOT).as_posix() == figure
