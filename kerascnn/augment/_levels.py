"""Tables of 256 grey levels: what looks at one value at a time is a table, of one or three rows.

Each function gives, for `value`, float32 (N, 1, 1), and `counts`, int32 (N, C, 256), the histograms
of each image, what becomes of every level: (N, 1 or C, 256), to be rounded and cut off to 0-255.
They work on NumPy and `keras.ops` alike (`xp`) and do what Pillow's `ImageOps` and `ImageEnhance`
do.
"""

import cv2
import numpy as np
from keras import ops

from kerascnn.augment._color import GREY, apply_table

_LEVELS = np.arange(256, dtype=np.int32)


def identity(value, counts, xp):
    return 0 * value + _LEVELS.astype(np.float32)


def invert(value, counts, xp):
    return 255 - identity(value, counts, xp)


def solarize(value, counts, xp):
    """Inverted from the level `value` on."""
    levels = identity(value, counts, xp)
    return xp.where(levels < value, levels, 255 - levels)


def posterize(value, counts, xp):
    """The upper bits alone, `value` (0 to 8) in number."""
    shift = 8 - _int(xp.clip(xp.round(value), 0, 8), xp)
    return _float(xp.left_shift(xp.right_shift(_LEVELS + 0 * shift, shift), shift), xp)


def brightness(value, counts, xp):
    """Blended with black by the factor `value`."""
    return value * _LEVELS.astype(np.float32)


def contrast(value, counts, xp):
    """Blended with the mean grey of the image by the factor `value`."""
    shares = counts / xp.sum(counts, axis=-1, keepdims=True)
    means = xp.sum(_float(shares, xp) * _LEVELS.astype(np.float32), axis=-1, keepdims=True)
    if means.shape[1] == 3:
        means = xp.sum(means * GREY[:, None], axis=1, keepdims=True)
    return brightness(value, counts, xp) + (1 - value) * xp.floor(means + 0.5)


def autocontrast(value, counts, xp):
    """The darkest level becomes 0, the brightest 255, in each channel."""
    there = counts > 0
    low = xp.min(xp.where(there, _LEVELS, 255), axis=-1, keepdims=True)
    high = xp.max(xp.where(there, _LEVELS, 0), axis=-1, keepdims=True)
    stretched = (_LEVELS - low) * 255 // xp.maximum(high - low, 1)
    return _float(xp.where(high > low, stretched, _LEVELS), xp)


def equalize(value, counts, xp):
    """About as many pixels of each level, in each channel: the histogram's running sum."""
    last = xp.max(xp.where(counts > 0, _LEVELS, 0), axis=-1, keepdims=True)
    before = _int(xp.cumsum(counts, axis=-1), xp) - counts
    step = xp.sum(xp.where(last == _LEVELS, before, 0), axis=-1, keepdims=True) // 255
    evened = (step // 2 + before) // xp.maximum(step, 1)
    return _float(xp.where(step > 0, evened, _LEVELS), xp)


TABLES = {
    "Identity": identity,
    "Invert": invert,
    "Solarize": solarize,
    "Posterize": posterize,
    "Brightness": brightness,
    "Contrast": contrast,
    "AutoContrast": autocontrast,
    "Equalize": equalize,
}
_COUNTING = ("Contrast", "AutoContrast", "Equalize")


def map_levels(images, number, value):
    """The table `number` of TABLES on each image.

    Args:
        images: float32 (N, H, W, C) of whole numbers from 0 to 255.
        number: int32 (N,). Other numbers leave an image as it is. value: float32 (N,).
    """
    count, channels = ops.shape(images)[0], images.shape[-1]
    rows = ops.reshape(ops.arange(count) * channels, (-1, 1, 1, 1)) + np.arange(channels)
    places = ops.cast(images, "int32") + 256 * ops.cast(rows, "int32")
    every = ops.reshape(places, (-1,))
    counts = ops.segment_sum(ops.ones_like(every), every, num_segments=256 * count * channels)
    counts = ops.reshape(counts, (-1, channels, 256))
    value, number = ops.reshape(value, (-1, 1, 1)), ops.reshape(number, (-1, 1, 1))
    chosen = ops.zeros_like(counts, dtype="float32") + _LEVELS.astype(np.float32)
    for place, table in enumerate(TABLES.values()):
        chosen = ops.where(number == place, table(value, counts, ops), chosen)
    return ops.take(ops.reshape(ops.clip(ops.round(chosen), 0, 255), (-1,)), places)


def map_levels_kernel(image, name, value):
    """The table `name` on one uint8 image."""
    counts = None
    if name in _COUNTING:
        channels = range(image.shape[-1])
        counts = [cv2.calcHist([image], [i], None, [256], [0, 256]).ravel() for i in channels]
        counts = np.array([counts]).astype(np.int32)
    table = TABLES[name](np.full((1, 1, 1), value, np.float32), counts, np)[0]
    return apply_table(image, table.T)


def _int(values, xp):
    return np.asarray(values, np.int32) if xp is np else ops.cast(values, "int32")


def _float(values, xp):
    return np.asarray(values, np.float32) if xp is np else ops.cast(values, "float32")
