"""A thumbnail is a small JPEG of the same photo."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from kerascnn.report import thumbnail


@pytest.mark.parametrize(
    ("shape", "size", "mode"),
    [
        ((300, 200, 3), (107, 160), "RGB"),
        ((1, 1, 3), (1, 1), "RGB"),
        ((320, 320, 1), (160, 160), "L"),
    ],
)
def test_a_thumbnail_is_the_photo_made_small(shape, size, mode):
    ramp = np.broadcast_to(np.linspace(0, 255, shape[1])[None, :, None], shape).astype("uint8")
    image = Image.open(io.BytesIO(base64.b64decode(thumbnail(ramp))))
    assert (image.format, image.size, image.mode) == ("JPEG", size, mode)
    wanted = np.linspace(0, 255, size[0]) if size[0] > 1 else [0]
    assert np.abs(np.asarray(image.convert("L"), float).mean(axis=0) - wanted).max() < 6
