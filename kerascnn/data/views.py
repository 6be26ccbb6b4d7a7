"""Augmented views of decoded photos, each a pure function of (seed, photo, view number)."""

import numpy as np

from kerascnn._errors import InputError, whole
from kerascnn._random import generator

__all__ = ["view"]

_SHARE = 0.08  # of the side, the largest shift of views 2, 3, ...


def view(images, keys, number, seed=0):
    """View `number` of each photo: 0 as it is, 1 mirrored, 2 and on shifted and perhaps mirrored.

    Shifts are at most 8 % of the side (one pixel of tiny photos), filled by repeating the edge. A
    view depends on the photo, its key and the seed alone, so features of it can be kept.

    Args:
        images: uint8 array (N, H, W, C), values 0-255.
        keys: N strs that name the photos, e.g. their content hashes.
        number: int >= 0.
        seed: int.

    Returns:
        uint8 array (N, H, W, C).

    Raises:
        InputError: `number` is negative, or there is not one key for each photo.

    >>> view(np.array([[[[1], [2]]]], "uint8"), ["a"], 1).ravel().tolist()
    [2, 1]
    """
    number = whole(number, "number", 0)
    if len(keys) != len(images):
        raise InputError(f"Expected {len(images)} keys, one per photo. Received: {len(keys)}.")
    if number == 0:
        return images
    if number == 1:
        return images[:, :, ::-1]
    views = np.empty_like(images)
    for i, key in enumerate(keys):
        views[i] = _shifted(images[i], generator(seed, "view", key, number))
    return views


def _shifted(image, draw):
    height, width = image.shape[:2]
    limits = (max(1, round(_SHARE * height)), max(1, round(_SHARE * width)))
    padded = np.pad(image, [(limits[0],) * 2, (limits[1],) * 2, (0, 0)], mode="edge")
    top, left = (draw.integers(0, 2 * limit, endpoint=True) for limit in limits)
    crop = padded[top : top + height, left : left + width]
    return crop[:, ::-1] if draw.random() < 0.5 else crop
