"""The crop's area and shape, and its pixels against Pillow."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment._draws import Draws

SEEDS = augment.seeds(0, epoch=0, indices=range(20_000))


def boxes(crop, height, width):
    return crop.draw(Draws(SEEDS, np), float(height), float(width))["box"]


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (100, 1000), (1000, 100), (7, 7)])
def test_crops_lie_within_the_image_and_keep_to_the_ratio(size):
    top, left, tall, broad = boxes(augment.AreaCrop(32), *size).T
    slack = 1e-4 * max(size)
    assert (top >= 0).all() and (top + tall <= size[0] + slack).all()
    assert (left >= 0).all() and (left + broad <= size[1] + slack).all()
    ratio = broad / tall
    assert ratio.min() > 0.749 and ratio.max() < 1.334
    assert (tall * broad / np.prod(size)).min() > 0.0799 or max(size) / min(size) > 8


def test_area_is_uniform_where_every_ratio_fits():
    _, _, tall, broad = boxes(augment.AreaCrop(32, area=(0.08, 0.7)), 300, 300).T
    share = tall * broad / 300**2
    np.testing.assert_allclose(np.quantile(share, [0, 0.5, 1]), [0.08, 0.39, 0.7], atol=0.01)
    ratio = np.log(broad / tall)
    np.testing.assert_allclose(np.mean(ratio), 0, atol=0.01)
    np.testing.assert_allclose(np.std(ratio), 2 * np.log(4 / 3) / 12**0.5, rtol=0.02)


def test_of_a_square_the_whole_may_come():
    _, _, tall, broad = boxes(augment.AreaCrop(32), 300, 300).T
    assert (tall * broad / 300**2).max() > 0.99


def test_pixels_are_pillows():
    photo = load_sample_images().images[0][:200, :300]
    crop = augment.AreaCrop((48, 64))
    top, left, tall, broad = boxes(crop, 200, 300)[0].astype(float)
    corners = (left, top, left + broad, top + tall)
    expected = Image.fromarray(photo).resize((64, 48), Image.Resampling.BILINEAR, corners)
    np.testing.assert_array_equal(crop.augment_numpy(photo[None], SEEDS[:1])[0], expected)


@pytest.mark.parametrize(("size", "box"), [((200, 300), (50, 0, 250, 200)), ((150, 150), None)])
def test_at_rest_it_is_the_largest_part_in_the_centre(size, box):
    photo = load_sample_images().images[0][: size[0], : size[1]]
    box = box or (0, 0, *size)
    expected = Image.fromarray(photo).resize((32, 32), Image.Resampling.BILINEAR, box)
    ours = np.asarray(augment.AreaCrop(32)(photo, training=False)).astype(int)
    assert np.abs(ours - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize("bad", [{"size": 0}, {"area": (0.5, 1.1)}, {"aspect": (2, 1)}])
def test_bad_values_are_said(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        augment.AreaCrop(**{"size": 32, **bad})
