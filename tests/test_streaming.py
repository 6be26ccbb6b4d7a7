"""One pass over training images, whatever holds them."""

import numpy as np
import pytest
import tensorflow as tf

from kerascnn import InputError
from kerascnn._streaming import blocks, moments, training_batches
from kerascnn.callbacks._position import Positioned
from kerascnn.data import from_arrays

IMAGES = np.random.default_rng(0).integers(256, size=(60, 6, 5, 3), dtype="uint8")
LABELS = np.arange(60) % 2


def data(**options):
    return from_arrays(IMAGES, LABELS, **options)


def all_of(source):
    """The images, in an order of their own."""
    images = np.concatenate(list(training_batches(source)))
    return images[np.lexsort(images.reshape(len(images), -1).T)]


def test_every_holder_gives_the_same_images():
    train = data(batch_size=7).train
    images = train.images(range(train.num_photos))
    with_labels = tf.data.Dataset.from_tensor_slices((images, train.labels)).batch(9)
    holders = [
        data(),
        train,
        data(batch_size=100).train,
        train.augment(),
        with_labels,
        with_labels.map(lambda x, y: x),
        [images[:5], images[5:]],
        ([images[i : i + 11], None] for i in range(0, len(images), 11)),
        tf.constant(images),
    ]
    expected = all_of(images)
    assert expected.dtype == np.float64 and len(expected) == 48
    for holder in holders:
        np.testing.assert_array_equal(all_of(holder), expected)


def test_a_large_array_is_taken_in_parts(monkeypatch):
    monkeypatch.setattr("kerascnn._streaming._VALUES", 1000)
    assert [len(batch) for batch in training_batches(IMAGES)] == [11, 11, 11, 11, 11, 5]


def test_a_split_is_read_once_and_keeps_its_position():
    train = data(batch_size=7).train
    read, original = [], train.batch
    train.batch = lambda epoch, index: read.append((epoch, index)) or original(epoch, index)
    train.epoch = 3
    list(training_batches(train))
    assert read == [(0, i) for i in range(7)]
    assert train.epoch == 3


@pytest.mark.parametrize("name", ["validation", "test"])
def test_statistics_of_held_out_images_are_refused(name):
    held_out = getattr(data(), name)
    for source in (held_out, held_out.augment(), Positioned(held_out)):
        with pytest.raises(InputError, match=f"training images only, and these are the {name}"):
            list(training_batches(source))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (IMAGES[..., 0], r"uint8 of shape \(60, 6, 5\). Grey images need images\[..., None\]"),
        ((IMAGES, LABELS), r"int64 of shape \(60,\)"),
        (np.full((1, 2, 2, 1), "a"), "<U1 of shape"),
        ([IMAGES, IMAGES[:, 1:]], r"Batch 1 holds images of shape \(5, 5, 3\), .* \(6, 5, 3\)"),
        ([np.full((1, 2, 2, 1), np.nan)], "batch 0 hold NaN or infinity"),
        ([], "holds no images"),
        (IMAGES[:0], "holds no images"),
        (3, "Received: int"),
        (tf.data.Dataset.from_tensors(IMAGES).repeat(), "leave out repeat"),
    ],
)
def test_what_is_no_training_data_gets_a_sentence(source, message):
    with pytest.raises(InputError, match=message):
        list(training_batches(source))


@pytest.mark.parametrize("count", [1, 7, 25, 1000])
def test_moments_are_those_of_numpy(count):
    rows = IMAGES.reshape(60, -1) / 255.0 + 1e6  # a mean that sums of squares would drown in
    number, mean, total = moments(blocks(np.split(rows, [3, 4, 30]), count), lambda d: d.T @ d)
    assert number == 60
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(total / 59, np.cov(rows.T), atol=1e-9)
