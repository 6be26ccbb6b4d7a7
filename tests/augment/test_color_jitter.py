"""Single changes are Pillow's; together they are one after the other, cut off once."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from kerascnn import InputError
from kerascnn.augment import ColorJitter, seeds
from kerascnn.augment._color import GREY, hue_matrix
from kerascnn.augment._draws import Draws

IMAGES = np.random.default_rng(0).integers(60, 190, size=(8, 12, 10, 3), dtype="uint8")
KEYS = seeds(0, 0, range(8))
NONE = {"brightness": 0, "contrast": 0, "saturation": 0}


@pytest.mark.parametrize(
    "option, enhance",
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
def test_one_change_is_that_of_pillow(option, enhance):
    layer = ColorJitter(**{**NONE, option: 0.9})
    ours = layer.augment_numpy(IMAGES, KEYS).astype(int)
    drawn = Draws(KEYS, np)
    draws = [
        drawn.uniform(max(0, 1 - v), 1 + v)
        for v in (layer.brightness, layer.contrast, layer.saturation)
    ]
    factors = draws[("brightness", "contrast", "saturation").index(option)]
    assert factors.std() > 0.2
    for image, changed, factor in zip(IMAGES, ours, factors):
        expected = np.asarray(enhance(Image.fromarray(image)).enhance(float(factor))).astype(int)
        assert np.abs(changed - expected).max() <= 2  # Pillow cuts off where we round


def test_all_together_are_one_after_the_other():
    layer = ColorJitter(0.3, 0.3, 0.3, 0.2)
    drawn = Draws(KEYS, np)
    bright, contrast, saturation = (drawn.uniform(0.7, 1.3) for _ in range(3))
    turn = 2 * np.pi * drawn.uniform(-0.2, 0.2)
    ours = keras.ops.convert_to_numpy(layer.augment(IMAGES.astype("float32"), KEYS))
    for i, image in enumerate(IMAGES.astype("float64")):
        image = image * bright[i]
        mean = (image @ GREY).mean()
        image = mean + contrast[i] * (image - mean)
        grey = (image @ GREY)[..., None]
        image = grey + saturation[i] * (image - grey)
        image = image @ hue_matrix(turn[i : i + 1], np)[0].T
        np.testing.assert_allclose(ours[i], np.clip(image, 0, 255), atol=0.05)


def test_grey_images_keep_saturation_and_hue():
    grey = IMAGES[..., :1]
    layer = ColorJitter(0, 0, 0.9, 0.5)
    np.testing.assert_array_equal(layer.augment_numpy(grey, KEYS), grey)
    np.testing.assert_array_equal(layer.augment(grey, KEYS), grey)


def test_bad_options():
    with pytest.raises(InputError, match="hue must be a number from 0 to 0.5"):
        ColorJitter(hue=0.6)
    with pytest.raises(InputError, match="brightness must be"):
        ColorJitter(brightness=-1)
