import hashlib
import json
from pathlib import Path

import pytest

from kerascnn import InputError
from kerascnn.weights import entry, names
from kerascnn.weights.manifest import FOLDER

ROOT = Path(__file__).parents[2]
ROWS = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
PACKAGED = [row for row in ROWS if "url" not in row]
PUBLISHED = [row for row in ROWS if "url" in row]


@pytest.mark.parametrize("row", PACKAGED, ids=lambda row: f"{row['model']}-{row['name']}")
def test_each_file_is_the_one_that_its_recipe_wrote(row):
    data = (FOLDER / row["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    recipe = ROOT / row["recipe"]
    assert recipe.is_file()
    result = json.loads((ROOT / "recipes/results" / f"{recipe.stem}.json").read_text("utf-8"))
    assert result["weights_sha256"] == row["sha256"]
    assert 1 - row["test_accuracy"] == pytest.approx(result["test_error_percent"] / 100)
    assert len(row["class_names"]) == row["classes"]


def test_lenet_preprocessing_is_the_papers():
    preprocessing = entry("LeNet5", "mnist")["preprocessing"]
    black, white = (value * preprocessing["scale"] + preprocessing["offset"] for value in (255, 0))
    assert (black, white) == pytest.approx((1.175, -0.1))  # Sec. II-B


def test_an_entry_is_a_copy():
    entry("LeNet5", "mnist")["preprocessing"]["scale"] = 1.0
    assert entry("LeNet5", "mnist")["preprocessing"]["scale"] == 0.005


def test_unknown_weights_are_named():
    assert names("AlexNet") == []
    with pytest.raises(InputError, match="No weights are packaged for AlexNet"):
        entry("AlexNet", "imagenet")
    with pytest.raises(InputError, match="Did you mean 'mnist'"):
        entry("LeNet5", "MNIST")
