"""The first rows of any data that `fit` reads."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.compute._sample import Sample, num_rows
from tests.compute.conftest import arrays


class Eights(keras.utils.PyDataset):
    train = True  # a flag of the user's, not the training split

    @property
    def num_batches(self):
        return 6

    def __getitem__(self, index):
        return tuple(part[index * 8 : (index + 1) * 8] for part in arrays(48))


def dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(arrays(48)).batch(8)


FORMS = {
    "arrays": (lambda: arrays(48), 32, 2),
    "PyDataset": (Eights, 8, 6),
    "tf.data": (dataset, 8, None),
}


@pytest.mark.parametrize("name", FORMS)
def test_rows_are_those_of_the_data(name):
    make, batch_size, num_batches = FORMS[name]
    sample = Sample(make(), wanted=40)
    assert (sample.batch_size, sample.num_batches) == (batch_size, num_batches)
    assert num_rows(sample.rows) >= 40
    for found, part in zip(sample.rows, arrays(48), strict=True):
        np.testing.assert_array_equal(found, part[: len(found)])
    assert num_rows(Sample(make()).rows) >= 4 * 8


def test_weights_and_several_inputs():
    x, y = arrays(48)
    sample = Sample(({"a": x, "b": x}, y, np.ones(48)))
    assert sample.rows[0]["b"].shape == (48, 6) and len(sample.rows) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (iter([arrays()]), "read again.*Received: list_iterator"),
        (7, "Received: int"),
        ([], "no batches of images and labels"),
        ([(np.zeros((2, 6)),)], "no batches of images and labels"),
    ],
)
def test_what_cannot_be_read(data, message):
    with pytest.raises(InputError, match=message):
        Sample(data)
