import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.layers import GlobalContrastNormalization
from tests.oracles import whitening as oracle

IMAGES = np.random.default_rng(0).integers(256, size=(5, 7, 6, 3)).astype("float32")


@pytest.mark.parametrize(
    ("scale", "regularization", "epsilon"), [(1.0, 0.0, 1e-8), (55.0, 10.0, 0.0), (2.0, 1.0, 300.0)]
)
def test_is_the_formula_of_the_book(scale, regularization, epsilon):
    expected = [oracle.contrast(image, scale, regularization, epsilon) for image in IMAGES]
    y = GlobalContrastNormalization(scale, regularization, epsilon)(IMAGES)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_brightness_and_contrast_of_an_image_make_no_difference():
    layer = GlobalContrastNormalization()
    np.testing.assert_allclose(layer(IMAGES), layer(IMAGES / 255 - 3), atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 127.3, 255.0, 1e-3])
def test_a_constant_image_becomes_0_and_passes_finite_gradients(value):
    import tensorflow as tf

    image = tf.fill((1, 224, 224, 3), value)
    with tf.GradientTape() as tape:
        tape.watch(image)
        y = GlobalContrastNormalization()(image)
        total = tf.reduce_sum(y * y + y)
    np.testing.assert_array_equal(y, np.zeros_like(y))
    assert np.isfinite(tape.gradient(total, image)).all()


def test_large_images_do_not_overflow_under_16_bits():
    photos = np.tile(IMAGES, (1, 20, 20, 1))
    expected = GlobalContrastNormalization()(photos)
    y = GlobalContrastNormalization(dtype="mixed_float16")(photos)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    np.testing.assert_allclose(y, expected, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [{"scale": 0}, {"regularization": -1}, {"epsilon": -1}, {"epsilon": 0}],
)
def test_a_constant_out_of_range_gets_a_sentence(options):
    with pytest.raises(InputError, match="`scale` must be positive"):
        GlobalContrastNormalization(**options)
