"""Scales and places of the crops."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment._draws import Draws

SEEDS = augment.seeds(0, epoch=0, indices=range(10_000))


@pytest.mark.parametrize(("height", "width"), [(300, 400), (100, 60)])
def test_the_shorter_side_is_uniform_and_the_crop_inside(height, width):
    jitter = augment.ScaleJitter((200, 224), shorter=(256, 512))
    drawn = jitter.draw(Draws(SEEDS, np), float(height), float(width))["box"]
    top, left, tall, broad = drawn.T
    scale = 200 / tall
    np.testing.assert_allclose(224 / broad, scale, rtol=1e-5)  # isotropic
    lengths = scale * min(height, width)
    np.testing.assert_allclose(np.quantile(lengths, [0, 0.5, 1]), [256, 384, 512], atol=5)
    for first, side, whole in ((top, tall, height), (left, broad, width)):
        assert (first >= 0).all() and (first + side <= whole * (1 + 1e-5)).all()
        where = first / (whole - side)
        np.testing.assert_allclose(np.quantile(where, [0, 0.5, 1]), [0, 0.5, 1], atol=0.02)


@pytest.mark.parametrize("height", [55, 111, 224, 419])  # 55 / 100 * 100 is above 55 in float32
def test_the_whole_image_at_one_scale(height):
    jitter = augment.ScaleJitter(100, shorter=(100, 100))
    images = np.full((2, height, height + 13, 3), 7, "uint8")
    assert (jitter.augment_numpy(images, SEEDS[:2]) == np.full((2, 100, 100, 3), 7)).all()


def test_at_rest_it_is_224_of_256():
    photo = load_sample_images().images[0][:300, :450]
    small = Image.fromarray(photo).resize((384, 256), Image.Resampling.BILINEAR)
    expected = np.asarray(small)[16:240, 80:304]
    ours = np.asarray(augment.ScaleJitter()(photo, training=False)).astype(int)
    assert np.abs(ours - expected).max() <= 1


def test_a_crop_that_cannot_fit_is_said():
    with pytest.raises(InputError, match="at most 256"):
        augment.ScaleJitter(size=257)
    with pytest.raises(InputError, match="shorter"):
        augment.ScaleJitter(shorter=(500, 300))
