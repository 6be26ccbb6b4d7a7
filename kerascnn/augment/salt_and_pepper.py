"""Single pixels that are white or black."""

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import bounded, rising
from kerascnn.augment._draws import uniform_field
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["SaltAndPepper"]


@keras.saving.register_keras_serializable(package="kerascnn")
class SaltAndPepper(ImageAugmentation):
    """Turn a share of the pixels white ("salt") or black ("pepper"), in all channels.

    For whole blocks see `CoarseSaltAndPepper`.

    Args:
        rate: (lowest, highest), from 0 to 1: each image's share of replaced pixels is uniform
            between.
        salt: float from 0 to 1, share of white ones among them; 1 is salt only.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> grey = keras.ops.full((1, 100, 100, 3), 128.0)
    >>> white = SaltAndPepper(rate=(0.5, 0.5), salt=1, seed=0)(grey) == 255
    >>> round(float(keras.ops.mean(keras.ops.cast(white, "float32"))), 1)
    0.5
    """

    needs_size = True

    def __init__(self, rate=(0, 0.05), salt=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate = rising("rate", rate, 0, 1)
        self.salt = bounded("salt", salt, 0, 1)

    def draw(self, draws, height, width):
        return {"rate": draws.uniform(*self.rate), "key": draws.bits()}

    def field(self, keys, shape, xp):
        """Numbers in [0, 1) for each pixel, float32 (N, H, W): the lowest become salt."""
        return uniform_field(keys, shape, xp)

    def transform(self, images, rate, key, **grid):
        number = self.field(key, images.shape[1:3], ops, **grid)[..., None]
        rate = ops.reshape(rate, (-1, 1, 1, 1))
        seasoned = ops.where(number < self.salt * rate, 255.0, 0.0)
        return ops.where(number < rate, seasoned, images)

    def kernel(self, image, rate, key, **grid):
        grid = {name: np.asarray(value)[None] for name, value in grid.items()}
        number = self.field(key[None], image.shape[:2], np, **grid)[0]
        image = image.copy()
        image[number < rate] = 0
        image[number < np.float32(self.salt) * rate] = 255
        return image

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "salt": self.salt}
