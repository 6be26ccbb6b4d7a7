"""A window of each image at a drawn place, a little outside or inside."""

import keras
from keras import ops

from kerascnn._errors import InputError, whole
from kerascnn.augment._checks import size_of
from kerascnn.augment._warp import shifted, shifted_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["PadAndCrop"]


@keras.saving.register_keras_serializable(package="kerascnn")
class PadAndCrop(ImageAugmentation):
    """Pad an image with black on all sides, and crop it at a drawn place: pixels stay as they are.

    `PadAndCrop()` is what most CIFAR networks use; `PadAndCrop(padding=0, size=224)` is AlexNet's
    crop of images of 256 pixels. Without training the window is the central one.

    Source: Lee et al. 2014, arXiv:1409.5185, as in He et al. 2015 (ResNet), arXiv:1512.03385,
    Sec. 4.2; Krizhevsky et al. 2012 (AlexNet), Sec. 4.1. Differs from the papers: no.

    Args:
        padding: int >= 0, pixels on each side.
        size: int or (height, width) of what comes out; None: the image's own.
        value_range, seed, call arguments: see `ImageAugmentation`.

    Output shape:
        (N, *size, C).

    Raises:
        InputError: an argument is outside its range, or `size` is larger than the padded image.

    >>> import numpy as np
    >>> window = PadAndCrop(seed=0)(np.full((1, 32, 32, 3), 200, "uint8"))
    >>> window.shape == (1, 32, 32, 3)
    True
    """

    def __init__(self, padding=4, size=None, **kwargs):
        super().__init__(**kwargs)
        self.padding = whole(padding, "padding", 0)
        self.size = None if size is None else size_of("size", size)

    def draw(self, draws, height, width):
        self._check_fits(height, width)
        window = self.size or (height, width)
        top, left = (
            draws.integers(-self.padding, side - own + self.padding)
            for side, own in zip((height, width), window)
        )
        return {"top": top, "left": left}

    def _check_fits(self, *sides):
        for side, own in zip(sides, self.size or ()):
            if isinstance(side, int | float) and own > side + 2 * self.padding:
                raise InputError(
                    f"size={self.size} does not fit into images of {sides[0]:g} x {sides[1]:g} "
                    f"with padding={self.padding}. Make the images larger, or size smaller."
                )

    def transform(self, images, top, left):
        return shifted(images, left, top, self.size or ops.shape(images)[1:3])

    def kernel(self, image, top, left):
        return shifted_kernel(image, int(left), int(top), self.size or image.shape[:2])

    def at_rest(self, images):
        if self.size is None:
            return images
        count, *sides = ops.shape(images)[:3]
        self._check_fits(*sides)
        zero = ops.zeros((count,), "int32")
        top, left = (zero + (side - own) // 2 for side, own in zip(sides, self.size))
        black = float(self.value_range[0])
        window = shifted(ops.cast(images, "float32"), left, top, self.size, black)
        return ops.cast(window, images.dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-3], *(self.size or input_shape[-3:-1]), input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "padding": self.padding, "size": self.size}
