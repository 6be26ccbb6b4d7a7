"""Blocks of pixels that are white or black."""

import math

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import rising
from kerascnn.augment._draws import uniform_field
from kerascnn.augment.salt_and_pepper import SaltAndPepper

__all__ = ["CoarseSaltAndPepper"]


@keras.saving.register_keras_serializable(package="kerascnn")
class CoarseSaltAndPepper(SaltAndPepper):
    """Turn a share of the image white ("coarse salt") or black ("coarse pepper"), in square blocks.

    `SaltAndPepper` of a small image, enlarged to the image's size without interpolation.

    Source: the idea is imgaug's. Differs: blocks are square, and white and black are 255 and 0.

    Args:
        rate: (lowest, highest), from 0 to 1: each image's share of replaced pixels is uniform
            between, on average.
        size: (lowest, highest), from 0.01 to 1: a block's side as a share of the image's shorter
            one; one size for all blocks of an image.
        salt: float from 0 to 1, share of white blocks among those replaced; 1 is coarse salt only,
            0 coarse pepper only.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> blocks = CoarseSaltAndPepper(rate=(0.5, 0.5), size=(0.5, 0.5), salt=0, seed=0)
    >>> image = blocks(keras.ops.full((4, 4, 1), 200.0))
    >>> bool((image[0, 0] == image[1, 1]).numpy().all())
    True
    """

    def __init__(self, rate=(0, 0.1), size=(0.02, 0.1), salt=0.5, **kwargs):
        super().__init__(rate, salt, **kwargs)
        self.size = rising("size", size, 0.01, 1)

    def draw(self, draws, height, width):
        side = draws.uniform(*self.size) * draws.xp.minimum(height, width)
        return {**super().draw(draws, height, width), "side": draws.xp.maximum(side, 1.0)}

    def field(self, keys, shape, xp, side):
        smallest = max(1, self.size[0] * min(shape))
        grid = [math.ceil(length / smallest) for length in shape]
        rows, columns = (_blocks(length, side, xp) for length in shape)
        numbers = xp.reshape(uniform_field(keys, grid, xp), (-1,))
        starts = xp.reshape(xp.arange(xp.shape(side)[0]), (-1, 1, 1)) * math.prod(grid)
        return xp.take(numbers, starts + rows[:, :, None] * grid[1] + columns[:, None], axis=0)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def _blocks(length, side, xp):
    """The block of each pixel along one axis: int32 (N, length)."""
    centres = np.arange(length, dtype=np.float32)[None] + 0.5
    block = xp.floor(centres / xp.reshape(side, (-1, 1)))
    return block.astype("int32") if xp is np else ops.cast(block, "int32")
