"""Colours as a linear map of (red, green, blue, 1), and what an image is in grey."""

import math

import cv2
import numpy as np
from keras import ops

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow and OpenCV
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def mean_grey(image):
    """Mean of the grey image of one uint8 (H, W, C) image: a float."""
    means = cv2.mean(image)
    return means[0] if image.shape[-1] == 1 else float(GREY @ means[:3])


def map_colors(images, matrices, offsets):
    """Colours c -> A c + b: float32 (N, H, W, 3), (N, 3, 3), (N, 3)."""
    changed = ops.einsum("nhwc,ndc->nhwd", images, matrices)
    return changed + offsets[:, None, None]


def map_colors_kernel(image, matrix, offset):
    """The same for one uint8 image, by OpenCV."""
    return cv2.transform(image, np.column_stack([matrix, offset]))


def apply_table(image, levels):
    """Each value v of one uint8 image becomes levels[v]: float (256,), or (256, 3) by channel."""
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table.reshape(1, 256, -1))


def saturation_matrix(factor, xp):
    """float32 (N, 3, 3) that blends colours with their grey; `factor` is float32 (N,)."""
    factor = xp.reshape(factor, (-1, 1, 1))
    return factor * np.eye(3, dtype=np.float32) + (1 - factor) * np.tile(GREY, (3, 1))


def hue_matrix(turn, xp):
    """float32 (N, 3, 3) that turns colours around the grey axis of YIQ by radians (N,)."""
    cos, sin = (xp.reshape(f(turn), (-1, 1, 1)) for f in (xp.cos, xp.sin))
    still, even, odd = (_in_rgb(part) for part in _TURNS)
    return still + cos * even + sin * odd


_TURNS = (  # a turn in YIQ: one + cos * another + sin * a third
    np.diag([1.0, 0.0, 0.0]),
    np.diag([0.0, 1.0, 1.0]),
    np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
)


def _in_rgb(matrix):
    return (np.linalg.inv(_YIQ) @ matrix @ _YIQ).astype(np.float32)


def radians(share):
    """Of a share of the colour circle."""
    return 2 * math.pi * share
