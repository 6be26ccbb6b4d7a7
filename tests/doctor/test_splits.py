"""Validation samples that are in the training data: equal, or look the same."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

import kerascnn as kc
from kerascnn.doctor import leak

X = load_digits().images


@pytest.mark.parametrize(
    ("start", "severity"), [(1000, "fine"), (998, "warning"), (900, "problem"), (0, "problem")]
)
def test_equal_samples(start, severity):
    assert leak(X[:1000], X[start:]).severity == severity


def test_they_are_counted_in_any_dtype():
    finding = leak(X[:1000].astype("uint8"), X[990:1100])
    assert finding.message == "10 of 110 validation samples are in the training data: 10 equal."


def test_samples_of_other_shapes():
    assert leak(X, X[:, :4]).severity == "skipped"


def crops(number):
    """Parts of a real photo of 427 x 640, below the sky: 96 x 96."""
    photo, rng = load_sample_images().images[0], np.random.default_rng(0)
    corners = rng.integers((100, 0), (331, 544), (number, 2))
    return np.stack([photo[y : y + 96, x : x + 96] for y, x in corners])


def test_photos_that_look_the_same():
    photos = crops(12)
    small = Image.fromarray(photos[3]).resize((60, 60)).resize((96, 96))
    validation = np.stack([photos[10], np.asarray(small)])
    finding = leak(photos[:8], validation)
    assert finding.severity == "problem"
    assert "1 of 2 validation samples is in the training data: 1 of the 2" in finding.message
    assert leak(photos[:8] / 255, validation / 255).message == finding.message
    assert leak(photos[:8], photos[10:]).severity == "fine"


def test_splits_of_ours_do_not_leak(shared_data):
    folder = shared_data("data/clothing")
    data = kc.data.from_directory(folder / "validation", image_size=64, splits=(0.7, 0.3, 0))
    images = [split.images(range(split.num_photos)) for split in (data.train, data.validation)]
    assert leak(*images).severity == "fine"
