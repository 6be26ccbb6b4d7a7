"""The card parses as what the Hugging Face Hub reads, and says what was measured."""

import re

import pytest
import yaml

from kerascnn._console import printable
from kerascnn.transfer._card import card
from kerascnn.transfer._record import read_record
from tests.report.test_report import HOSTILE


def parts(text):
    """The metadata, parsed, and the Markdown below it."""
    _, metadata, body = text.split("---\n", 2)
    return yaml.safe_load(metadata), body


def test_metadata_are_the_hub_s_and_from_the_metrics(saved, partial):
    text = card(read_record(saved))
    assert (saved / "model_card.md").read_text("utf-8") == text
    metadata, _ = parts(text)
    assert metadata["library_name"] == "keras"
    assert metadata["pipeline_tag"] == "image-classification"
    assert metadata["metrics"] == ["accuracy", "f1"]
    ((entry,),) = (metadata["model-index"],)
    ((result,),) = (entry["results"],)
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"]["split"] == "test"
    found = {row["type"]: row["value"] for row in result["metrics"]}
    assert found == {
        "accuracy": round(partial.metrics["test_accuracy"], 4),
        "f1": round(partial.metrics["test_macro_f1"], 4),
    }
    assert "license" not in metadata, "nobody but the author knows it"


def test_body_has_the_figures_and_marks_what_is_unknown(saved, partial):
    _, body = parts(card(read_record(saved)))
    assert f"**{100 * partial.metrics['test_accuracy']:.1f} %**" in body
    assert "| circle | 16 | 2 | 2 |" in body
    for row in partial.metrics["per_class"]:
        assert re.search(rf"\| {row['name']} \| .* \| {row['support']} \|\n", body)
    assert body.count("TO FILL IN") == 5
    assert "hardly known: circle, square, triangle" in body
    assert "\n\n\n" not in body and not re.search(r"[{}]|None|nan", body)


def test_without_test_photos_no_result_is_claimed(saved):
    record = read_record(saved)
    record.metrics |= {key: None for key in record.metrics if key.startswith("test_")}
    record.metrics["per_class"], record.predictions, record.splits = None, [], None
    metadata, body = parts(card(record))
    assert "model-index" not in metadata and "metrics" not in metadata
    assert "how good it is on new photos is not known" in body and "48 photos for tr" in body


def test_a_class_without_test_photos_is_not_the_weakest(saved):
    record = read_record(saved)
    first, second, third = record.metrics["per_class"]
    first |= {"precision": None, "recall": None, "f1": None, "support": 0}
    second |= {"f1": 0.5}
    third |= {"f1": 1.0}
    _, body = parts(card(record))
    assert f"- Weakest class: {second['name']} (F1 50.0 %)." in body
    assert f"- Not tested, for there were no photos of them: {first['name']}.\n" in body
    assert f"hardly known: {second['name']}, {third['name']}." in body
    assert f"| {first['name']} | – | – | – | 0 |" in body


@pytest.mark.parametrize("text", [*HOSTILE, "a | b", "# h", "---", "[a](b)", "`x`"])
def test_hostile_names_stay_text(text, saved):
    record = read_record(saved)
    photos = text.replace("\0", "").replace("/", "")  # which no folder's name holds
    record.config = {**record.config, "photos": photos, "backbone": text, "weights": text}
    record.class_names = [text]
    for row in record.metrics["per_class"]:
        row["name"] = text
    record.splits = {split: {text: 3} for split in record.splits}
    metadata, body = parts(card(record))
    assert metadata["model-index"][0]["name"] == printable(f"{text}-{photos}")
    (table,) = re.findall(r"\| class \| train.*?\n\n", body, re.S)
    for row in table.strip().splitlines():
        assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "<" not in body and body.count("\n# ") == 1 and "](" not in body
