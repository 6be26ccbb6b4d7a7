"""Each side cut or padded by a drawn amount, and the size restored."""

import keras

from kerascnn.augment._checks import bounded
from kerascnn.augment._warp import checked_fill, warp, warp_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["CropAndPad"]


@keras.saving.register_keras_serializable(package="kerascnn")
class CropAndPad(ImageAugmentation):
    """Cut or pad each of the four sides by a drawn amount, and resize to the old size.

    The idea is imgaug's `CropAndPad`. Differs from it: one bilinear warp, and by default what is
    padded mirrors the image.

    Args:
        share: float from 0 to 0.49, of the height or width: each side is moved by up to this, in
            or out, on its own.
        fill_mode: what lies outside: "reflect" (c b a | a b c), "nearest" or "constant".
        fill_value: float from 0 to 255, for "constant".
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> import numpy as np
    >>> layer = CropAndPad(share=0.2, seed=0)
    >>> layer(np.zeros((2, 8, 8, 3), "uint8")).shape == (2, 8, 8, 3)
    True
    """

    def __init__(self, share=0.1, fill_mode="reflect", fill_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.share = bounded("share", share, 0, 0.49)
        self.fill_mode, self.fill_value = checked_fill(fill_mode, fill_value)

    def draw(self, draws, height, width):
        xp = draws.xp
        (x, from_x), (y, from_y) = (self._line(draws, side) for side in (width, height))
        zero = xp.zeros_like(x)
        rows = (x, zero, from_x), (zero, y, from_y)
        return {"matrix": xp.stack([xp.stack(row, -1) for row in rows], 1)}

    def _line(self, draws, side):
        """Pixels per pixel, and where the first is read, along one axis."""
        before, after = (draws.uniform(-self.share, self.share) for _ in range(2))
        scale = 1 + before + after
        return scale, scale / 2 - 0.5 - before * side

    def transform(self, images, matrix):
        return warp(images, matrix, self.fill_mode, self.fill_value)

    def kernel(self, image, matrix):
        return warp_kernel(image, matrix, self.fill_mode, self.fill_value)

    def get_config(self):
        names = ("share", "fill_mode", "fill_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
