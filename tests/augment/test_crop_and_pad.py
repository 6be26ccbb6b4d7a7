"""Cutting and padding against SciPy, on an image of places."""

import numpy as np
import pytest
from scipy import ndimage

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment._draws import Draws

SEEDS = augment.seeds(0, epoch=0, indices=range(4000))


def test_pixels_are_scipys():
    images = np.random.default_rng(0).uniform(0, 255, (5, 20, 30, 1)).astype("float32")
    layer = augment.CropAndPad(0.3, fill_mode="reflect")
    changed = np.asarray(layer.augment(images, SEEDS[:5]))
    matrices = layer.draw(Draws(SEEDS[:5], np), 20.0, 30.0)["matrix"]
    for image, matrix, ours in zip(images, matrices, changed, strict=True):
        (x, _, from_x), (_, y, from_y) = matrix
        expected = ndimage.affine_transform(
            image[..., 0], [y, x], [from_y, from_x], order=1, mode="reflect"
        )
        np.testing.assert_allclose(ours[..., 0], expected, atol=0.02)


def test_each_border_moves_on_its_own_by_up_to_the_share():
    layer = augment.CropAndPad(0.1)
    matrix = layer.draw(Draws(SEEDS, np), 100.0, 200.0)["matrix"]
    borders = []  # where the four borders of what comes out lie in what went in
    for scale, first, side in (
        (matrix[:, 0, 0], matrix[:, 0, 2], 200),
        (matrix[:, 1, 1], matrix[:, 1, 2], 100),
    ):
        borders += [(first + 0.5 - scale / 2) / side, (first + 0.5 - scale / 2) / side + scale - 1]
    for border in borders:
        quantiles = np.quantile(border, [0, 0.5, 1])
        np.testing.assert_allclose(quantiles, [-0.1, 0, 0.1], atol=0.005)
    assert np.abs(np.corrcoef(borders) - np.eye(4)).max() < 0.06


def test_bad_values_are_said():
    with pytest.raises(InputError, match="share"):
        augment.CropAndPad(0.5)
    with pytest.raises(InputError, match="fill_mode"):
        augment.CropAndPad(fill_mode="mirror")
