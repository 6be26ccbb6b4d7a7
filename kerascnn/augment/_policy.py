"""The operations of AutoAugment, RandAugment and TrivialAugment, for one image or a batch.

Each does what Pillow's does, within one grey level (Pillow cuts off where we round). Geometric ones
read the image bilinearly, as the papers' later code does, and fill with grey (128).
"""

import cv2
import numpy as np
from keras import ops

from kerascnn.augment._color import map_colors, map_colors_kernel, saturation_matrix
from kerascnn.augment._levels import TABLES, map_levels, map_levels_kernel
from kerascnn.augment._warp import warp, warp_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

_OUTSIDE = {"fill_mode": "constant", "fill_value": 128}
_SIDE = 150 / 331  # of the image: 150 pixels of the 331 that AutoAugment's networks saw

# The values at the weakest and the strongest magnitude. Narrow: Cubuk et al. 2018, Table 6, where
# the factors are given as 0.1 to 1.9; we count their distance from 1, which is no change. Wide:
# Müller and Hutter 2021, "TA (Wide)". Both ways: the sign is drawn.
_RANGES = {  # operation: narrow, wide, both ways
    "Identity": ((0, 0), (0, 0), False),
    "Invert": ((0, 0), (0, 0), False),
    "Solarize": ((256, 0), (256, 0), False),  # grey level
    "Posterize": ((8, 4), (8, 2), False),  # bits
    "Brightness": ((0, 0.9), (0, 0.99), True),
    "Contrast": ((0, 0.9), (0, 0.99), True),
    "AutoContrast": ((0, 0), (0, 0), False),
    "Equalize": ((0, 0), (0, 0), False),
    "Color": ((0, 0.9), (0, 0.99), True),
    "Sharpness": ((0, 0.9), (0, 0.99), True),
    "ShearX": ((0, 0.3), (0, 0.99), True),  # pixels per pixel
    "ShearY": ((0, 0.3), (0, 0.99), True),
    "TranslateX": ((0, _SIDE), (0, 32), True),  # narrow: share of the width; wide: pixels
    "TranslateY": ((0, _SIDE), (0, 32), True),
    "Rotate": ((0, 30), (0, 135), True),  # degrees
}
NAMES = tuple(_RANGES)
NUMBERS = {name: number for number, name in enumerate(NAMES)}  # first those of TABLES, in order
FOURTEEN = np.array([number for name, number in NUMBERS.items() if name != "Invert"], np.int32)
_FACTORS = ("Brightness", "Contrast", "Color", "Sharpness")
_COLOR, _SHARPNESS = NUMBERS["Color"], NUMBERS["Sharpness"]


class Policy(ImageAugmentation):
    """Base of the three: `draw` gives operations and their values, int32 and float32 (N, steps)."""

    def transform(self, images, operation, value):
        images = ops.clip(ops.round(images), 0, 255)  # the values are places in tables
        for step in range(operation.shape[1]):
            images = apply_operation(images, operation[:, step], value[:, step])
        return images

    def kernel(self, image, operation, value):
        for number, amount in zip(operation, value):
            changed = apply_operation_kernel(image, NAMES[number], float(amount))
            image = changed.reshape(image.shape)  # OpenCV drops a single channel
        return image


def values_of(operation, share, positive, sides, xp, wide=False):
    """What the operations take, float32 (N, steps), at a share of their range from 0 to 1.

    Args:
        operation: int32 (N, steps). share: float32, the same shape.
        positive: bool, the same shape. The sign of those that go both ways.
        sides: (width, height) of the images.
        wide: bool. Which of the two ranges.
    """
    rows = list(_RANGES.values())
    ends = np.array([row[1 if wide else 0] for row in rows], np.float32)
    both_ways = np.array([row[2] for row in rows])
    value = _at(ends[:, 0], operation, xp) + share * _at(ends[:, 1] - ends[:, 0], operation, xp)
    value = xp.where(_at(both_ways, operation, xp) & ~positive, -value, value)
    if not wide:
        for name, side in zip(("TranslateX", "TranslateY"), sides):
            value = xp.where(operation == NUMBERS[name], value * side, value)
    for name in _FACTORS:
        value = xp.where(operation == NUMBERS[name], 1 + value, value)
    return value


def apply_operation(images, number, value):
    """One operation on each image; all are evaluated, as graphs want it.

    Args:
        images: float32 (N, H, W, C) of whole numbers from 0 to 255.
        number: int32 (N,), places in NAMES. value: float32 (N,).
    """
    size = [ops.convert_to_tensor(side, "float32") for side in ops.shape(images)[1:3]]
    matrices = _geometry(number, value, size, ops)
    number = ops.reshape(number, (-1, 1, 1, 1))
    changed = ops.where(
        number < NUMBERS["ShearX"],
        map_levels(images, number, value),
        warp(images, matrices, **_OUTSIDE),
    )
    changed = ops.where(number == _SHARPNESS, _sharpened(images, value), changed)
    if images.shape[-1] == 3:
        colors = map_colors(images, saturation_matrix(value, ops), 0 * value[:, None])
        changed = ops.where(number == _COLOR, colors, changed)
    return ops.clip(ops.round(changed), 0, 255)


def apply_operation_kernel(image, name, value):
    """The operation `name` on one uint8 image."""
    if name in TABLES:
        return map_levels_kernel(image, name, value)
    if name == "Sharpness":
        return _sharpened_kernel(image, value)
    if name != "Color":
        one = np.array([NUMBERS[name]]), np.array([value], np.float32)
        return warp_kernel(image, _geometry(*one, image.shape[:2], np)[0], **_OUTSIDE)
    if image.shape[-1] == 1:
        return image
    matrix = saturation_matrix(np.array([value], np.float32), np)[0]
    return map_colors_kernel(image, matrix, np.zeros(3))


def _geometry(number, value, size, xp):
    """Where each pixel is read, float32 (N, 2, 3); others than geometric ones read it in place.

    Shears keep the upper left corner, turns the centre, as in `PIL.Image.transform` and `rotate`,
    whose coordinates have pixels' centres at halves.
    """

    def amount(name):
        return xp.where(number == NUMBERS[name], value, 0.0)

    turn = amount("Rotate") * (np.pi / 180)
    cos, sin = xp.cos(turn), xp.sin(turn)
    half_y, half_x = (0.5 * side for side in size)
    shear_x, shear_y = amount("ShearX"), amount("ShearY")
    x = amount("TranslateX") + (1 - cos) * (half_x - 0.5) + sin * (half_y - 0.5) + shear_x / 2
    y = amount("TranslateY") + (1 - cos) * (half_y - 0.5) - sin * (half_x - 0.5) + shear_y / 2
    rows = (cos, shear_x - sin, x), (sin + shear_y, cos, y)
    return xp.stack([xp.stack(row, -1) for row in rows], 1)


def _sharpened(images, factor):
    """Blended with the smoothed image, whose outermost pixels stay."""
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    sums = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    inner = images[:, 1:-1, 1:-1]
    smooth = ops.round((sums + 4 * inner) / 13)
    factor = ops.reshape(factor, (-1, 1, 1, 1))
    return images + (1 - factor) * ops.pad(smooth - inner, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _sharpened_kernel(image, factor):
    weights = np.ones((3, 3), np.float32) / 13
    weights[1, 1] = 5 / 13
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, weights).reshape(image.shape)[1:-1, 1:-1]
    return cv2.addWeighted(image, factor, smooth, 1 - factor, 0).reshape(image.shape)


def _at(table, places, xp):
    return table[places] if xp is np else ops.take(table, places)
