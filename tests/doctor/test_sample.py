"""What is looked at of each kind of data that `fit` takes."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.doctor._sample import all_inputs, known, sampled

IMAGES = np.arange(100, dtype="uint8")[:, None, None, None] * np.ones((1, 8, 8, 1), "uint8")
LABELS = np.arange(100) % 4


class Batches(keras.utils.PyDataset):
    num_batches = 50

    def __getitem__(self, index):
        rows = slice(index * 2, index * 2 + 2)
        return IMAGES[rows], LABELS[rows]


def number(x):
    """Which images these are."""
    return np.asarray(x)[:, 0, 0, 0].astype(int)


def test_arrays_are_shuffled_and_known_in_full():
    data = (IMAGES, LABELS, LABELS + 1.0)
    sample = sampled(data, 10)
    assert sample.complete and sample.batches is None and sample.size == 100
    np.testing.assert_array_equal(number(sample.x) % 4, sample.y)
    np.testing.assert_array_equal(sample.weights, sample.y + 1)
    assert sorted(number(sample.x)) != list(number(sample.x))
    assert known(data, sample)[0] is IMAGES and all_inputs(data, sample) is IMAGES


def test_a_split_tells_all_its_labels_in_the_order_of_an_epoch():
    data = kc.data.from_arrays(IMAGES, LABELS, batch_size=16, splits=(1, 0, 0))
    for split in (data.train, data.train.augment()):
        sample = sampled(split, 99)
        assert sample.complete and sample.batch_size == 16 and sample.size == 100
        np.testing.assert_array_equal(sample.batches[1], data.train.batch(0, 1)[1])
        np.testing.assert_array_equal(number(sample.x) % 4, sample.y)
        assert sorted(number(all_inputs(split, sample))) == list(range(100))
        assert known(split, sample)[0] is sample.x
    assert data.train.epoch == 0


def test_a_data_set_is_looked_at_all_over():
    sample = sampled(Batches(), 99)
    assert not sample.complete and sample.batch_size == 2 and len(sample.batches) == 16
    assert number(sample.x).min() == 0 and number(sample.x).max() == 99


def test_any_iterable_of_batches_that_can_be_read_twice():
    batches = [(IMAGES[:8], LABELS[:8]), (IMAGES[8:16], LABELS[8:16])]
    sample = sampled(batches, 99)
    assert sample.size == 16 and sample.batch_size == 8
    with pytest.raises(InputError, match="can be read twice. Received: generator"):
        sampled((batch for batch in batches), 99)
    with pytest.raises(InputError, match="Received: ndarray"):
        sampled(IMAGES, 99)
    for wrong in ((IMAGES, LABELS[1:]), (IMAGES, LABELS.tolist()), (IMAGES[:0], LABELS[:0])):
        with pytest.raises(InputError, match="arrays of the same number of samples"):
            sampled(wrong, 99)
    with pytest.raises(InputError, match="data has no labels"):
        sampled([(IMAGES,)], 99)


def test_batches_to_train_on():
    sample = sampled((IMAGES, {"a": LABELS}), 10)
    assert [len(x) for x, _, _ in sample.split(16, 4)] == [16] * 4
    assert [len(y["a"]) for _, y, _ in sample.split(60, 8)] == [60]
    assert len(sample.split(200, 8)[0][0]) == 100
    np.testing.assert_array_equal(sample.first(3)[0], sample.x[:3])


def test_a_data_set_of_single_samples():
    rows = np.eye(4)[LABELS]
    for labels in (LABELS, rows):  # (8, 8, 1) with (), and with (4,)
        with pytest.raises(InputError, match=r"pass data.batch\(32\)"):
            sampled([(np.asarray(x), np.asarray(y)) for x, y in zip(IMAGES, labels)], 99)
