"""Gaussian noise on every pixel."""

import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import rising
from kerascnn.augment._draws import normal_field
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["AdditiveNoise"]


@keras.saving.register_keras_serializable(package="kerascnn")
class AdditiveNoise(ImageAugmentation):
    """Add normal noise, drawn for each pixel and channel.

    `keras.layers.GaussianNoise` has one deviation for all images and leaves their range.

    Args:
        std: (lowest, highest), in grey levels of 0-255: each image's deviation is uniform between.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: `std` is not two rising numbers >= 0.

    >>> noise = AdditiveNoise(std=(10, 10), seed=0)
    >>> grey = keras.ops.full((1, 100, 100, 1), 128.0)
    >>> round(float(keras.ops.std(noise(grey))))
    10
    """

    needs_size = True

    def __init__(self, std=(0, 15), **kwargs):
        super().__init__(**kwargs)
        self.std = rising("std", std)

    def draw(self, draws, height, width):
        return {"std": draws.uniform(*self.std), "key": draws.bits()}

    def transform(self, images, std, key):
        return images + ops.reshape(std, (-1, 1, 1, 1)) * normal_field(key, images.shape[1:], ops)

    def kernel(self, image, std, key):
        noisy = image + std * normal_field(key[None], image.shape, np)[0]
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    def get_config(self):
        return {**super().get_config(), "std": self.std}
