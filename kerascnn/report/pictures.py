"""Photos small enough to stand inside a page."""

import base64
import io

from PIL import Image

__all__ = ["thumbnail"]


def thumbnail(image, side=160):
    """A photo as the base64 text of a JPEG, as the pages of `render` take it.

    Args:
        image: uint8 array (H, W, 1 or 3), values 0-255.
        side: int. Pixels of the longer side, at most.

    Returns:
        str.

    >>> import numpy as np
    >>> thumbnail(np.zeros((300, 200, 3), "uint8"))[:4]
    '/9j/'
    """
    picture = Image.fromarray(image.squeeze(axis=2) if image.shape[2] == 1 else image)
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()
