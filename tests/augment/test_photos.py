"""Arrays are treated as `kerascnn.data` treats files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError
from kerascnn.augment import _photos
from kerascnn.data import Decoder, decode_file

PHOTO = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype("uint8")


@pytest.mark.parametrize("size", [None, (20, 20), (64, 40)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_array_is_read_as_its_file(tmp_path, size, channels):
    pixels = PHOTO[..., :channels]
    path = tmp_path / "photo.png"
    Image.fromarray(pixels.squeeze()).save(path)
    expected = Decoder(size, channels, "crop").read(path)
    np.testing.assert_array_equal(_photos.read(pixels, channels, size), expected)
    np.testing.assert_array_equal(_photos.read(path, channels, size), expected)
    np.testing.assert_array_equal(_photos.read(str(path), channels, size), expected)


def test_resized_as_the_decoder_does(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(PHOTO).save(path)
    np.testing.assert_array_equal(
        _photos.resized(PHOTO, (30, 21)), decode_file(path, (30, 21), resize="stretch")
    )


def test_part():
    np.testing.assert_array_equal(_photos.part(PHOTO, (3, 4, 5, 6)), PHOTO[3:8, 4:10])


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (PHOTO / 255, "uint8 array .* Received: float64 of shape"),
        (PHOTO[..., 0], "Received: uint8 of shape"),
        (PHOTO[:0], "Received: uint8 of shape"),
        (PHOTO[..., :1], "takes 3 channel.*has 1"),
        ("nothing.jpg", "Cannot read nothing.jpg"),
    ],
)
def test_what_is_no_photo(photo, said):
    with pytest.raises(InputError, match=said):
        _photos.read(photo, 3)


def test_one_path_is_a_list_of_one():
    assert _photos.listed("photo.jpg") == ["photo.jpg"]
    assert _photos.listed(Path("photo.jpg")) == [Path("photo.jpg")]


@pytest.mark.parametrize("photos", [PHOTO, [], np.zeros((0, 4, 4, 3), "uint8")])
def test_one_image_is_no_list(photos):
    with pytest.raises(InputError, match="must be a list of paths or"):
        _photos.listed(photos)
