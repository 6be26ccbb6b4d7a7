"""Which views of an image the papers average over, as exact pixel positions."""

from kerascnn._errors import InputError
from kerascnn.layers.mean_over_views import View

__all__ = ["VIEWS", "crop_144", "default_image_size", "flip", "ten_crop"]

_SCALES = (256, 288, 320, 352)  # GoogLeNet's, for an input of 224


def flip(image, size):
    """The image and its mirror image.

    >>> [view.mirrored for view in flip((32, 32), (32, 32))]
    [False, True]
    """
    if tuple(image) != tuple(size):
        raise InputError(
            f"Flipped images must be {size} pixels, the model's own. Received: {image}."
        )
    whole = (0, 0, *image)
    return _and_mirrored([View(whole, image, whole, False)])


def ten_crop(image, size):
    """Corners and centre, then their mirror images.

    >>> [view.crop[:2] for view in ten_crop((256, 256), (224, 224))][:5]
    [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    """
    if image[0] < size[0] or image[1] < size[1]:
        raise InputError(
            f"Images of {image[0]} x {image[1]} pixels are smaller than the crop, {size[0]} x "
            f"{size[1]}. Pass a larger image_size; the paper's is 256 for crops of 224."
        )
    whole = (0, 0, *image)
    return _and_mirrored([View(whole, image, crop, False) for crop in _five(image, size)])


def crop_144(image, size):
    """Scale by scale, square by square: corners, centre, whole, then their mirror images.

    >>> len(set(crop_144((480, 640), (224, 224))))
    144
    """
    if size[0] != size[1]:
        raise InputError(f"144-crop cuts squares; the model's input is {size[0]} x {size[1]}.")
    views = []
    for scale in _SCALES:
        scaled = _in_proportion(size, scale)
        crops = [*_five(scaled, size), (0, 0, *scaled)]
        for square in _squares(image):
            views += _and_mirrored([View(square, scaled, crop, False) for crop in crops])
    return views


VIEWS = {"flip": flip, "10-crop": ten_crop, "144-crop": crop_144}


def default_image_size(views, size):
    """(height, width) that images should have, or None: their own.

    >>> default_image_size("10-crop", (224, 224)), default_image_size("10-crop", (32, 32))
    ((256, 256), (37, 37))
    """
    return {"flip": size, "10-crop": _in_proportion(size, 256), "144-crop": None}[views]


def _in_proportion(size, scale):
    return tuple(round(side * scale / 224) for side in size)


def _five(image, size):
    """Boxes: top left, top right, bottom left, bottom right, centre."""
    down, right = image[0] - size[0], image[1] - size[1]
    corners = [(top, left) for top in (0, down) for left in (0, right)]
    return [(top, left, *size) for top, left in [*corners, (down // 2, right // 2)]]


def _squares(image):
    """The left, centre and right squares of a landscape; top, centre and bottom of a portrait."""
    side = min(image)
    down, right = image[0] - side, image[1] - side
    return [(down * part // 2, right * part // 2, side, side) for part in range(3)]


def _and_mirrored(views):
    return views + [view._replace(mirrored=True) for view in views]
