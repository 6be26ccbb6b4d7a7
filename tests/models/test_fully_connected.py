"""The dense layers that AlexNet, ZFNet and VGG end in."""

import keras
import numpy as np
import pytest

from kerascnn.models._fully_connected import fully_connected_top, normal


def test_layers_of_one_shape_start_differently():
    first, second = (keras.ops.convert_to_numpy(normal()((100, 100))) for _ in range(2))
    assert abs(first - second).max() > 0.01
    assert first.std() == pytest.approx(0.01, rel=0.05)
    assert abs(first).max() > 0.03  # not truncated at two standard deviations


def test_it_is_three_dense_layers():
    inputs = keras.Input((2, 3, 4))
    model = keras.Model(inputs, fully_connected_top("softmax", hidden_bias=0.5)(inputs, 5))
    shapes = [layer.kernel.shape for layer in model.layers if layer.weights]
    assert shapes == [(24, 4096), (4096, 4096), (4096, 5)]
    biases = [set(layer.get_weights()[1]) for layer in model.layers if layer.weights]
    assert biases == [{0.5}, {0.5}, {0.0}]
    kernels = {n: model.get_layer(n).get_weights()[0] for n in ("fc6", "fc7", "output")}
    x = np.random.default_rng(0).normal(size=(3, 2, 3, 4)).astype("float32")
    y = x.reshape(3, 24)
    for name in ("fc6", "fc7"):
        y = np.maximum(y @ kernels[name] + 0.5, 0)
    logits = y @ kernels["output"]
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4)


def test_dropout_acts_in_training_only():
    inputs = keras.Input((1, 1, 2))
    model = keras.Model(inputs, fully_connected_top(None)(inputs, 2))
    x = np.ones((1, 1, 1, 2), "float32")
    for name in ("fc6", "fc7"):
        part = keras.Model(model.input, model.get_layer(f"{name}_dropout").output)
        kept = (keras.ops.convert_to_numpy(part(x, training=True)) != 0).mean()
        alive = (keras.ops.convert_to_numpy(part(x)) != 0).mean()
        assert kept == pytest.approx(alive / 2, abs=0.05)
