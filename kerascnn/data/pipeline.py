"""Data sets for `fit`: the order is a function of (seed, epoch), reading is a copy from disk."""

import contextlib
import dataclasses
import functools
import hashlib
import numbers
import weakref
from pathlib import Path

import keras
import numpy as np

from kerascnn._errors import InputError, one_of, whole
from kerascnn._random import permutation
from kerascnn.data.decode import Decoder, listed
from kerascnn.data.inventory import Finding, Inventory
from kerascnn.data.splits import SPLITS
from kerascnn.data.store import RowStore, cache_folder

__all__ = ["ImageData", "Split"]


class EpochCounter(keras.utils.PyDataset):
    """A data set that knows which epoch is read: `epoch`, from 0, which may be set.

    Keras calls `on_epoch_end` at the end of an epoch, but also before the first one begins, after
    one that was interrupted and, on JAX, after a batch was read to build the model. So an epoch
    counts if it began and all its batches were read. Workers may read before it begins: what was
    read counts from the end of the epoch before. (One batch an epoch on JAX counts that look.)
    Subclasses define `num_batches` and call `super().__getitem__(index)`.
    """

    _alive = weakref.WeakSet()

    def __new__(cls, *args, **kwargs):  # copies and unpickled ones come by here too
        data = super().__new__(cls)
        EpochCounter._alive.add(data)
        return data

    @staticmethod
    @contextlib.contextmanager
    def all_from(epoch):
        """Every data set there is begins with that epoch, and is afterwards where it was."""
        before = {data: data.epoch for data in list(EpochCounter._alive) if "epoch" in vars(data)}
        for data in before:
            data.epoch = epoch
        try:
            yield
        finally:
            for data, own in before.items():
                data.epoch = own

    def __init__(self):
        super().__init__()
        self.epoch = 0
        self._began, self._seen = False, set()  # whether an epoch did, and its batches so far

    def on_epoch_begin(self):
        self._began = True

    def __getitem__(self, index):
        if not 0 <= index < self.num_batches:
            raise IndexError(f"Batches are numbered 0 to {self.num_batches - 1}: {index}")
        self._seen.add(index)

    def on_epoch_end(self):
        if self._began and len(self._seen) == self.num_batches:
            self.epoch += 1
        self._began, self._seen = False, set()


class Split(EpochCounter):
    """One split of a data set: give it to `fit`, `evaluate` or `predict` of any Keras model.

    Batch `i` of epoch `e` is a pure function of (seed, e, i): no generator state, no worker, no
    hidden permutation. The object owns its position: `epoch` counts the epochs that were read and
    may be set, so a continued run sees what an uninterrupted one would have seen. Pass
    `shuffle=False` to `fit`: its own shuffling would permute the batches a second time, out of
    a generator that nobody owns; and no `steps_per_epoch`, which would cut epochs at will.

    Args:
        read: function (digests, paths) -> uint8 array (n, H, W, C).
        photos: list of `Photo`.
        class_names: list of str.
        decoder: `Decoder` the pixels came from.
        batch_size: int >= 1.
        shuffle: bool. Another order each epoch, or the photos' own.
        one_hot: bool. Labels as float vectors or as ints.
        seed: int. Decides the orders.
        name: "train", "validation" or "test", or None. Statistics are not taken of the latter two.

    Attributes:
        labels: int64 array (N,), indices into `class_names`.
        paths, digests: N strs each; SHA-256 of the files' bytes.
        class_names: list of str.
        decoder: `Decoder` the pixels came from.
        epoch: int >= 0. The epoch that is read now.

    Batches:
        (images, labels): float32 (batch, H, W, C) with values 0-255, and int64 (batch,), or
        float32 (batch, classes) if `one_hot`. The last batch of an epoch may be smaller.

    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> split = from_arrays(images, [0, 1] * 20, batch_size=30).train
    >>> [batch[0].shape for batch in split]
    [(30, 8, 8, 1), (2, 8, 8, 1)]
    """

    def __init__(
        self,
        read,
        photos,
        class_names,
        decoder,
        *,
        batch_size=32,
        shuffle=False,
        one_hot=False,
        seed=0,
        name=None,
    ):
        super().__init__()
        self.name = name
        self._read = read
        self.decoder = decoder
        self.paths = [photo.path for photo in photos]
        self.digests = [photo.digest for photo in photos]
        self.class_names = list(class_names)
        number = {name: i for i, name in enumerate(self.class_names)}
        self.labels = np.array([number[photo.label] for photo in photos], dtype=np.int64)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.one_hot = one_hot
        self.seed = seed

    @property
    def num_photos(self):
        """Number of photos."""
        return len(self.labels)

    @property
    def num_batches(self):
        """Number of batches in an epoch."""
        return -(-self.num_photos // self.batch_size)

    def __getitem__(self, index):
        super().__getitem__(index)
        return self.batch(self.epoch, index)

    def order(self, epoch):
        """The photos' numbers in the order of an epoch: int64 array (N,)."""
        if not self.shuffle:
            return np.arange(self.num_photos)
        return _order(self.num_photos, self.seed, int(epoch))

    def numbers(self, epoch, index):
        """The photos' numbers in batch `index` of epoch `epoch`: int64 array (n,)."""
        return self.order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]

    def batch(self, epoch, index, rows=slice(None)):
        """Batch `index` of epoch `epoch`: (images, labels); of it, the `rows` that are wanted."""
        chosen = self.numbers(epoch, index)[rows]
        return self.images(chosen).astype(np.float32), self.targets(chosen)

    def targets(self, indices):
        """The labels of the photos with these numbers (as for `images`), in the form of a batch."""
        labels = self.labels[indices]
        return np.eye(len(self.class_names), dtype=np.float32)[labels] if self.one_hot else labels

    def images(self, indices):
        """The decoded photos with these numbers: uint8 array (n, H, W, C), values 0-255.

        Args:
            indices: ints (n,), a bool mask (N,) or a slice.
        """
        indices = np.arange(self.num_photos)[indices]
        return self._read([self.digests[i] for i in indices], [self.paths[i] for i in indices])

    def augment(self, *layers, training=True):
        """This split with augmentation, for `fit`: see `Augmented`."""
        from kerascnn.data.augmented import Augmented

        return Augmented(self, layers, training)

    def fingerprint(self):
        """What decides the batches, as a dict of plain values: photos, labels, order, form."""
        photos = hashlib.sha256("".join(self.digests).encode() + self.labels.tobytes())
        return {
            "photos": self.num_photos,
            "photos_sha256": photos.hexdigest(),
            "class_names": self.class_names,
            "pixels": self.decoder.key,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "one_hot": self.one_hot,
            "seed": self.seed,
        }

    def manifest(self):
        """{SHA-256 of the file's bytes: [path, class name]} of every photo."""
        names = [self.class_names[label] for label in self.labels]
        return {d: [path, name] for d, path, name in zip(self.digests, self.paths, names)}

    def class_weight(self):
        """{class number: weight} that gives every class the same total: N / (classes * count)."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return {i: self.num_photos / (len(counts) * max(int(n), 1)) for i, n in enumerate(counts)}


@functools.lru_cache(maxsize=4)  # every batch of an epoch asks for it
def _order(count, seed, epoch):
    order = permutation(count, seed, "order", epoch)
    order.flags.writeable = False
    return order


@dataclasses.dataclass
class ImageData:
    """Photos in three disjoint splits. Made by `from_directory`, `from_tfds` or `from_arrays`.

    Attributes:
        train, validation, test: `Split`; only `train` is shuffled.
        class_names: list of str; label i is `class_names[i]`.
        decoder: `Decoder`. How files became pixels; `read_photos` applies the same.
        inventory: `Inventory` with the manifest (`inventory.photos`) and the `findings`.

    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> data = from_arrays(images, ["cat", "dog"] * 20)
    >>> data.class_names, data.image_shape, data.test.num_photos
    (['cat', 'dog'], (8, 8, 1), 4)
    """

    train: Split
    validation: Split
    test: Split
    decoder: Decoder
    inventory: Inventory

    @property
    def class_names(self):
        return self.inventory.class_names

    @property
    def findings(self) -> list[Finding]:
        return self.inventory.findings

    @property
    def image_shape(self):
        """(height, width, channels) of every image."""
        return self.decoder.shape

    def save_manifest(self, path):
        """Write path, SHA-256, label and split of every photo as CSV."""
        self.inventory.save(path)

    def read_photos(self, paths):
        """Decode and resize other photos exactly as these were.

        Args:
            paths: list of str or path, image files; or one of them.

        Returns:
            uint8 array (n, H, W, C), values 0-255.

        Raises:
            InputError: a file is missing or no image, or `paths` are no paths.
        """
        images = [self.decoder.read(path) for path in listed(paths)]
        return np.stack(images) if images else np.empty((0, *self.image_shape), np.uint8)

    def with_splits(self, split_of):
        """The same photos in other splits; those that are not named stay where they are.

        Args:
            split_of: dict {path: "train", "validation" or "test"}, paths as in
                `data.inventory.photos`.

        Returns:
            `ImageData`.

        Raises:
            InputError: there is no such photo or split.
        """
        unknown = sorted(set(split_of) - {photo.path for photo in self.inventory.photos}, key=str)
        if unknown:
            raise InputError(
                f"{len(unknown)} of the {len(split_of)} paths are of no photo in the data, the "
                f"first is {unknown[0]!r}. Take them from `data.inventory.photos`."
            )
        for split in set(split_of.values()):
            one_of(split, SPLITS, "split")
        photos = [
            dataclasses.replace(photo, split=split_of.get(photo.path, photo.split))
            for photo in self.inventory.photos
        ]
        inventory = dataclasses.replace(self.inventory, photos=photos)
        form = {name: getattr(self.train, name) for name in ("batch_size", "one_hot", "seed")}
        return ImageData.assemble(self.train._read, inventory, self.decoder, **form)

    @classmethod
    def assemble(cls, read, inventory, decoder, *, batch_size, one_hot, seed):
        """Make the three splits of an inventory; `read(digests, paths)` returns the pixels."""
        batch_size = whole(batch_size, "batch_size", 1)
        if not isinstance(seed, numbers.Integral):
            raise InputError(f"seed must be an int. Received: {seed!r}.")
        parts = {}
        for name in SPLITS:
            photos = [photo for photo in inventory.photos if photo.split == name]
            parts[name] = Split(
                read,
                photos,
                inventory.class_names,
                decoder,
                batch_size=batch_size,
                shuffle=name == "train",
                one_hot=one_hot,
                seed=int(seed),
                name=name,
            )
        return cls(**parts, decoder=decoder, inventory=inventory)


class StoredPixels:
    """Reads decoded photos from the cache; decodes again what was deleted from it meanwhile."""

    def __init__(self, decoder, root=None):
        self.decoder = decoder
        self.root = None if root is None else Path(root).absolute()
        self.store = RowStore(cache_folder() / decoder.key, decoder.shape, "uint8")

    def __call__(self, digests, paths):
        rows = self.store.find(digests)
        if (rows < 0).any():
            self._decode_again({d: p for d, p, row in zip(digests, paths, rows) if row < 0})
            rows = self.store.find(digests)
        return self.store.read(rows)

    def _decode_again(self, missing):
        if self.root is None:
            raise InputError(
                "The cached photos of this data set were deleted meanwhile. Read it again."
            )
        pixels = []
        for digest, path in missing.items():
            pixels.append(self.decoder.read(self.root / path))
            if hashlib.sha256((self.root / path).read_bytes()).hexdigest() != digest:
                raise InputError(
                    f"{self.root / path} was changed meanwhile. Read the folder again."
                )
        self.store.append(list(missing), np.stack(pixels))
