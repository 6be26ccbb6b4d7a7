import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.losses._labels import one_hot

SCORES = np.zeros((3, 4), "float16")


def test_rows_of_ints_in_one_axis_or_two():
    for labels in ([3, 0, 1], [[3], [0], [1]], [3.0, 0.0, 1.0]):
        rows = one_hot(labels, SCORES, "Loss")
        np.testing.assert_array_equal(rows, np.eye(4)[[3, 0, 1]])
        assert keras.backend.standardize_dtype(rows.dtype) == "float16"


def test_a_label_that_is_no_class_is_nan():
    rows = keras.ops.convert_to_numpy(one_hot([-1, 4, 2], SCORES, "Loss"))
    assert np.isnan(rows).all(axis=-1).tolist() == [True, True, False]


def test_one_hot_rows_are_refused():
    with pytest.raises(InputError, match=r"MyLoss needs int labels.*\(3, 4\)"):
        one_hot(np.eye(4)[:3], SCORES, "MyLoss")
