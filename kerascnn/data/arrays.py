"""Images that are in memory already, split and read as photos of a folder are."""

import collections
import hashlib
import numbers

import numpy as np
from PIL import Image

from kerascnn._errors import InputError, in_order, one_of
from kerascnn.data.decode import Decoder
from kerascnn.data.inventory import Photo, finished, trainable, without_contradictions
from kerascnn.data.pipeline import ImageData
from kerascnn.data.splits import (
    SPLITS,
    assign_splits,
    checked_fractions,
    is_missing,
    named_groups,
)

__all__ = ["from_arrays"]


def from_arrays(
    images,
    labels,
    image_size=None,
    *,
    class_names=None,
    batch_size=32,
    splits=(0.8, 0.1, 0.1),
    seed=0,
    groups=None,
    one_hot=False,
):
    """Images that are in memory already.

    As with folders, equal images never cross splits, and those that stand in two classes are left
    out; `data.findings` names them by number. Images that only look the same are not looked for, as
    `from_directory` does: among drawn digits most would.

    Args:
        images: uint8 array (N, H, W), (N, H, W, 1) or (N, H, W, 3), values 0-255.
        labels: N ints or strs, or an array (N, 1) of them; floats that are whole count as ints.
        image_size: int, (height, width), or None for the size they have.
        class_names: list of str; label i is called `class_names[i]`. None: `str(label)`.
        groups: list of N names or numbers, in the order of the images: images of one patient,
            scene, ..., which stay on one side where splits and folds are made. None or NaN in it:
            an image of its own.
        batch_size, splits, seed, one_hot: as for `from_directory`. `splits` may also be a list of N
            split names ("train", "validation", "test"; None leaves an image out).

    Returns:
        `ImageData`. Photo i is called "array/i".

    Raises:
        InputError: shapes, lengths, dtype or label values do not fit, or fewer than two classes
            have training images.

    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> from_arrays(images, [0, 1] * 20).train.num_photos
    32
    """
    class_names = None if class_names is None else in_order(class_names, "class_names")
    images, names = _checked(images, labels, class_names)
    named = _named_splits(splits, len(images))
    decoder = Decoder(image_size or images.shape[1:3], images.shape[-1])
    if decoder.image_size != images.shape[1:3]:
        images = np.stack([_resize(image, decoder.image_size) for image in images])
    digests = [hashlib.sha256(np.ascontiguousarray(image)).hexdigest() for image in images]
    rows = zip(digests, names, named or [None] * len(images))
    photos = [Photo(f"array/{i}", *row) for i, row in enumerate(rows)]
    if named:
        photos, splits = [photo for photo in photos if photo.split], (1, 0, 0)
    findings = collections.defaultdict(list)
    named = named_groups(photos, _by_path(groups, len(images)))
    photos = without_contradictions(photos, findings)
    photos = assign_splits(photos, splits, seed, findings, named=named)
    trainable("The data set", photos, findings)
    inventory = finished("array", photos, _ordered(names, class_names), findings, named=named)
    return ImageData.assemble(
        _Pixels(images, digests),
        inventory,
        decoder,
        batch_size=batch_size,
        one_hot=one_hot,
        seed=seed,
    )


def _by_path(groups, count):
    """The function that `named_groups` needs, of a list."""
    if groups is None:
        return None
    if np.ndim(groups) != 1 or len(groups) != count:
        raise InputError(
            f"`groups` must be a list of {count} names, one per image. "
            f"Received: shape {np.shape(groups)}."
        )
    groups = list(groups)  # by position: a pandas Series would look labels up
    return lambda path: groups[int(path.partition("/")[2])]


def _checked(images, labels, class_names):
    """The images as uint8 (N, H, W, C), and the name of each one's class."""
    images, labels = np.asarray(images), np.asarray(labels)
    images = images[..., None] if images.ndim == 3 else images
    fits = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] in (1, 3)
    if not fits or not images.size:
        raise InputError(
            "images must be uint8 of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3) with values "
            f"0-255. Received: {images.dtype} of shape {images.shape}. For floats from 0 to 1 "
            'pass (255 * images).astype("uint8").'
        )
    labels = labels[:, 0] if labels.shape == (len(images), 1) else labels
    if labels.shape != (len(images),):
        raise InputError(
            f"Expected {len(images)} labels, one per image. Received: shape {labels.shape}. "
            "For one-hot labels pass labels.argmax(axis=1)."
        )
    return images, _class_of_each(labels, class_names)


def _class_of_each(labels, class_names):
    labels = _known(labels)
    if class_names is None:
        return [str(label) for label in labels]
    count = len(class_names)
    if len({str(name) for name in class_names}) != count:
        raise InputError(f"class_names must differ from each other. Received: {class_names}.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"With class_names, labels must be ints. Received: {labels.dtype}.")
    if not 0 <= labels.min() <= labels.max() < count:
        raise InputError(
            f"With {count} class_names, labels must be from 0 to {count - 1}. "
            f"Received: {labels.min()} to {labels.max()}."
        )
    return [str(class_names[label]) for label in labels]


def _known(labels):
    """The labels as ints where they are whole numbers; each image has one."""
    missing = [i for i, label in enumerate(labels.tolist()) if is_missing(label)]
    if missing:
        raise InputError(
            f"{len(missing)} images have no label, the first is number {missing[0]}: leave them "
            "out of images and labels."
        )
    if labels.dtype.kind == "S":
        return labels.astype(str)
    is_number = all(isinstance(label, numbers.Real) for label in labels.tolist())
    if not is_number or labels.dtype.kind == "b":
        return labels
    if any(label != label // 1 for label in labels.tolist()):
        raise InputError(
            f"labels must be whole numbers or names. Received: {labels[:12].tolist()}."
        )
    return labels.astype(np.int64)


def _named_splits(splits, count):
    """`splits` as a list if it names each image's; None if it gives shares."""
    if not any(split is None or isinstance(split, str) for split in splits):
        checked_fractions(splits)
        return None
    for split in set(splits) - {None}:
        one_of(split, SPLITS, "split")
    if len(splits) != count:
        raise InputError(f"Expected {count} splits, one per image. Received: {len(splits)}.")
    return list(splits)


def _ordered(names, class_names):
    """The given order of classes; without one, numeric where all names are numbers."""
    if class_names is not None:
        return [str(name) for name in class_names]
    found = sorted(set(names))
    try:
        return sorted(found, key=int)
    except ValueError:
        return found


def _resize(image, size):
    picture = Image.fromarray(image if image.shape[-1] == 3 else image[..., 0])
    resized = picture.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized).reshape(*size, image.shape[-1])


class _Pixels:
    """Reads images that are in memory."""

    def __init__(self, images, digests):
        self._images = images
        self._rows = {digest: row for row, digest in enumerate(digests)}

    def __call__(self, digests, paths):
        return self._images[[self._rows[digest] for digest in digests]]
