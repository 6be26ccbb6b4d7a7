"""Photos small enough to stand inside a page."""

import base64
import io

from PIL import Image, ImageOps

__all__ = ["thumbnail"]

_DARK, _WARM, _HOT = "#1b1464", "#d9541e", "#ffe74c"


def thumbnail(image, side=160, *, heat=None):
    """A photo as the base64 text of a JPEG, as the pages of `render` take it.

    Args:
        image: uint8 array (H, W, 1 or 3), values 0-255.
        side: int. Pixels of the longer side, at most.
        heat: float array (H, W) in [0, 1], or None. Drawn over the photo, which becomes grey: what
            is high is yellow, what is low stays as it is.

    Returns:
        str.

    >>> import numpy as np
    >>> thumbnail(np.zeros((300, 200, 3), "uint8"))[:4]
    '/9j/'
    """
    picture = Image.fromarray(image.squeeze(axis=2) if image.shape[2] == 1 else image)
    if heat is not None:
        shares = Image.fromarray((255 * heat).astype("uint8"))
        colours = ImageOps.colorize(shares, _DARK, _HOT, mid=_WARM)
        grey = picture.convert("L").convert("RGB")
        picture = Image.composite(colours, grey, shares.point(lambda share: 0.75 * share))
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()
