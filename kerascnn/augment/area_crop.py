"""A part of each image of drawn area and shape, resized."""

import keras
from keras import ops

from kerascnn.augment._checks import rising, size_of
from kerascnn.augment._resample import ResizedCrop

__all__ = ["AreaCrop"]


@keras.saving.register_keras_serializable(package="kerascnn")
class AreaCrop(ResizedCrop):
    """Cut out a part of drawn area and aspect ratio, and resize it: the crop of ImageNet training.

    With antialiasing, as Pillow's `BILINEAR`. Without training the largest part in the centre that
    has the shape of `size` is resized; for several crops see `kerascnn.augment.test_time`.

    Source: Szegedy et al. 2014 (GoogLeNet), arXiv:1409.4842, Sec. 6: area from 8 % to 100 %, aspect
    ratio from 3/4 to 4/3. Differs from torchvision's `RandomResizedCrop`: no ten attempts and a
    way out. The area is drawn first, up to the largest for which there is a ratio that fits, then
    the ratio's logarithm, among those that fit.

    Args:
        size: int or (height, width) of what comes out.
        area: (smallest, largest) share of the image, in (0, 1].
        aspect: (narrowest, widest) width over height.
        value_range, seed, call arguments: see `ImageAugmentation`.

    Output shape:
        (N, *size, C).

    Raises:
        InputError: an argument is outside its range.

    >>> import numpy as np
    >>> crop = AreaCrop(32, seed=0)
    >>> crop(np.zeros((2, 60, 80, 3), "uint8")).shape == (2, 32, 32, 3)
    True
    """

    def __init__(self, size, area=(0.08, 1), aspect=(3 / 4, 4 / 3), **kwargs):
        super().__init__(**kwargs)
        self.size = size_of("size", size)
        self.area = rising("area", area, 1e-3, 1)
        self.aspect = rising("aspect", aspect, 1e-2, 1e2)

    def draw(self, draws, height, width):
        xp = draws.xp
        shape = width / height
        (least, most), (narrow, wide) = self.area, self.aspect
        most = xp.minimum(xp.minimum(wide / shape, shape / narrow), most)  # else no ratio fits
        least = xp.minimum(most, least)
        share = least + (most - least) * draws.uniform()
        # Not wider than the image: share * aspect <= shape. Not higher: share * shape <= aspect.
        low = xp.log(xp.maximum(share * shape, narrow))
        high = xp.log(xp.minimum(shape / share, wide))
        aspect = xp.exp(low + (high - low) * draws.uniform())
        tall = xp.minimum(xp.sqrt(share * height * width / aspect), height)
        broad = xp.minimum(xp.sqrt(share * height * width * aspect), width)
        top, left = (height - tall) * draws.uniform(), (width - broad) * draws.uniform()
        return {"box": xp.stack([top, left, tall, broad], axis=-1)}

    def scale_at_rest(self, height, width):
        return ops.minimum(height / self.size[0], width / self.size[1])

    def get_config(self):
        names = ("size", "area", "aspect")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
