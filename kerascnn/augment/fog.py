"""Fog in front of what is seen."""

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import rising
from kerascnn.augment._fields import noise, veiled, veiled_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["Fog"]

_CELLS, _OCTAVES = 2, 4
_UNEVEN = 0.12  # deviation of the density within an image, as a share of it


@keras.saving.register_keras_serializable(package="kerascnn")
class Fog(ImageAugmentation):
    """Blend each image with a light grey, nearly evenly.

    Each pixel moves towards the fog's grey level by the density, which varies slowly over the image
    (fractal noise). `Clouds` are patchy.

    Source: the idea is imgaug's. Differs: one layer, whose mean density is drawn.

    Args:
        density: (lowest, highest), from 0 to 1: the fog's mean share in each image, uniform
            between.
        level: (lowest, highest), from 0 to 255: its grey level, uniform between.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> black = keras.ops.zeros((1, 32, 32, 3))
    >>> foggy = Fog(density=(0.5, 0.5), level=(200, 200), seed=0)(black)
    >>> round(float(keras.ops.mean(foggy)))
    100
    """

    needs_size = True

    def __init__(self, density=(0.3, 0.7), level=(190, 240), **kwargs):
        super().__init__(**kwargs)
        self.density = rising("density", density, 0, 1)
        self.level = rising("level", level, 0, 255)

    def draw(self, draws, height, width):
        return {
            "density": draws.uniform(*self.density),
            "level": draws.uniform(*self.level),
            "key": draws.bits(),
        }

    def transform(self, images, density, level, key):
        return veiled(images, _share(density, key, images.shape[1:3], ops), level)

    def kernel(self, image, density, level, key):
        share = _share(density[None], key[None], image.shape[:2], np)
        return veiled_kernel(image, share[0], level)

    def get_config(self):
        return {**super().get_config(), "density": self.density, "level": self.level}


def _share(density, keys, shape, xp):
    field = 1 + _UNEVEN * noise(keys, shape, _CELLS, _OCTAVES, xp)
    return xp.clip(xp.reshape(density, (-1, 1, 1)) * field, 0, 1)
