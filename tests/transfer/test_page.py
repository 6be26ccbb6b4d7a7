"""What the report shows is what was measured."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from kerascnn import report
from kerascnn.transfer._page import page, versions

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
    rows = page(mistaken)["mistakes"]
    test, names = mistaken.data.test, mistaken.class_names
    order = [1, 2, 3, 0]
    assert [row["path"] for row in rows] == [test.paths[i] for i in order]
    assert [row["probability"] for row in rows] == pytest.approx([0.9, 0.7, 0.6, 0.5])
    for row, i in zip(rows, order):
        assert row["true"] == names[test.labels[i]]
        assert row["predicted"] == names[(test.labels[i] + 1) % 3]
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(row["thumbnail"]))), float)
        assert np.abs(shown - test.images([i])[0]).mean() < 12  # JPEG


def test_figures_are_those_of_the_metrics(partial):
    shown, metrics = page(partial), partial.metrics
    tiles = {name: value for name, value, _ in shown["summary"]}
    assert tiles["Test accuracy"] == report.percent(metrics["test_accuracy"])
    assert tiles["Validation accuracy"] == report.percent(metrics["validation_accuracy"])
    assert shown["per_class"] == metrics["per_class"]
    assert np.sum(shown["confusion"]) == metrics["num_photos"]["test"] == 6
    assert shown["history"] == partial.history and shown["timings"] == partial.timings
    assert shown["plan"]["stages"] == partial.stages
    assert shown["splits"]["train"] == {"circle": 16, "square": 16, "triangle": 16}


def test_page_is_written_whole(mistaken, tmp_path):
    report.write(tmp_path / "report.html", page(mistaken))
    text = (tmp_path / "report.html").read_text("utf-8")
    assert text.count("data:image/jpeg;base64,") == 4
    assert "asked for: partial" in text
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", text)


def test_grey_photos_have_thumbnails(partial, monkeypatch, mistaken):
    images = mistaken.data.test.images
    monkeypatch.setattr(mistaken.data.test, "images", lambda rows: images(rows)[..., :1])
    assert len(page(mistaken)["mistakes"]) == 4


def test_a_folder_that_is_called_dot_has_a_name(partial, monkeypatch, tmp_path):
    (tmp_path / "flowers").mkdir()
    monkeypatch.chdir(tmp_path / "flowers")
    monkeypatch.setattr(partial.data.inventory, "root", type(tmp_path)("."))
    assert page(partial)["title"] == "flowers: 3 classes"


def test_versions_are_those_installed():
    import keras
    import sklearn

    found = versions()
    assert (found["keras"], found["scikit-learn"]) == (keras.__version__, sklearn.__version__)
    assert found["backend"] == keras.backend.backend()
    json.dumps(found)
