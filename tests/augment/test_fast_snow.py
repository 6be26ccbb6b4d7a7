import colorsys

import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import FastSnow

SEEDS = augment.seeds(0, epoch=0, indices=range(1))


def by_colorsys(color, threshold, factor):
    hue, lightness, saturation = colorsys.rgb_to_hls(*(color / 255))
    if lightness * 255 < threshold:
        lightness = min(1.0, lightness * factor)
    return 255 * np.array(colorsys.hls_to_rgb(hue, lightness, saturation))


@pytest.mark.parametrize(("threshold", "factor"), [(128, 1.5), (200, 3), (255, 1.0), (40, 100)])
def test_is_hls_of_the_standard_library(threshold, factor):
    levels = [0, 1, 50, 100, 128, 200, 254, 255]
    colors = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, 1, -1, 3).astype("uint8")
    expected = np.array([by_colorsys(c, threshold, factor) for c in colors[0, 0].astype(float)])
    layer = FastSnow((threshold, threshold), (factor, factor))
    changed = layer.augment(colors.astype("float32"), SEEDS)
    np.testing.assert_allclose(changed[0, 0], expected, atol=0.01)
    fast = layer.augment_numpy(colors, SEEDS)
    np.testing.assert_allclose(fast[0, 0], expected, atol=0.51)


def test_grey_images_are_lightened_below_the_threshold():
    levels = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    expected = np.where(levels < 100, np.minimum(2 * levels.astype(int), 255), levels)
    layer = FastSnow((100, 100), (2, 2))
    np.testing.assert_array_equal(layer.augment(levels, SEEDS), expected)
    np.testing.assert_array_equal(layer.augment_numpy(levels, SEEDS), expected)


def test_bad_arguments():
    with pytest.raises(InputError, match="factor must be"):
        FastSnow(factor=(0.5, 2))
    with pytest.raises(InputError, match="threshold must be"):
        FastSnow(threshold=(0, 300))
