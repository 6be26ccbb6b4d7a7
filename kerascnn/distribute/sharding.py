"""A data set of which each process reads its own part of every batch."""

import inspect

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn.data.pipeline import EpochCounter
from kerascnn.distribute._cluster import cluster

__all__ = ["Shard", "shard"]

# What `Resume` knows a run by: it may go on with another number of processes.
_OF_THE_WHOLE = ("fingerprint", "manifest")


def shard(data):
    """The part of `data` that this process reads, so that all together train on every batch.

    The batches stay the global ones, in the same order; a process reads its rows of each, and of
    two processes no row is read by both. What Keras needs is that all devices get as many rows. A
    batch that cannot be divided evenly, such as the last one of an epoch, is therefore read whole
    by every device: loss, gradient and statistics are means, so the weights stay those of one
    process. That step costs as much, and takes as much memory, as on one device, and in the
    reported training loss and metrics its rows count as often as there are devices; layers that
    draw at random draw others for it. With many devices choose a batch size that avoids it. Data
    that is not shuffled is for validation: if one of its batches cannot be divided, every device
    reads all of them, so that the numbers are exact.

    Call it after `start()`, or within `with mirrored():`. With one device it returns `data`.

    Args:
        data: `Split`, `Augmented`, or what else has `batch(epoch, index)` and `num_batches`.

    Returns:
        `Shard`, for `fit`, `evaluate` and `Resume`; or `data`.

    Raises:
        InputError: `data` is of another kind. Reading it: the batch size is no multiple of the
            number of devices.

    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> data = from_arrays(images, [0, 1] * 20)
    >>> shard(data.train) is data.train  # alone
    True
    """
    found = cluster()
    if found.devices == 1:
        return data
    return Shard(data, found)


class Shard(EpochCounter):
    """One process's rows of every batch of `source`: made by `shard`.

    Args:
        source: the data set, with `batch(epoch, index)` and `num_batches`.
        part: `Cluster`: which rows.

    Attributes:
        epoch: int >= 0. The epoch that is read now; may be set.
        rows_at_least: int. The smallest number of rows that Keras can share out in this process.

    >>> from kerascnn.data import from_arrays
    >>> from kerascnn.distribute._cluster import Cluster
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> split = from_arrays(images, [0, 1] * 20, batch_size=30).train
    >>> second = Shard(split, Cluster(devices=3, processes=3, process=1))
    >>> [len(labels) for images, labels in second]  # 30 rows in three parts, and 2 that are not
    [10, 2]
    """

    def __init__(self, source, part):
        super().__init__()
        if not (callable(getattr(source, "batch", None)) and hasattr(source, "num_batches")):
            raise InputError(
                f"Only data of kerascnn.data can be shared out. Received: {type(source).__name__}. "
                "It needs batch(epoch, index) and num_batches."
            )
        self.source = source
        self.rows_at_least = part.devices // part.processes
        self._part = part
        self._takes_rows = "rows" in inspect.signature(source.batch).parameters
        split = getattr(source, "source", source)
        self._whole = not getattr(split, "shuffle", True) and not self._divides()

    @property
    def num_batches(self):
        """Number of batches in an epoch."""
        return self.source.num_batches

    def __getitem__(self, index):
        super().__getitem__(index)
        return self.batch(self.epoch, index)

    def batch(self, epoch, index):
        """This process's rows of batch `index` of epoch `epoch`."""
        if self._takes_rows:
            rows = self._rows(self._count(epoch, index), index)
            return self.source.batch(epoch, index, rows)
        whole = self.source.batch(epoch, index)
        rows = self._rows(len(keras.tree.flatten(whole)[0]), index)
        return keras.tree.map_structure(lambda part: np.asarray(part)[rows], whole)

    def __getattr__(self, name):
        if name in _OF_THE_WHOLE:
            return getattr(self.source, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _rows(self, count, index):
        """The numbers of this process's rows in a batch of `count`."""
        part = self._part
        if self._whole or count % part.devices:
            if not self._whole and index < self.num_batches - 1:
                raise InputError(
                    f"batch_size must be a multiple of the {part.devices} devices that train. "
                    f"Received: {count}."
                )
            return np.tile(np.arange(count), self.rows_at_least)
        size = count // part.processes
        return np.arange(part.process * size, (part.process + 1) * size)

    def _divides(self):
        """Whether all batches can be divided evenly; those of an epoch differ in the last one."""
        ends = (0, self.num_batches - 1) if self.num_batches else ()
        return not any(self._count(0, i) % self._part.devices for i in ends)

    def _count(self, epoch, index):
        if self._takes_rows:
            return len(self.source.numbers(epoch, index))
        return len(keras.tree.flatten(self.source.batch(epoch, index))[0])
