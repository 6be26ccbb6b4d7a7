"""Statistics of training images in one pass, whatever holds them: memory stays flat."""

import numpy as np

from kerascnn._errors import InputError

__all__ = ["blocks", "moments", "training_batches"]

_VALUES = 2**22  # of an array that are taken at a time: 32 MB as float64


def training_batches(data):
    """The images of training data, batch by batch, each read once.

    Args:
        data: array (N, H, W, C), `ImageData` (its `train` is read), one of its training splits,
            augmented or not (epoch 0), `keras.utils.PyDataset`, `tf.data.Dataset`, or any iterable
            of batches. A batch is the images, or a tuple or list that begins with them.

    Yields:
        float64 arrays (n, H, W, C), all of one (H, W, C).

    Raises:
        InputError: it is a validation or test split, empty, without end, holds something else than
            images of one size, or values that are not finite.

    >>> [len(batch) for batch in training_batches([np.zeros((3, 2, 2, 1)), np.ones((1, 2, 2, 1))])]
    [3, 1]
    """
    shape = None
    for number, batch in enumerate(_batches(getattr(data, "train", data))):
        images = np.asarray(batch[0] if isinstance(batch, tuple | list) else batch)
        if images.ndim != 4 or images.dtype.kind not in "biuf" or not images.size:
            raise InputError(
                "Statistics are taken of images (N, H, W, C) or batches of them. Received: "
                f"{images.dtype} of shape {images.shape}. Grey images need images[..., None]."
            )
        shape = shape or images.shape[1:]
        if images.shape[1:] != shape:
            raise InputError(
                f"Batch {number} holds images of shape {images.shape[1:]}, those before it of "
                f"{shape}: resize them to one size first."
            )
        images = images.astype(np.float64)
        if not np.isfinite(images).all():
            raise InputError(f"The images of batch {number} hold NaN or infinity: mend them first.")
        yield images
    if shape is None:
        raise InputError("The data holds no images to take statistics of.")


def _batches(data):
    _refuse_held_out(data)
    if hasattr(data, "num_batches"):  # a PyDataset, which need not end by itself
        if data.num_batches is None:
            raise InputError(_ENDLESS)
        by_epoch = callable(getattr(data, "batch", None))
        return (data.batch(0, i) if by_epoch else data[i] for i in range(data.num_batches))
    if hasattr(data, "shape"):
        rows = max(1, _VALUES // max(1, int(np.prod(data.shape[1:]))))
        return (data[start : start + rows] for start in range(0, len(data), rows))
    if callable(getattr(data, "cardinality", None)) and int(data.cardinality()) == -1:
        raise InputError(_ENDLESS)
    if not hasattr(data, "__iter__"):
        raise InputError(
            "Statistics are taken of an array (N, H, W, C), ImageData, a split, a tf.data.Dataset "
            f"or an iterable of batches. Received: {type(data).__name__}."
        )
    return iter(data)


_ENDLESS = "The data has no end, so one pass over it has none: leave out repeat()."


def _refuse_held_out(data):
    named = data
    while not hasattr(named, "name") and hasattr(named, "source"):  # augmented
        named = named.source
    if getattr(named, "name", None) in ("validation", "test"):
        raise InputError(
            f"Statistics are taken of training images only, and these are the {named.name} split: "
            "pass data or data.train."
        )


def blocks(batches, count):
    """The same images as rows (n, values), at least `count` of them at a time but for the last.

    >>> [rows.shape for rows in blocks([np.zeros((2, 4, 4, 3))] * 3, 3)]
    [(4, 48), (2, 48)]
    """
    held = []
    for batch in batches:
        held.append(batch.reshape(len(batch), -1))
        if sum(map(len, held)) >= count:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def moments(parts, product):
    """(number of rows, their mean, the sum of `product` of their deviations from it), one pass.

    Deviations are taken from the mean of each part, and parts are merged, so that a large mean
    does not drown a small variance. Source: Chan, Golub and LeVeque 1979, Stanford STAN-CS-79-773,
    for sums of squares; it holds for outer products as well.

    Args:
        parts: iterable of float64 arrays (n, values).
        product: function of deviations (n, values) -> their sum of squares, (values,), or of outer
            products, (values, values).

    >>> moments([np.array([[1.0], [3.0]]), np.array([[8.0]])], lambda d: (d**2).sum(axis=0))
    (3, array([4.]), array([26.]))
    """
    count, mean, total = 0, 0.0, 0.0
    for rows in parts:
        centre = rows.mean(axis=0)
        step, new = centre - mean, len(rows)
        total += product(rows - centre)
        total += product(step[None]) * (count * new / (count + new))
        count += new
        mean = mean + step * (new / count)
    return count, mean, total
