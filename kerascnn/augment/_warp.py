"""Images read at moved places: bilinear, on every backend and by OpenCV."""

import cv2
import numpy as np
from keras import ops

from kerascnn._errors import one_of
from kerascnn.augment._checks import bounded

_BORDERS = {
    "reflect": cv2.BORDER_REFLECT,
    "nearest": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}
FILL_MODES = tuple(_BORDERS)


def checked_fill(fill_mode, fill_value):
    """(fill_mode, fill_value), or an `InputError`."""
    return one_of(fill_mode, FILL_MODES, "fill_mode"), bounded("fill_value", fill_value, 0, 255)


def warp(images, matrices, fill_mode, fill_value):
    """Every pixel (x, y) is read at M @ (x, y, 1) of its image.

    Args:
        images: float32 (N, H, W, C). matrices: float32 (N, 2, 3).
    """
    height, width = ops.shape(images)[1:3]
    x, y = _places(height, width, ops)
    a = ops.reshape(matrices, (-1, 2, 3, 1, 1))
    read_x, read_y = (a[:, i, 0] * x + a[:, i, 1] * y + a[:, i, 2] for i in (0, 1))
    return sample(images, read_x, read_y, fill_mode, fill_value)


def shift_matrices(ways, xp):
    """float32 (N, 2, 3) for `warp`, by which contents move by (x, y), float32 (N, 2)."""
    one, zero = 1 + 0 * ways[:, 0], 0 * ways[:, 0]
    rows = xp.stack([one, zero, -ways[:, 0]], -1), xp.stack([zero, one, -ways[:, 1]], -1)
    return xp.stack(rows, 1)


def warp_kernel(image, matrix, fill_mode, fill_value):
    """The same for one uint8 image, by OpenCV."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = {"borderMode": _BORDERS[fill_mode], "borderValue": (fill_value,) * 4}
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=flags, **border)


def sample(images, x, y, fill_mode, fill_value):
    """Every image at its places, bilinearly: float32 (N, H', W', C).

    Args:
        images: float32 (N, H, W, C). x, y: float32 (N, H', W'), in pixels; (0, 0) is the centre of
            the first pixel.
    """
    left, top = ops.floor(x), ops.floor(y)
    right, low = (x - left)[..., None], (y - top)[..., None]  # shares of the farther neighbours
    left, top = ops.cast(left, "int32"), ops.cast(top, "int32")
    at = [[_read(images, left + i, top + j, fill_mode, fill_value) for i in (0, 1)] for j in (0, 1)]
    upper, lower = (one * (1 - right) + two * right for one, two in at)
    return upper * (1 - low) + lower * low


def sample_kernel(image, x, y, fill_mode, fill_value):
    """The same for one uint8 image and float32 places (H', W'), by OpenCV."""
    border = {"borderMode": _BORDERS[fill_mode], "borderValue": (fill_value,) * 4}
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, **border)


def shifted(images, left, top, size, fill_value=0.0):
    """A window of each image, beginning at whole pixels: float32 (N, *size, C).

    Args:
        images: float32 (N, H, W, C). left, top: int32 (N,), may be negative. size: (height, width).
    """
    columns = ops.reshape(left, (-1, 1, 1)) + ops.arange(size[1], dtype="int32")[None, None]
    rows = ops.reshape(top, (-1, 1, 1)) + ops.arange(size[0], dtype="int32")[None, :, None]
    return _read(images, columns + 0 * rows, rows + 0 * columns, "constant", fill_value)


def shifted_kernel(image, left, top, size, fill_value=0.0):
    """The same for one uint8 image."""
    window = np.full((*size, image.shape[-1]), fill_value, np.uint8)
    height, width = image.shape[:2]
    y, x = max(top, 0), max(left, 0)
    part = image[y : min(top + size[0], height), x : min(left + size[1], width)]
    window[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]] = part
    return window


def _places(height, width, xp):
    x = xp.reshape(xp.arange(width, dtype="float32"), (1, 1, -1))
    y = xp.reshape(xp.arange(height, dtype="float32"), (1, -1, 1))
    return x, y


def _read(images, x, y, fill_mode, fill_value):
    """The pixels at whole places int32 (N, H', W'), which may lie outside."""
    number, height, width, channels = ops.shape(images)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if fill_mode == "reflect":
        x, y = _reflected(x, width), _reflected(y, height)
    x, y = ops.clip(x, 0, width - 1), ops.clip(y, 0, height - 1)
    starts = ops.reshape(ops.arange(number), (-1, 1, 1)) * (height * width)
    pixels = ops.take(ops.reshape(images, (-1, channels)), starts + y * width + x, axis=0)
    return ops.where(inside[..., None], pixels, fill_value) if fill_mode == "constant" else pixels


def _reflected(place, size):
    """c b a | a b c | c b a, as far out as one likes."""
    place = ops.mod(place, 2 * size)
    return ops.minimum(place, 2 * size - 1 - place)
