"""Bent images against SciPy, and which way they bend."""

import numpy as np
import pytest
from scipy import ndimage

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment._draws import Draws

SEEDS = augment.seeds(0, epoch=0, indices=range(5))


def test_pixels_are_scipys():
    images = np.random.default_rng(0).uniform(0, 255, (5, 20, 30, 1)).astype("float32")
    layer = augment.LensDistortion(0.33)
    changed = np.asarray(layer.augment(images, SEEDS))
    y, x = np.mgrid[:20, :30] - np.array([9.5, 14.5])[:, None, None]
    for image, k, ours in zip(images, layer.draw(Draws(SEEDS, np), 20.0, 30.0)["k"], changed):
        growth = 1 + k * (x**2 + y**2) / (10**2 + 15**2)
        places = [y * growth + 9.5, x * growth + 14.5]
        expected = ndimage.map_coordinates(image[..., 0], places, order=1, mode="reflect")
        np.testing.assert_allclose(ours[..., 0], expected, atol=0.02)


def test_positive_k_bends_a_line_outwards_in_the_middle():
    """A barrel: a vertical line left of the centre is farthest left at half height."""
    image = np.zeros((101, 101, 1), "uint8")
    image[:, 20:24] = 255
    layer = augment.LensDistortion()
    for k, sign in ((0.2, 1), (-0.2, -1)):
        bent = layer.kernel(image, np.float32(k)).reshape(101, 101).astype(float)
        where = (bent * np.arange(101)).sum(axis=1) / bent.sum(axis=1)
        assert sign * (where[15] - where[50]) > 1


def test_bad_values_are_said():
    with pytest.raises(InputError, match="strength"):
        augment.LensDistortion(0.4)
