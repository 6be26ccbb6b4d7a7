"""Dense evaluation: a converted network is the network at each place."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.models import VGG, VGG11, VGG16, AlexNet, GoogLeNet, to_fully_convolutional


def images(*shape):
    return np.random.default_rng(0).normal(0, 50, shape).astype("float32")


def score_map(dense, x):
    return keras.Model(dense.input, dense.get_layer("score_map").output).predict(x, verbose=0)


@pytest.fixture(scope="module")
def model():
    """A VGG for 64x64 images; larger weights than at its start, so that values are not tiny."""
    keras.utils.set_random_seed(0)
    model = VGG11(input_shape=(64, 64, 3), classes=5)
    model.set_weights([3 * w for w in model.get_weights()])
    return model


def test_at_the_same_size_it_is_the_same(model):
    x = images(2, 64, 64, 3)
    expected = model.predict(x, verbose=0)
    assert expected.std() > 0.01
    dense = to_fully_convolutional(model)
    np.testing.assert_allclose(dense.predict(x, verbose=0), expected, atol=1e-5)
    assert dense.count_params() == model.count_params()


@pytest.mark.slow
def test_vgg16_at_224_is_the_same():
    keras.utils.set_random_seed(0)
    model = VGG16()
    model.set_weights([3 * w for w in model.get_weights()])
    x = images(1, 224, 224, 3)
    expected = model.predict(x, verbose=0)
    assert expected.std() > 1e-4
    dense = to_fully_convolutional(model)
    np.testing.assert_allclose(dense.predict(x, verbose=0), expected, atol=1e-5)
    assert score_map(dense, images(1, 256, 288, 3)).shape == (1, 2, 3, 1000)


def test_a_score_is_what_the_dense_layers_say_of_a_window_of_the_last_map(model):
    """For any weights: 7x7 windows of `stage5_pool` at 224x224, here 2x2 windows."""
    x = images(1, 96, 128, 3)
    dense = to_fully_convolutional(model)
    maps = keras.Model(dense.input, dense.get_layer("stage5_pool").output).predict(x, verbose=0)
    assert maps.shape == (1, 3, 4, 512)

    def scores(window):
        y = window.reshape(1, -1)
        for name in ("fc6", "fc7"):
            kernel, bias = model.get_layer(name).get_weights()
            y = np.maximum(y @ kernel + bias, 0)
        kernel, bias = model.get_layer("output").get_weights()
        return (y @ kernel + bias)[0]

    expected = [[scores(maps[:, i : i + 2, j : j + 2]) for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(score_map(dense, x)[0], expected, rtol=1e-3, atol=1e-4)
    mean = np.mean(expected, axis=(0, 1))
    softmax = np.exp(mean - mean.max()) / np.exp(mean - mean.max()).sum()
    np.testing.assert_allclose(dense.predict(x, verbose=0)[0], softmax, atol=1e-4)


def test_without_padding_a_score_is_what_the_network_says_of_a_crop(model):
    """Kernels that read only their centre see no padding: then crops at stride 32 are exact."""
    centred = keras.models.clone_model(model)
    for layer in centred.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel, bias = layer.get_weights()
            centre = np.zeros_like(kernel)
            centre[1, 1] = 5 * kernel[1, 1]
            layer.set_weights([centre, bias])
        elif layer.weights:
            layer.set_weights([3 * w for w in layer.get_weights()])
    centred.get_layer("output").activation = keras.activations.linear
    x = images(1, 96, 128, 3)
    grid = [(i, j) for i in (0, 32) for j in (0, 32, 64)]
    crops = np.concatenate([x[:, i : i + 64, j : j + 64] for i, j in grid])
    expected = centred.predict(crops, verbose=0)
    dense = to_fully_convolutional(centred)
    largest = abs(expected).max()
    got = score_map(dense, x).reshape(6, 5)
    np.testing.assert_allclose(got / largest, expected / largest, atol=1e-5)
    mean = dense.predict(x, verbose=0)[0]
    np.testing.assert_allclose(mean / largest, expected.mean(0) / largest, atol=1e-5)


def test_the_weights_are_copies(model):
    dense = to_fully_convolutional(model)
    before = model.get_layer("fc7").get_weights()[1]
    dense.get_layer("fc7").set_weights([w + 1 for w in dense.get_layer("fc7").get_weights()])
    np.testing.assert_array_equal(model.get_layer("fc7").get_weights()[1], before)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "build",
    [
        lambda **options: AlexNet(input_shape=(67, 99, 1), **options),
        lambda **options: VGG(
            config="A-LRN",
            batch_norm=True,
            input_tensor=keras.layers.Rescaling(2.0)(keras.Input((32, 64, 3))),
            **options,
        ),
        lambda **options: keras.applications.VGG16(
            weights=None, input_shape=(32, 32, 3), **options
        ),
    ],
    ids=["AlexNet", "VGG11LRN-bn with preprocessing", "keras.applications"],
)
def test_other_networks_with_dense_layers(build):
    keras.utils.set_random_seed(0)
    model = build(classes=3, classifier_activation=None)
    x = images(2, *model.input_shape[1:])
    expected = model.predict(x, verbose=0)
    got = to_fully_convolutional(model).predict(x, verbose=0)
    np.testing.assert_allclose(got, expected, atol=1e-5 * abs(expected).max())


def test_it_trains_on_larger_images(model):
    dense = to_fully_convolutional(model)
    dense.compile("sgd", loss="sparse_categorical_crossentropy")
    assert np.isfinite(dense.train_on_batch(images(2, 96, 64, 3), np.array([0, 1])))
    assert dense.get_layer("fc6_dropout").rate == 0.5


def test_mixed_precision_stays_as_it_is():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = VGG11(input_shape=(32, 32, 1), classes=2)
    finally:
        keras.config.set_dtype_policy("float32")
    dense = to_fully_convolutional(model)
    assert dense.get_layer("fc6").compute_dtype == "bfloat16"
    assert {dense.get_layer(n).compute_dtype for n in ("score_map", "output")} == {"float32"}


def test_networks_without_dense_layers_are_refused():
    for model in (GoogLeNet(include_top=False), VGG11(include_top=False)):
        with pytest.raises(InputError, match=f"end in Flatten and dense.*{model.name}, which ends"):
            to_fully_convolutional(model)
    with pytest.raises(InputError, match="googlenet"):
        to_fully_convolutional(GoogLeNet(input_shape=(65, 65, 3), aux_heads=True))


def test_an_operation_between_the_dense_layers_is_refused_not_lost():
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image := keras.Input((8, 8, 3))))
    x = keras.ops.relu(keras.layers.Dense(8)(x))
    model = keras.Model(image, keras.layers.Dense(3, "softmax")(x), name="net")
    with pytest.raises(InputError, match="Received: net, which ends in Dense, Relu, Dense"):
        to_fully_convolutional(model)
