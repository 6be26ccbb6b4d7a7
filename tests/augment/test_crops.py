"""Pixel positions, counted by hand and by Caffe's loop."""

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.augment._crops import VIEWS, crop_144, default_image_size, flip, ten_crop


def caffe_order(image, size):
    """(top, left, mirrored) of the ten crops, as `caffe.io.oversample` loops."""
    corners = [(i, j) for i in (0, image - size) for j in (0, image - size)]
    five = [*corners, ((image - size) // 2,) * 2]
    return [(*place, mirrored) for mirrored in (False, True) for place in five]


@pytest.mark.parametrize(("image", "size"), [(256, 224), (146, 128), (37, 32)])
def test_ten_crops_in_caffes_order(image, size):
    views = ten_crop((image, image), (size, size))
    assert [(*v.crop[:2], v.mirrored) for v in views] == caffe_order(image, size)
    assert all(v.crop[2:] == (size, size) and v.scaled == (image, image) for v in views)


def test_ten_crops_of_the_paper():
    tops = [v.crop[:2] for v in ten_crop((256, 256), (224, 224))]
    assert tops == [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)] * 2


@pytest.mark.parametrize("image", [(375, 500), (500, 375), (480, 640)])
def test_144_views_in_the_order_of_the_docstring(image):
    views = crop_144(image, (224, 224))
    assert len(set(views)) == 4 * 3 * 6 * 2 == 144
    scales = [s for s in (256, 288, 320, 352) for _ in range(36)]
    assert [v.scaled for v in views] == [(s, s) for s in scales]
    assert [v.mirrored for v in views] == ([False] * 6 + [True] * 6) * 12
    short, long = min(image), max(image)
    starts = [0, (long - short) // 2, long - short]
    axis = int(image[1] == long)  # the squares move along the longer side
    assert [v.box[axis] for v in views] == [s for s in starts for _ in range(12)] * 4
    assert {v.box[1 - axis] for v in views} == {0}
    assert {v.box[2:] for v in views} == {(short, short)}
    for v in views[5::6]:
        assert v.crop == (0, 0, *v.scaled)
    assert {v.crop[2:] for i, v in enumerate(views) if i % 6 != 5} == {(224, 224)}
    assert [v.crop[:2] for v in views[108:113]] == [
        (0, 0),
        (0, 128),
        (128, 0),
        (128, 128),
        (64, 64),
    ]


def test_every_view_lies_within_the_image():
    for image in ((7, 90), (129, 128), (333, 200)):
        for v in crop_144(image, (128, 128)):
            for (top, left, height, width), bounds in ((v.box, image), (v.crop, v.scaled)):
                assert top >= 0 and left >= 0
                assert top + height <= bounds[0] and left + width <= bounds[1]


def test_other_input_sizes_are_in_proportion():
    scaled = [v.scaled[0] for v in crop_144((128, 128), (128, 128))[::36]]
    np.testing.assert_allclose(scaled, np.array([256, 288, 320, 352]) * 128 / 224, atol=0.5)
    assert default_image_size("10-crop", (224, 224)) == (256, 256)
    assert default_image_size("10-crop", (32, 64)) == (37, 73)
    assert default_image_size("flip", (30, 40)) == (30, 40)
    assert set(VIEWS) == {"flip", "10-crop", "144-crop"}


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="200 x 256 pixels are smaller than the crop, 224 x 224"):
        ten_crop((200, 256), (224, 224))
    with pytest.raises(InputError, match="must be .*the model's own"):
        flip((40, 40), (32, 32))
    with pytest.raises(InputError, match="cuts squares; the model's input is 32 x 64"):
        crop_144((64, 64), (32, 64))
