"""Maps of colours: what they keep, and what they equal."""

import colorsys

import keras
import numpy as np
from PIL import Image

from kerascnn.augment import _color
from kerascnn.augment._color import (
    hue_matrix,
    map_colors,
    map_colors_kernel,
    mean_grey,
    saturation_matrix,
)

IMAGES = np.random.default_rng(0).integers(256, size=(4, 9, 8, 3), dtype="uint8")


def test_mean_grey_is_that_of_pillow():
    for image in IMAGES:
        grey = np.asarray(Image.fromarray(image).convert("L"))
        assert abs(mean_grey(image) - grey.mean()) < 0.6  # Pillow rounds each pixel
    assert mean_grey(IMAGES[0, ..., :1]) == IMAGES[0, ..., 0].mean()


def test_turns_of_the_hue_keep_grey_and_luminance_and_close_the_circle():
    turns = np.array([0.0, 0.7, np.pi, 2 * np.pi], np.float32)
    matrices = hue_matrix(turns, np)
    np.testing.assert_allclose(matrices[0], np.eye(3), atol=1e-5)
    np.testing.assert_allclose(matrices[3], np.eye(3), atol=1e-5)
    np.testing.assert_allclose(
        matrices[1] @ np.linalg.matrix_power(matrices[1], 2),
        hue_matrix(np.array([2.1], np.float32), np)[0],
        atol=1e-5,
    )
    np.testing.assert_allclose(matrices.sum(-1), 1, atol=1e-5)  # grey stays
    np.testing.assert_allclose(_color.GREY @ matrices, np.tile(_color.GREY, (4, 1)), atol=1e-3)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(hue_matrix(keras.ops.array(turns), keras.ops)),
        matrices,
        atol=1e-6,
    )


def test_a_turn_in_yiq_is_a_turn_of_the_hue_there():
    color = np.array([0.8, 0.3, 0.2])
    turned = hue_matrix(np.array([0.4], np.float32), np)[0] @ color
    (y, i, q), (y2, i2, q2) = (colorsys.rgb_to_yiq(*c) for c in (color, turned))
    assert abs(y - y2) < 2e-3
    assert abs(np.hypot(i, q) - np.hypot(i2, q2)) < 5e-3
    assert abs((np.arctan2(q2, i2) - np.arctan2(q, i)) - 0.4) < 0.03  # two roundings of YIQ


def test_saturation_blends_with_grey():
    matrices = saturation_matrix(np.array([0.0, 1.0, 1.7], np.float32), np)
    color = np.array([200.0, 100, 50])
    grey = _color.GREY @ color
    np.testing.assert_allclose(
        matrices @ color, [[grey] * 3, color, 1.7 * color - 0.7 * grey], rtol=1e-5
    )


def test_both_engines_map_alike():
    matrix = np.array([[0.5, 0.3, 0.1], [0.2, 1.2, -0.3], [0, 0, 0.9]], np.float32)
    offset = np.array([3.0, -20, 40], np.float32)
    expected = np.clip(IMAGES @ matrix.T + offset, 0, 255)
    ours = map_colors(IMAGES.astype("float32"), np.stack([matrix] * 4), np.stack([offset] * 4))
    np.testing.assert_allclose(
        np.clip(keras.ops.convert_to_numpy(ours), 0, 255), expected, atol=1e-2
    )
    assert np.abs(map_colors_kernel(IMAGES[0], matrix, offset) - expected[0]).max() <= 1
