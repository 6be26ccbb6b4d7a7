"""Mirroring, rotation, shift, zoom, stretch and shear, in one warp."""

import math

import keras

from kerascnn._errors import one_of
from kerascnn.augment._checks import bounded
from kerascnn.augment._warp import checked_fill, warp, warp_kernel
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["RandomAffine"]

_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


@keras.saving.register_keras_serializable(package="kerascnn")
class RandomAffine(ImageAugmentation):
    """Mirror, rotate, shift, zoom, stretch and shear each image, read once.

    One warp in place of a layer for each: the image is blurred by one interpolation, not by five,
    and is made in a fraction of the time. Everything happens around the centre, bilinearly. Let a
    mirror image or a turn be only where the class survives it: a rotated 6 is a 9
    (`kerascnn.augment.label_safety` measures it).

    Args:
        flip: None, "horizontal", "vertical" or "horizontal_and_vertical", as in
            `keras.layers.RandomFlip`: each axis is mirrored with probability 1/2.
        rotation: float from 0 to 180, in degrees. Turned by up to this, both ways.
        shift: float >= 0, share of the width and of the height: moved by up to this, all four ways.
        zoom: float from 0 to 0.999. The content grows by a factor from 1 - zoom to 1 + zoom.
        stretch: float >= 0. Its width over its height changes by a factor from 1 / (1 + stretch)
            to 1 + stretch; the area stays.
        shear: float from 0 to 89, in degrees. Columns lean by up to this, both ways.
        fill_mode: what lies outside: "reflect" (c b a | a b c), "nearest" or "constant".
        fill_value: float from 0 to 255, for "constant".
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> import numpy as np
    >>> mirrored = RandomAffine(flip="horizontal", seed=0)
    >>> images = np.arange(3, dtype="float32").reshape(1, 1, 3, 1)
    >>> sorted({tuple(keras.ops.ravel(mirrored(images)).numpy().tolist()) for _ in range(20)})
    [(0.0, 1.0, 2.0), (2.0, 1.0, 0.0)]
    """

    def __init__(
        self,
        flip=None,
        rotation=0.0,
        shift=0.0,
        zoom=0.0,
        stretch=0.0,
        shear=0.0,
        fill_mode="reflect",
        fill_value=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.flip = one_of(flip, (None, *_FLIPS), "flip")
        self.rotation = bounded("rotation", rotation, 0, 180)
        self.shift = bounded("shift", shift)
        self.zoom = bounded("zoom", zoom, 0, 0.999)
        self.stretch = bounded("stretch", stretch)
        self.shear = bounded("shear", shear, 0, 89)
        self.fill_mode, self.fill_value = checked_fill(fill_mode, fill_value)

    def draw(self, draws, height, width):
        sides = []
        for axis in ("horizontal", "vertical"):
            mirrored = draws.chance(0.5 if axis in (self.flip or "") else 0.0)
            sides.append(draws.xp.where(mirrored, -1.0, 1.0))
        shift = [draws.uniform(-self.shift, self.shift) * side for side in (width, height)]
        zoom = draws.uniform(1 - self.zoom, 1 + self.zoom)
        stretch = draws.log_uniform(1 / (1 + self.stretch), 1 + self.stretch) ** 0.5
        lean = draws.xp.tan(draws.uniform(-self.shear, self.shear) * (math.pi / 180))
        turn = draws.uniform(-self.rotation, self.rotation) * (math.pi / 180)
        growth = sides[0] * zoom * stretch, sides[1] * zoom / stretch
        centre = (width - 1) / 2, (height - 1) / 2
        return {"matrix": inverse_affine(draws.xp, centre, growth, lean, turn, shift)}

    def transform(self, images, matrix):
        return warp(images, matrix, self.fill_mode, self.fill_value)

    def kernel(self, image, matrix):
        return warp_kernel(image, matrix, self.fill_mode, self.fill_value)

    def get_config(self):
        names = ("flip", "rotation", "shift", "zoom", "stretch", "shear", "fill_mode", "fill_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def inverse_affine(xp, centre, growth, lean, turn, shift):
    """Where a pixel is read that grew, leaned, turned and was shifted, in this order.

    q = centre + shift + R L G (p - centre), so p = centre + G^-1 L^-1 R^-1 (q - centre - shift).

    Args:
        xp: `numpy` or `keras.ops`. centre: two floats (x, y), in pixels.
        growth: two float32 (N,), of x and y. lean: float32 (N,), x per y.
        turn: float32 (N,), in radians. shift: two float32 (N,), in pixels.

    Returns:
        float32 (N, 2, 3).
    """
    cos, sin = xp.cos(turn), xp.sin(turn)
    rows = []
    for place, by_x, by_y in (
        (centre[0], (cos + lean * sin) / growth[0], (sin - lean * cos) / growth[0]),
        (centre[1], -sin / growth[1], cos / growth[1]),
    ):
        offset = place - by_x * (centre[0] + shift[0]) - by_y * (centre[1] + shift[1])
        rows.append(xp.stack([by_x, by_y, offset], -1))
    return xp.stack(rows, 1)
