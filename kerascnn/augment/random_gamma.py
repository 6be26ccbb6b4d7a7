"""Brightness of the middle tones, by a power."""

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import rising
from kerascnn.augment._color import apply_table
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["RandomGamma"]


@keras.saving.register_keras_serializable(package="kerascnn")
class RandomGamma(ImageAugmentation):
    """Raise each image's values to a power: v -> 255 (v / 255)^gamma.

    Black and white stay, what is between becomes darker (gamma above 1) or brighter (below), as
    with another exposure. Differs from brightness of `ColorJitter`: nothing is cut off.

    Args:
        gamma: (lowest, highest), from 0.01 to 100. Drawn log-uniformly, so that 1 / 2 is as likely
            as 2.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: `gamma` is not two rising numbers from 0.01 to 100.

    >>> darker = RandomGamma(gamma=(2, 2))(keras.ops.full((1, 1, 1), 51.0))
    >>> round(float(darker[0, 0, 0]), 3)
    10.2
    """

    def __init__(self, gamma=(0.67, 1.5), **kwargs):
        super().__init__(**kwargs)
        self.gamma = rising("gamma", gamma, 0.01, 100)

    def draw(self, draws, height, width):
        return {"gamma": draws.log_uniform(*self.gamma)}

    def transform(self, images, gamma):
        share = ops.maximum(images, 0) / 255  # a power of what is below 0 is none
        return 255 * share ** ops.reshape(gamma, (-1, 1, 1, 1))

    def kernel(self, image, gamma):
        return apply_table(image, 255 * (np.arange(256) / 255) ** gamma)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}
