"""Pictures of first filters: planted ones come back, whatever stands before and around them."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from kerascnn.visualize import first_layer_filters, first_layer_noise, first_layer_smoothness

EDGE = np.array([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def planted(kernel, *before, channels=3):
    """A model whose first convolution has this kernel (h, w, C, F)."""
    image = keras.Input((16, 16, channels))
    x = image
    for layer in before:
        x = layer(x)
    conv = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], name="conv")
    x = keras.layers.GlobalAveragePooling2D()(conv(x))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    conv.set_weights([kernel, np.zeros(kernel.shape[-1])])
    return model


@pytest.fixture
def kernel():
    """An edge in red, against half of it in green; and a filter of random weights."""
    first = np.stack([EDGE, -0.5 * EDGE, 0 * EDGE], axis=-1)
    return np.stack([first, np.random.default_rng(0).normal(size=(3, 3, 3))], axis=-1)


def expected(kernel):
    filters = np.moveaxis(kernel, -1, 0)
    return np.stack([0.5 + 0.5 * one / np.abs(one).max() for one in filters])


def test_a_planted_filter_comes_back(kernel):
    pictures = first_layer_filters(planted(kernel))
    assert pictures.dtype == np.float32
    np.testing.assert_allclose(pictures, expected(kernel), atol=1e-6)
    row = [[0, 0.75, 0.5], [0.5, 0.5, 0.5], [1, 0.25, 0.5]]  # (red, green, blue) of its pixels
    np.testing.assert_allclose(pictures[0], [row] * 3, atol=1e-6)


def test_preprocessing_is_undone(kernel):
    before = [
        keras.layers.ZeroPadding2D(3),
        keras.layers.Rescaling(1 / 127.5, -1),
        keras.layers.Normalization(mean=[0.2, -0.1, 0.3], variance=[1.0, 4.0, 0.25]),
    ]
    scaled = kernel / np.array([1, 2, 0.5])[:, None]
    np.testing.assert_allclose(
        first_layer_filters(planted(kernel, *before)), expected(scaled), atol=1e-5
    )


def test_colours_are_those_of_the_photo_where_the_model_swaps_them(kernel):
    image = keras.Input((16, 16, 3))
    swapped = image[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")
    conv = keras.layers.Conv2D(2, 3)
    model = keras.Model(image, conv(swapped))
    conv.set_weights([kernel, np.zeros(2)])
    np.testing.assert_allclose(first_layer_filters(model), expected(kernel[:, :, ::-1]), atol=1e-5)


def test_nested_models(kernel):
    backbone = planted(kernel)
    image = keras.Input((16, 16, 3))
    inner = keras.Model(backbone.inputs, backbone.get_layer("conv").output, name="backbone")
    model = keras.Model(image, keras.layers.Flatten()(inner(image / 255)))
    np.testing.assert_allclose(first_layer_filters(model), expected(kernel), atol=1e-5)
    np.testing.assert_allclose(first_layer_smoothness(model), first_layer_smoothness(backbone))


def test_one_grey_picture_a_channel_where_channels_are_no_colours():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 5, 2))
    pictures = first_layer_filters(planted(kernel, channels=5))
    assert pictures.shape == (10, 3, 3, 1)
    third = kernel[..., 3, 1]
    np.testing.assert_allclose(
        pictures[5 + 3, ..., 0], 0.5 + 0.5 * third / np.abs(third).max(), atol=1e-6
    )


def test_a_filter_of_zeros_is_grey():
    assert (first_layer_filters(planted(np.zeros((3, 3, 3, 1)))) == 0.5).all()


@pytest.mark.parametrize(
    ("weights", "smoothness"),
    [
        (np.ones((3, 3)), 1),
        (SOBEL, 8 / (6 + 10)),  # of pairs: 0 along rows and 8 along columns; squares 6 and 10
        (np.indices((5, 5)).sum(axis=0) % 2 * 2 - 1, -1),
        (np.zeros((3, 3)), 0),
    ],
)
def test_smoothness_by_hand(weights, smoothness):
    kernel = np.stack([weights] * 3, axis=-1)[..., None].astype("float32")
    np.testing.assert_allclose(first_layer_smoothness(planted(kernel)), [smoothness], atol=1e-6)


def test_smoothness_of_noise_is_0_as_far_as_chance_goes():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4000))
    found = first_layer_smoothness(planted(kernel))
    pairs = 2 * 3 * 2 * 3
    assert abs(found.mean()) < 4 / np.sqrt(pairs * len(found))
    assert abs(found.std() - 1 / np.sqrt(pairs)) < 0.15 / np.sqrt(pairs)


def test_chance_explains_19_of_20_fresh_filters_and_no_trained_one():
    kernel = np.random.default_rng(0).normal(size=(5, 5, 3, 2000))
    assert abs(first_layer_noise(planted(kernel)) - 0.954) < 0.02  # within 2 standard deviations
    kernel[..., :1000] *= 0.01  # too weak to count
    kernel[..., 1000:1500] = 1
    assert abs(first_layer_noise(planted(kernel)) - 0.954 / 2) < 0.02
    assert first_layer_noise(models.LeNet5(weights="mnist")) == 0


@pytest.mark.parametrize("is_trained", [True, False])
def test_filters_of_imagenet(shared_data, is_trained):
    keras.utils.set_random_seed(0)
    file = shared_data("weights/mobilenet_v2_1.0_224_notop.weights.h5")
    model = keras.applications.MobileNetV2(
        input_shape=(96, 96, 3), include_top=False, weights=str(file) if is_trained else None
    )
    noise = first_layer_noise(model)
    assert noise <= 0.5 if is_trained else noise > 0.8


def test_one_sentence_for_models_without_such_filters():
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(InputError, match="no 2-D convolution"):
        first_layer_filters(dense)
    with pytest.raises(InputError, match="'conv' are 1x1"):
        first_layer_smoothness(planted(np.ones((1, 1, 3, 2))))


def test_a_model_without_a_known_input_is_refused():
    model = keras.Sequential([keras.layers.Conv2D(2, 3, name="conv")])
    with pytest.raises(InputError, match="keras.Input"):
        first_layer_noise(model)
