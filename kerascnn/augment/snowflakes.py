"""Falling snow."""

import math

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import bounded, rising
from kerascnn.augment._draws import uniform_field
from kerascnn.augment._fields import enlarged, grid_of, veiled, veiled_kernel
from kerascnn.augment._warp import shift_matrices, warp, warp_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["Snowflakes"]

_LAYERS = ((0.03, 0.1), (0.018, 0.3), (0.01, 0.6))  # (size, share of the flakes), nearest first
_STEPS = (1 / 7, 2 / 7, 4 / 7)  # of a streak: each doubles the number of copies
_PEAK = 4 / 9  # of a single number of a grid that is enlarged


@keras.saving.register_keras_serializable(package="kerascnn")
class Snowflakes(ImageAugmentation):
    """Lay falling snow over each image: soft white flakes, few near and many far ones.

    Three layers of flakes, of 3, 1.8 and 1 % of the image's shorter side, which are drawn out in
    one direction, as while the shutter was open.

    Source: the idea is imgaug's. Differs: flakes are dots on three grids, not thresholded noise.
    For snow that lies on the ground see `FastSnow`.

    Args:
        flakes: (lowest, highest), >= 0: the number of flakes, about, uniform between.
        angle: float from 0 to 90, in degrees. They fall up to this away from downwards, both ways.
        streak: (lowest, highest), from 0 to 3: how far they fall, in flakes; uniform between.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> grey = keras.ops.full((1, 100, 100, 3), 100.0)
    >>> snow = Snowflakes(seed=0)(grey)
    >>> bool(keras.ops.min(snow) == 100), bool(keras.ops.max(snow) > 200)
    (True, True)
    """

    needs_size = True

    def __init__(self, flakes=(100, 600), angle=40, streak=(0, 2), **kwargs):
        super().__init__(**kwargs)
        self.flakes = rising("flakes", flakes)
        self.angle = bounded("angle", angle, 0, 90)
        self.streak = rising("streak", streak, 0, 3)

    def draw(self, draws, height, width):
        xp = draws.xp
        angle = draws.uniform(-self.angle, self.angle) * (math.pi / 180)
        fall = xp.stack([xp.sin(angle), xp.cos(angle)], -1) * draws.uniform(*self.streak)[:, None]
        return {
            "flakes": draws.uniform(*self.flakes),
            "fall": fall * xp.minimum(height, width),  # of a flake as large as the image
            "keys": draws.bits(len(_LAYERS)),
        }

    def transform(self, images, flakes, fall, keys):
        shape = images.shape[1:3]
        layers = [
            _flakes(flakes * part, keys[:, number], size, shape, ops)
            for number, (size, part) in enumerate(_LAYERS)
        ]
        layers = ops.concatenate(layers, axis=0)[..., None]  # as images of their own: one warp
        ways = ops.concatenate([size * fall for size, _ in _LAYERS], axis=0)
        for step in _STEPS:
            moved = warp(layers, shift_matrices(step * ways, ops), "constant", 0.0)
            layers = ops.maximum(layers, moved)
        share = ops.max(ops.reshape(layers, (len(_LAYERS), -1, *shape)), axis=0)
        return veiled(images, share, 255.0 + 0 * flakes)

    def kernel(self, image, flakes, fall, keys):
        share = np.float32(0)
        for number, (size, part) in enumerate(_LAYERS):
            key, count = keys[None, number], flakes[None] * np.float32(part)
            layer = _flakes(count, key, size, image.shape[:2], np)[0]
            for step in _STEPS:
                shift = shift_matrices(size * step * fall[None], np)[0]
                layer = np.maximum(layer, warp_kernel(layer, shift, "constant", 0.0))
            share = np.maximum(share, layer)
        return veiled_kernel(image, share, 255)

    def get_config(self):
        names = ("flakes", "angle", "streak")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _flakes(count, keys, size, shape, xp):
    """Round soft dots, `size` of the shorter side wide: float32 (N, *shape), from 0 to 1."""
    grid = grid_of(shape, max(1, size * min(shape) / 2))
    chance = xp.reshape(count / (grid[0] * grid[1]), (-1, 1, 1))
    numbers = uniform_field(keys, (grid[0] + 3, grid[1] + 3), xp)
    bright = xp.where(numbers < chance, 0.5 + numbers / (2 * chance + 1e-9), 0.0)
    return xp.minimum(enlarged(bright, shape, xp) / _PEAK, 1.0)
