"""What the checks before training look at: some of the samples, and labels as they are read."""

import collections.abc
import dataclasses
import itertools

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._random import permutation
from kerascnn.data import Augmented, ImageData, Split

_SAMPLES = 512
_BATCHES = 16
_BYTES = 500_000_000  # of pixels that are compared


@dataclasses.dataclass(frozen=True)
class Sample:
    """Up to 512 samples of what `fit` gets, shuffled, and what is known of all.

    `x`, `y` and `weights` (or None) are as in a batch. `labels` are all that are known, and
    `complete` says whether these are all there are. `batches` are the labels of batches as they are
    read, or None if `fit` shuffles.
    """

    x: object
    y: object
    weights: object
    labels: object
    complete: bool
    batches: list | None
    batch_size: int

    @property
    def size(self):
        """How many samples there are."""
        return _length(self.x)

    def first(self, count):
        """(x, y, weights) of the first ones."""
        return self._rows(slice(count))

    def split(self, size, most):
        """At most so many batches of `size`, or a smaller one if there are no more samples."""
        starts = range(0, max(1, self.size - size + 1), size)[:most]
        return [self._rows(slice(start, start + size)) for start in starts]

    def _rows(self, rows):
        return tuple(_taken(part, rows) for part in (self.x, self.y, self.weights))


def sampled(data, batch_size):
    """The `Sample` of what `fit` gets: arrays, `kerascnn.data`, or a data set of batches."""
    data = data.train if isinstance(data, ImageData) else data
    if isinstance(data, Split | Augmented):
        return _of_split(data)
    if isinstance(data, tuple | list) and len(data) in (2, 3) and not _is_batch(data[0]):
        return _of_arrays(data, batch_size)
    if isinstance(data, collections.abc.Iterator) or not _gives_batches(data):
        raise InputError(
            "data must be (x, y), data of kerascnn.data, or a data set of batches that can be read "
            f"twice. Received: {type(data).__name__}."
        )
    return _of_batches(data)


def known(data, sample):
    """(x, y): all samples if they are arrays, else those of the `Sample`."""
    is_arrays = sample.complete and isinstance(data, tuple | list)
    return tuple(data[:2]) if is_arrays else (sample.x, sample.y)


def all_inputs(data, sample):
    """The inputs to look for copies in: all, or as many as fit into 500 MB."""
    data = data.train if isinstance(data, ImageData) else data
    data = data.source if isinstance(data, Augmented) else data
    if isinstance(data, Split):
        most = max(1, _BYTES // int(np.prod(data.decoder.shape)))
        return data.images(permutation(data.num_photos, 0, "doctor")[:most])
    return known(data, sample)[0]


def _of_split(data):
    split = data.source if isinstance(data, Augmented) else data
    count = max(2, -(-_SAMPLES // split.batch_size))
    read = [data.batch(0, i) for i in _spread(split.num_batches, count)]
    numbers = [split.numbers(0, i) for i in range(split.num_batches)]
    batches = [split.targets(chosen) for chosen in numbers]
    labels = split.targets(np.arange(split.num_photos))
    return _sample(read, labels, True, batches, split.batch_size)


def _of_arrays(data, batch_size):
    x, y, weights = (*data, None)[:3]
    x, y, weights = keras.tree.map_structure(
        lambda array: None if array is None else np.asarray(array), (x, y, weights)
    )
    if not _are_samples((x, y, weights)):
        raise InputError("x, y and sample weights must be arrays of the same number of samples.")
    chosen = permutation(_length(x), 0, "doctor")[:_SAMPLES]
    parts = [_taken(part, chosen) for part in (x, y, weights)]
    return Sample(*parts, y, True, None, batch_size)


def _of_batches(data):
    if isinstance(data, keras.utils.PyDataset):  # may not end by itself
        numbers = _spread(data.num_batches or _BATCHES, _BATCHES)
        read = [data[i] for i in numbers]
    else:
        read = list(itertools.islice(data, _BATCHES))
    read = [keras.tree.map_structure(np.asarray, tuple(batch)) for batch in read]
    if not read or len(read[0]) < 2:
        raise InputError("data has no labels: pass (x, y), or a data set of such batches.")
    if not all(map(_are_samples, read)):
        raise InputError(
            "Each batch must hold as many labels as inputs, at least one. If data gives single "
            "samples, pass data.batch(32)."
        )
    batches = [batch[1] for batch in read]
    return _sample(read, _joined(batches), False, batches, _length(read[0][0]))


def _sample(read, labels, complete, batches, batch_size):
    """Of batches that were read, shuffled: an overfitted one should hold several classes."""
    parts = [_joined([batch[i] for batch in read]) for i in range(len(read[0]))]
    order = permutation(_length(parts[0]), 0, "doctor")[:_SAMPLES]
    x, y, weights = [*(_taken(part, order) for part in parts), None][:3]
    return Sample(x, y, weights, labels, complete, batches, batch_size)


def _spread(count, most):
    return sorted(set(np.linspace(0, count - 1, min(count, most)).astype(int).tolist()))


def _are_samples(parts):
    """Whether these arrays have the same number of rows, and some."""
    arrays = [array for array in keras.tree.flatten(parts) if array is not None]
    lengths = {array.shape[:1] for array in arrays}
    return len(lengths) == 1 and not lengths & {(), (0,)}


def _is_batch(part):
    return isinstance(part, tuple | list) and len(part) in (2, 3) and hasattr(part[0], "shape")


def _gives_batches(data):
    is_batches = isinstance(data, keras.utils.PyDataset) or hasattr(data, "__iter__")
    return is_batches and not isinstance(data, np.ndarray | dict | str)


def _length(structure):
    return len(keras.tree.flatten(structure)[0])


def _taken(structure, rows):
    return keras.tree.map_structure(lambda a: None if a is None else a[rows], structure)


def _joined(structures):
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *structures)
