"""Brightness, contrast, saturation and hue, in one linear map of the colours."""

import keras
from keras import ops

from kerascnn.augment._checks import bounded
from kerascnn.augment._color import (
    GREY,
    hue_matrix,
    map_colors,
    map_colors_kernel,
    mean_grey,
    radians,
    saturation_matrix,
)
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["ColorJitter"]


@keras.saving.register_keras_serializable(package="kerascnn")
class ColorJitter(ImageAugmentation):
    """Change brightness, contrast, saturation and hue of each image, in this order.

    Brightness multiplies; contrast blends with the image's mean grey, saturation with each pixel's
    grey (0.299 R + 0.587 G + 0.114 B); hue turns the colours around the grey axis of YIQ. All are
    linear in the colour, so all together are one 3x3 matrix and an offset, and values are cut off
    to 0-255 once, at the end. Images of one channel keep saturation and hue.

    Source: the photometric distortions of Howard 2013, arXiv:1312.5402, Sec. 2.2 (brightness,
    contrast, colour, in random order; by factors from 0.5 to 1.5). Differs from the paper: the
    order is fixed, which lets them be one map; hue is added.

    Args:
        brightness, contrast, saturation: floats >= 0. The factor is uniform from max(0, 1 - value)
            to 1 + value.
        hue: float from 0 to 0.5, share of the colour circle: turned by up to this, both ways.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> jitter = ColorJitter(brightness=0.5, seed=0)
    >>> image = keras.ops.full((1, 1, 1, 3), 100.0)
    >>> bool(50 <= jitter(image)[0, 0, 0, 0] <= 150)
    True
    """

    def __init__(self, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.0, **kwargs):
        super().__init__(**kwargs)
        self.brightness = bounded("brightness", brightness)
        self.contrast = bounded("contrast", contrast)
        self.saturation = bounded("saturation", saturation)
        self.hue = bounded("hue", hue, 0, 0.5)

    def draw(self, draws, height, width):
        brightness, contrast, saturation = (
            draws.uniform(max(0, 1 - value), 1 + value)
            for value in (self.brightness, self.contrast, self.saturation)
        )
        turn = radians(draws.uniform(-self.hue, self.hue))
        colors = hue_matrix(turn, draws.xp) @ saturation_matrix(saturation, draws.xp)
        return {
            "growth": brightness * contrast,
            "fade": brightness * (1 - contrast),  # of the mean grey, which all else leaves alone
            "colors": colors,
        }

    def transform(self, images, growth, fade, colors):
        fade, growth = (ops.reshape(value, (-1, 1, 1, 1)) for value in (fade, growth))
        if images.shape[-1] == 1:
            return growth * images + fade * ops.mean(images, axis=(1, 2, 3), keepdims=True)
        mean = ops.mean(images, axis=(1, 2)) @ GREY[:, None]
        return growth * map_colors(images, colors, 0 * mean) + fade * mean[:, None, None]

    def kernel(self, image, growth, fade, colors):
        offset = float(fade) * mean_grey(image)
        if image.shape[-1] == 1:
            return map_colors_kernel(image, [[growth]], [offset])
        return map_colors_kernel(image, growth * colors, [offset] * 3)

    def get_config(self):
        names = ("brightness", "contrast", "saturation", "hue")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
