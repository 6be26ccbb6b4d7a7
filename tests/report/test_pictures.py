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


@pytest.mark.parametrize("channels", [1, 3])
def test_heat_is_yellow_where_it_is_high_and_the_photo_is_left_where_it_is_low(channels):
    heat = np.zeros((64, 64), "float32")
    heat[:, 32:] = 1
    photo = np.full((64, 64, channels), 120, "uint8")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(thumbnail(photo, heat=heat)))), float)
    assert np.abs(shown[:, :24] - 120).max() < 8
    red, green, blue = shown[:, 40:].mean(axis=(0, 1))
    assert red > 200 and green > 190 and blue < 110
