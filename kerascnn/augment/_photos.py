"""Photos of any size, from files or arrays, and Pillow's resize for all of them."""

import os

import numpy as np
from PIL import Image, ImageOps

from kerascnn._errors import InputError
from kerascnn.data import Decoder

__all__ = ["listed", "part", "read", "resized"]


def listed(photos):
    """`photos` as a list that has at least one; one path is a list of one, one image is refused.

    >>> listed(np.zeros((2, 4, 4, 3), "uint8"))[0].shape
    (4, 4, 3)
    """
    if isinstance(photos, str | os.PathLike):
        return [photos]
    if getattr(photos, "ndim", 4) != 4 or not len(photos):
        raise InputError(
            "`photos` must be a list of paths or of uint8 arrays (H, W, C), with at least one. "
            "Of one image pass image[None]."
        )
    return list(photos)


def read(photo, channels, image_size=None):
    """A path or a uint8 array (H, W, C) as a uint8 array, at its own size or `image_size`.

    With an `image_size` the shorter side is scaled and the centre kept, as `Decoder` does by
    `resize="crop"`.

    >>> read(np.zeros((20, 40, 3), "uint8"), 3, (8, 8)).shape
    (8, 8, 3)
    """
    if isinstance(photo, str | os.PathLike):
        return Decoder(image_size, channels, "crop").read(photo)
    pixels = np.asarray(photo)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or not pixels.size:
        raise InputError(
            "Each photo must be a path or a uint8 array (H, W, C), 0-255. "
            f"Received: {pixels.dtype} of shape {pixels.shape}."
        )
    if pixels.shape[-1] != channels or channels not in (1, 3):
        raise InputError(
            f"The model takes {channels} channel(s), a photo has {pixels.shape[-1]}; both must be "
            "3 (RGB) or both 1 (grey)."
        )
    if image_size is None or pixels.shape[:2] == tuple(image_size):
        return pixels
    return _array(ImageOps.fit(_image(pixels), image_size[::-1], Image.Resampling.BILINEAR))


def resized(pixels, size):
    """uint8 (H, W, C) -> (*size, C): bilinear with antialiasing, as `Decoder` does.

    >>> resized(np.zeros((20, 40, 1), "uint8"), (8, 8)).shape
    (8, 8, 1)
    """
    if pixels.shape[:2] == tuple(size):
        return pixels
    return _array(_image(pixels).resize(size[::-1], Image.Resampling.BILINEAR))


def part(pixels, box):
    """The box (top, left, height, width) of an image (H, W, C).

    >>> part(np.arange(6).reshape(2, 3, 1), (0, 1, 2, 1)).ravel().tolist()
    [1, 4]
    """
    top, left, height, width = box
    return pixels[top : top + height, left : left + width]


def _image(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _array(image):
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)
