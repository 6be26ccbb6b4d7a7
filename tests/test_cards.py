"""The cards of packaged weights: one for each, of what its files say, and their code runs."""

import hashlib
import json
import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "kerascnn" / "weights"
CARDS = re.split(r"^## ", (WEIGHTS / "CARDS.md").read_text("utf-8"), flags=re.M)[1:]
ROWS = [row for row in json.loads((WEIGHTS / "manifest.json").read_text()) if "url" not in row]


def test_each_packaged_file_has_a_card():
    titles = [card.splitlines()[0] for card in CARDS]
    assert titles == [f"{row['model']}, `{row['name']}`" for row in ROWS]
    assert {file.name for file in WEIGHTS.glob("*.h5")} == {row["file"] for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_a_card_is_about_its_file_and_its_code_runs(row):
    (card,) = [card for card in CARDS if f"`{row['file']}`" in card]
    data = (WEIGHTS / row["file"]).read_bytes()
    assert f"{len(data):,} bytes" in card
    assert f"`{hashlib.sha256(data).hexdigest()}`" in card
    assert f"{row['test_accuracy']:.2%}" in card
    names = {}
    exec(re.search(r"```python\n(.*?)```", card, re.S)[1], names)
    model, entry = names["model"], names["entry"]
    learned = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert f", {learned:,} parameters" in card
    statistics = model.count_params() - learned
    assert (f"{statistics:,} moving statistics" in card) == bool(statistics)
    assert model.input_shape[1:] == (row["image_size"], row["image_size"], row["channels"])
    assert model.output_shape[-1] == entry["classes"]
    assert names["network"].count_params() < model.count_params()


def test_a_card_names_a_command_that_exists():
    for card in CARDS:
        (script,) = re.findall(r"^\| made by \| `python (\S+\.py)", card, re.M)
        assert (ROOT / script).is_file()
