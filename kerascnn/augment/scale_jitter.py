"""Each image at a drawn scale, and a part of it of a fixed size."""

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn.augment._checks import rising, size_of
from kerascnn.augment._resample import ResizedCrop

__all__ = ["ScaleJitter"]


@keras.saving.register_keras_serializable(package="kerascnn")
class ScaleJitter(ResizedCrop):
    """Scale an image so that its shorter side has a drawn length; crop at a drawn place.

    The shape of what is in the image stays. Both happen at once, with antialiasing, as Pillow's
    `BILINEAR`; smaller images are enlarged. Without training the shorter side gets the smallest
    length, and the crop is the central one: 224 of 256 by default.

    Source: Simonyan and Zisserman 2014 (VGG), arXiv:1409.1556, Sec. 3.1: (256, 512); He et al.
    2015 (ResNet), arXiv:1512.03385, Sec. 3.4: (256, 480). Differs from the papers: the length is a
    real number.

    Args:
        size: int or (height, width) of what comes out, in pixels.
        shorter: (smallest, largest) length of the shorter side, in pixels, at least `size`.
        value_range, seed, call arguments: see `ImageAugmentation`.

    Output shape:
        (N, *size, C).

    Raises:
        InputError: an argument is outside its range, or `size` is larger than the smallest length.

    >>> import numpy as np
    >>> jitter = ScaleJitter(32, shorter=(36, 72), seed=0)
    >>> jitter(np.zeros((2, 60, 80, 3), "uint8")).shape == (2, 32, 32, 3)
    True
    """

    def __init__(self, size=224, shorter=(256, 512), **kwargs):
        super().__init__(**kwargs)
        self.size = size_of("size", size)
        self.shorter = rising("shorter", shorter, 1)
        if max(self.size) > self.shorter[0]:
            raise InputError(
                f"size must fit into the smallest image: at most {self.shorter[0]:g}, the first of "
                f"shorter. Received: size={size}."
            )

    def draw(self, draws, height, width):
        xp = draws.xp
        scale = xp.minimum(height, width) / draws.uniform(*self.shorter)
        tall, broad = (  # rounding may make them larger than the image
            xp.minimum(scale * side, whole) for side, whole in zip(self.size, (height, width))
        )
        top, left = (height - tall) * draws.uniform(), (width - broad) * draws.uniform()
        return {"box": xp.stack([top, left, tall, broad], axis=-1)}

    def scale_at_rest(self, height, width):
        return ops.minimum(height, width) / self.shorter[0]

    def get_config(self):
        names = ("size", "shorter")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
