"""What the report shows is what was measured."""

import base64
import io
import re

import keras
import numpy as np
import pytest
from PIL import Image

from kerascnn import report
from kerascnn.metrics import CalibrationError
from kerascnn.transfer._page import calibration, page
from kerascnn.transfer._record import read_record

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def mistaken(partial, monkeypatch):
    """The run with four test photos called something else, more and more surely."""
    guess = np.full((6, 3), 0.1, np.float32)
    labels = partial.data.test.labels
    for i, surety in enumerate((0.5, 0.9, 0.7, 0.6, 0.8, 0.8)):
        wrong = i < 4
        guess[i, (labels[i] + wrong) % 3] = surety
    monkeypatch.setattr(partial, "test_probabilities", guess)
    return partial


def test_mistakes_are_the_surest_first_with_their_photos(mistaken):
    rows = mistaken.report()["mistakes"]
    test, names = mistaken.data.test, mistaken.class_names
    order = [1, 2, 3, 0]
    assert [row["path"] for row in rows] == [test.paths[i] for i in order]
    assert [row["probability"] for row in rows] == pytest.approx([0.9, 0.7, 0.6, 0.5])
    for row, i in zip(rows, order):
        assert row["true"] == names[test.labels[i]]
        assert row["predicted"] == names[(test.labels[i] + 1) % 3]
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(row["thumbnail"]))), float)
        assert np.abs(shown - test.images([i])[0]).mean() < 12  # JPEG
        assert base64.b64decode(row["map"])[:2] == b"\xff\xd8"


def test_figures_are_those_of_the_metrics(partial):
    shown, metrics = partial.report(), partial.metrics
    tiles = {name: value for name, value, _ in shown["summary"]}
    assert tiles["Test accuracy"] == report.percent(metrics["test_accuracy"])
    assert tiles["Validation accuracy"] == report.percent(metrics["validation_accuracy"])
    assert shown["per_class"] == metrics["per_class"]
    assert np.sum(shown["confusion"]) == metrics["num_photos"]["test"] == 6
    hits = np.trace(shown["confusion"]) / 6
    assert hits == metrics["test_accuracy"]
    assert shown["history"] == partial.history and shown["timings"] == partial.timings
    assert shown["plan"]["stages"] == partial.stages
    assert shown["splits"]["train"] == {"circle": 16, "square": 16, "triangle": 16}
    assert shown["environment"]["keras"] == keras.__version__


def test_calibration_is_that_of_the_metric(mistaken):
    record, test = mistaken.record(), mistaken.data.test
    found = calibration(record.predictions)
    expected = float(CalibrationError()(test.labels, mistaken.test_probabilities))
    assert found["error"] == pytest.approx(expected, abs=1e-5)
    assert sum(part["count"] for part in found["bins"]) == 6
    assert calibration([]) is None


def test_page_is_written_whole(mistaken, tmp_path):
    report.write(tmp_path / "report.html", mistaken.report())
    text = (tmp_path / "report.html").read_text("utf-8")
    assert text.count("data:image/jpeg;base64,") == 8, "four photos and their maps"
    assert "asked for: partial" in text and "Expected calibration error" in text
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", text)


def test_what_an_older_folder_lacks_is_left_out(saved, tmp_path):
    record = read_record(saved)
    record.predictions, record.history, record.details = [], [], {}
    record.splits = record.diagnosis = None
    del record.config["machine"]
    text = report.render(page(record, saved))
    sections = re.findall('<section id="([a-z0-9-]+)"', text)
    assert sections == ["asked", "plan", "per-class", "timings", "use", "environment", "settings"]


def test_a_folder_that_is_called_dot_has_a_name(partial, monkeypatch, tmp_path):
    (tmp_path / "flowers").mkdir()
    monkeypatch.chdir(tmp_path / "flowers")
    monkeypatch.setattr(partial.data.inventory, "root", type(tmp_path)("."))
    assert partial.report()["title"] == "flowers: 3 classes"
