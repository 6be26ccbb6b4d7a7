"""What every layer keeps. A new layer joins by one row."""

import keras
import numpy as np
import pytest

from kerascnn import layers

LAYERS = {  # name: (function that makes the layer, shape of an input without its batch axis)
    "LocalResponseNormalization": (layers.LocalResponseNormalization, (5, 4, 7)),
    "scaled_tanh": (lambda: keras.layers.Activation(layers.scaled_tanh), (4,)),
    "TrainableSubsampling": (
        lambda: layers.TrainableSubsampling(2, activation=layers.scaled_tanh),
        (5, 6, 3),
    ),
    "PartiallyConnectedConv2D": (
        lambda: layers.PartiallyConnectedConv2D([[1, 1, 0], [0, 1, 1]], 3, activation="relu"),
        (6, 5, 2),
    ),
    "RBFOutput": (lambda: layers.RBFOutput(10, activation="softmax"), (84,)),
}


def test_every_layer_has_a_row():
    assert set(LAYERS) == set(layers.__all__)


@pytest.fixture(params=LAYERS)
def row(request):
    make, shape = LAYERS[request.param]
    keras.utils.set_random_seed(0)
    return make, np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


def run(layer, x):
    return keras.ops.convert_to_numpy(layer(x))


def test_config_round_trip(row):
    make, x = row
    layer = make()
    y = run(layer, x)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    run(again, x)  # builds it if its config did not
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(run(again, x), y)


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # NumPy 1 in Keras
def test_saved_in_a_model(row, tmp_path):
    make, x = row
    model = keras.Sequential([keras.Input(x.shape[1:]), make()])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(again, x), run(model, x))


def test_symbolic_shape_is_the_real_one(row):
    make, x = row
    layer = make()
    assert tuple(layer(keras.Input(x.shape[1:])).shape[1:]) == run(layer, x).shape[1:]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(row, policy):
    make, x = row
    layer = make()
    expected = run(layer, x)
    config = layer.get_config() | {"dtype": policy}
    half = type(layer).from_config(config)
    half.build(x.shape)
    half.set_weights(layer.get_weights())
    y = half(x)
    assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
    assert all(w.dtype == "float32" for w in half.weights)
    y = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
    np.testing.assert_allclose(y, expected, rtol=0.05, atol=0.05)


def test_seed_repeats_the_start(row):
    make, x = row
    keras.utils.set_random_seed(5)
    first = run(make(), x)
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(run(make(), x), first)


def test_compiled_under_xla_it_passes_gradients_on(row):
    make, x = row
    before = keras.layers.Dense(x.shape[-1])
    model = keras.Sequential([keras.Input(x.shape[1:]), before, make()])
    expected = run(model, x)
    model.compile("sgd", loss="mse", jit_compile=True)
    np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-4, atol=1e-5)
    kernel = before.get_weights()[0]
    assert np.isfinite(model.train_on_batch(x, np.zeros_like(expected)))
    assert (before.get_weights()[0] != kernel).any()
