"""A few real batches of any data that `fit` reads."""

import itertools

import keras
import numpy as np

from kerascnn._errors import InputError

__all__ = ["Sample", "num_rows"]

_BATCHES = 4  # read at least, where there are so many
_OF_ARRAYS = 32  # as `fit` makes them


class Sample:
    """The first rows of `data`, and how it makes batches.

    Args:
        data: `kerascnn.data.Split` or `ImageData` (its training split), any `PyDataset`,
            `tf.data.Dataset` of batches, or a tuple of arrays (x, y) or (x, y, weights).
        wanted: int or None. At least so many rows are read, where there are so many.

    Attributes:
        rows: tuple of arrays, or of nests of arrays.
        batch_size: int. Rows of the first batch.
        num_batches: int, or None where that is not known.
    """

    def __init__(self, data, wanted=None):
        if not isinstance(data, keras.utils.PyDataset):  # whose `train` may be a flag
            data = getattr(data, "train", data)
        if isinstance(data, tuple):
            self._of_arrays(data, wanted or 0)
            return
        batches = []
        for batch in _batches(data):
            batches.append(keras.tree.map_structure(keras.ops.convert_to_numpy, tuple(batch)))
            if len(batches) >= _BATCHES and sum(map(num_rows, batches)) >= (wanted or 0):
                break
        if not batches or len(batches[0]) < 2:
            raise InputError("The data has no batches of images and labels.")
        self.batch_size = num_rows(batches[0])
        self.rows = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
        self.num_batches = getattr(data, "num_batches", None)

    def _of_arrays(self, arrays, wanted):
        number = num_rows(arrays)
        self.batch_size = min(_OF_ARRAYS, number)
        self.num_batches = -(-number // self.batch_size)
        first = max(wanted, _BATCHES * self.batch_size)
        self.rows = keras.tree.map_structure(lambda part: np.asarray(part[:first]), tuple(arrays))


def num_rows(batch):
    """Rows of a batch.

    >>> num_rows((np.zeros((3, 8)), np.zeros(3)))
    3
    """
    return len(keras.tree.flatten(batch)[0])


def _batches(data):
    """The batches in the data's order, read without a trace in it."""
    if isinstance(data, keras.utils.PyDataset):
        number = data.num_batches
        return map(data.__getitem__, range(number) if number else itertools.count())
    if not hasattr(data, "__iter__") or iter(data) is data:
        raise InputError(
            "Data that can be read again is needed: kerascnn.data, a PyDataset, a tf.data.Dataset, "
            f"or arrays (x, y). Received: {type(data).__name__}."
        )
    return iter(data)
