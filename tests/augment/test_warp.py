"""Bilinear reading is SciPy's, in both engines; windows are slices."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from kerascnn import InputError
from kerascnn.augment._warp import (
    checked_fill,
    sample,
    sample_kernel,
    shifted,
    shifted_kernel,
    warp,
    warp_kernel,
)

DRAW = np.random.default_rng(0)
NOISE = DRAW.uniform(0, 255, size=(3, 17, 23, 2))
IMAGES = np.rint(ndimage.gaussian_filter(NOISE, (0, 1, 1, 0), mode="nearest")).astype("uint8")
MODES = {"reflect": "reflect", "nearest": "nearest", "constant": "grid-constant"}


def read_by_scipy(image, x, y, mode, value):
    channels = [
        ndimage.map_coordinates(
            channel.astype("float64"), [y, x], order=1, mode=MODES[mode], cval=value
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, -1)


@pytest.mark.parametrize("mode", MODES)
def test_reading_is_that_of_scipy(mode):
    x = DRAW.uniform(-20, 40, size=(3, 9, 11)).astype("float32")
    y = DRAW.uniform(-20, 40, size=(3, 9, 11)).astype("float32")
    ours = sample(keras.ops.cast(IMAGES, "float32"), x, y, mode, 99.0)
    for i, image in enumerate(IMAGES):
        expected = read_by_scipy(image, x[i], y[i], mode, 99.0)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(ours)[i], expected, atol=0.01)
        assert np.abs(sample_kernel(image, x[i], y[i], mode, 99.0) - expected).max() <= 2


@pytest.mark.parametrize("mode", MODES)
def test_warps_read_at_the_matrix_times_the_place(mode):
    matrices = DRAW.normal(size=(3, 2, 3)).astype("float32") * [1, 1, 8]
    ours = keras.ops.convert_to_numpy(
        warp(keras.ops.cast(IMAGES, "float32"), keras.ops.cast(matrices, "float32"), mode, 7.0)
    )
    y, x = np.mgrid[:17, :23]
    for i, (image, m) in enumerate(zip(IMAGES, matrices)):
        read_x, read_y = (m[k, 0] * x + m[k, 1] * y + m[k, 2] for k in (0, 1))
        expected = read_by_scipy(image, read_x, read_y, mode, 7.0)
        np.testing.assert_allclose(ours[i], expected, atol=0.05)
        assert np.abs(warp_kernel(image, m, mode, 7.0) - expected).max() <= 2


def test_windows_are_slices_and_fill_what_is_outside():
    left, top = np.array([3, -4, 20], np.int32), np.array([2, -3, 30], np.int32)
    ours = shifted(keras.ops.cast(IMAGES, "float32"), left, top, (8, 9), 5.0)
    padded = np.pad(IMAGES, [(0, 0), (40, 40), (40, 40), (0, 0)], constant_values=5)
    for i in range(3):
        y, x = 40 + top[i], 40 + left[i]
        expected = padded[i, y : y + 8, x : x + 9]
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours)[i], expected)
        np.testing.assert_array_equal(
            shifted_kernel(IMAGES[i], int(left[i]), int(top[i]), (8, 9), 5.0), expected
        )


def test_fills_are_checked():
    assert checked_fill("reflect", 0) == ("reflect", 0)
    with pytest.raises(InputError, match="Did you mean 'reflect'"):
        checked_fill("reflected", 0)
    with pytest.raises(InputError, match="from 0 to 255"):
        checked_fill("constant", 300)
