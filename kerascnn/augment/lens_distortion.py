"""Straight lines bent as by a lens."""

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import bounded
from kerascnn.augment._warp import checked_fill, sample, sample_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["LensDistortion"]


@keras.saving.register_keras_serializable(package="kerascnn")
class LensDistortion(ImageAugmentation):
    """Bend an image as a wide lens (barrel) or a long one (pincushion) does, around its centre.

    A pixel at distance r is read at r (1 + k r^2), with r = 1 at the corners: the first radial term
    of Brown 1966, "Decentering distortion of lenses". k > 0 makes barrels, k < 0 pincushions.

    Args:
        strength: float from 0 to 0.33. k is uniform from -strength to strength; at 1/3 corners
            would begin to fold.
        fill_mode: what lies outside: "reflect" (c b a | a b c), "nearest" or "constant".
        fill_value: float from 0 to 255, for "constant".
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> layer = LensDistortion(seed=0)
    >>> layer(np.zeros((2, 8, 8, 3), "uint8")).shape == (2, 8, 8, 3)
    True
    """

    def __init__(self, strength=0.3, fill_mode="reflect", fill_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.strength = bounded("strength", strength, 0, 0.33)
        self.fill_mode, self.fill_value = checked_fill(fill_mode, fill_value)

    def draw(self, draws, height, width):
        return {"k": draws.uniform(-self.strength, self.strength)}

    def transform(self, images, k):
        height, width = ops.shape(images)[1:3]
        places = _bent(ops.reshape(k, (-1, 1, 1)), height, width, ops)
        return sample(images, *places, self.fill_mode, self.fill_value)

    def kernel(self, image, k):
        places = _bent(k, *image.shape[:2], np)
        return sample_kernel(image, *places, self.fill_mode, self.fill_value)

    def get_config(self):
        names = ("strength", "fill_mode", "fill_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _bent(k, height, width, xp):
    """Where each pixel is read: x and y, float32 (..., H, W)."""
    x, y = xp.arange(width, dtype="float32"), xp.arange(height, dtype="float32")
    middle_x, middle_y = x[-1] / 2, y[-1] / 2
    corner = (middle_x + 0.5) ** 2 + (middle_y + 0.5) ** 2
    x, y = x[None] - middle_x, y[:, None] - middle_y
    growth = 1 + k * (x * x + y * y) / corner
    return x * growth + middle_x, y * growth + middle_y
