"""Clouds in front of what is seen, as from above."""

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import rising
from kerascnn.augment._fields import noise, veiled, veiled_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["Clouds"]

_CELLS, _OCTAVES = 3, 5
_EDGE = 1.4  # of a cloud, in deviations of the noise: from clear sky to its middle
_LOGISTIC = 1.702  # the normal distribution's quantiles are nearly the logistic one's over this


@keras.saving.register_keras_serializable(package="kerascnn")
class Clouds(ImageAugmentation):
    """Lay white clouds with soft edges over each image, and leave gaps between them.

    Where fractal noise exceeds a threshold, pixels move towards the clouds' grey level. `Fog` is
    even.

    Source: the idea is imgaug's. Differs: one layer, whose cover is drawn.

    Args:
        cover: (lowest, highest), from 0.01 to 0.99: the clouds' share of the area, about, uniform
            between.
        density: (lowest, highest), from 0 to 1: how much the middle of a cloud hides, uniform
            between.
        level: (lowest, highest), from 0 to 255: its grey level, uniform between.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> black = keras.ops.zeros((1, 64, 64, 1))
    >>> cloudy = Clouds(cover=(0.5, 0.5), density=(1, 1), level=(250, 250), seed=0)(black)
    >>> 0.4 < float(keras.ops.mean(cloudy)) / 250 < 0.6
    True
    """

    needs_size = True

    def __init__(self, cover=(0.2, 0.6), density=(0.6, 1), level=(220, 255), **kwargs):
        super().__init__(**kwargs)
        self.cover = rising("cover", cover, 0.01, 0.99)
        self.density = rising("density", density, 0, 1)
        self.level = rising("level", level, 0, 255)

    def draw(self, draws, height, width):
        cover = draws.uniform(*self.cover)
        return {
            "threshold": draws.xp.log((1 - cover) / cover) / _LOGISTIC,
            "density": draws.uniform(*self.density),
            "level": draws.uniform(*self.level),
            "key": draws.bits(),
        }

    def transform(self, images, threshold, density, level, key):
        share = _share(threshold, density, key, images.shape[1:3], ops)
        return veiled(images, share, level)

    def kernel(self, image, threshold, density, level, key):
        share = _share(threshold[None], density[None], key[None], image.shape[:2], np)
        return veiled_kernel(image, share[0], level)

    def get_config(self):
        names = ("cover", "density", "level")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _share(threshold, density, keys, shape, xp):
    threshold, density = (xp.reshape(value, (-1, 1, 1)) for value in (threshold, density))
    above = (noise(keys, shape, _CELLS, _OCTAVES, xp) - threshold) / _EDGE
    inside = xp.clip((above + 1) / 2, 0, 1)  # half at the threshold
    return density * inside**2 * (3 - 2 * inside)
