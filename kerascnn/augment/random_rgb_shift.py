"""A colour cast."""

import keras
import numpy as np

from kerascnn.augment._checks import bounded, in_color
from kerascnn.augment._color import apply_table
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["RandomRGBShift"]


@keras.saving.register_keras_serializable(package="kerascnn")
class RandomRGBShift(ImageAugmentation):
    """Add a number to red, another to green, another to blue of each image.

    `FancyPCA` does it along the directions in which photos vary.

    Args:
        shift: float from 0 to 255, in grey levels. Each channel moves by up to this, both ways.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`; C is 3.

    Raises:
        InputError: `shift` is outside its range, or images have not three channels.

    >>> red, green, blue = RandomRGBShift(20, seed=0)(keras.ops.full((1, 1, 3), 128.0))[0, 0]
    >>> all(108 <= float(value) <= 148 for value in (red, green, blue))
    True
    """

    def __init__(self, shift=20, **kwargs):
        super().__init__(**kwargs)
        self.shift = bounded("shift", shift, 0, 255)

    def draw(self, draws, height, width):
        return {"color": draws.uniform(-self.shift, self.shift, count=3)}

    def transform(self, images, color):
        return in_color(images) + color[:, None, None]

    def kernel(self, image, color):
        return apply_table(in_color(image), np.arange(256)[:, None] + color)

    def get_config(self):
        return {**super().get_config(), "shift": self.shift}
