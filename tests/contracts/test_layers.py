"""What every layer keeps. A new layer joins by one row."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import layers

ROOT = Path(__file__).parents[2]
MAPS = (5, 4, 7)
CROPS = [((0, 0, 5, 4), (5, 4), (i, i, 4, 3), i == 1) for i in range(2)]


def arrays(shapes, number=8):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(number, *shape)).astype("float32") for shape in shapes]


def adapted(layer):
    layer.adapt(*arrays([MAPS]))
    return layer


LAYERS = {  # name: (function that makes the layer, shape of each input without its batch axis)
    "DropPath": (lambda: layers.DropPath(0.5, seed=1), MAPS),
    "FractalJoin": (lambda: layers.FractalJoin([0, 2], seed=1), MAPS, MAPS, ()),
    "FractalPath": (lambda: layers.FractalPath(3, mode="sample", seed=1), MAPS),
    "GlobalContrastNormalization": (layers.GlobalContrastNormalization, MAPS),
    "LearnedLossWeight": (layers.LearnedLossWeight, (4,)),
    "LocalResponseNormalization": (layers.LocalResponseNormalization, MAPS),
    "Maxout": (lambda: layers.Maxout(2), (5, 4, 6)),
    "MeanImage": (lambda: adapted(layers.MeanImage()), MAPS),
    "MeanOverViews": (lambda: layers.MeanOverViews(keras.layers.Dense(2), CROPS, (4, 3)), MAPS),
    "MinMaxScaling": (lambda: adapted(layers.MinMaxScaling()), MAPS),
    "OrdinalOutput": (lambda: layers.OrdinalOutput(5), (6,)),
    "PartiallyConnectedConv2D": (
        lambda: layers.PartiallyConnectedConv2D([[1, 1, 0], [0, 1, 1]], 3, activation="relu"),
        (6, 5, 2),
    ),
    "RBFOutput": (lambda: layers.RBFOutput(10, activation="softmax"), (84,)),
    "RandomizedReLU": (lambda: layers.RandomizedReLU(seed=1), MAPS),
    "StochasticDepthAdd": (
        lambda: layers.StochasticDepthAdd(0.5, mode="sample", activation="relu", seed=1),
        MAPS,
        MAPS,
    ),
    "TrainableSubsampling": (
        lambda: layers.TrainableSubsampling(2, activation=layers.scaled_tanh),
        (5, 6, 3),
    ),
    "Whitening": (lambda: adapted(layers.Whitening("pca", num_components=9)), MAPS),
    "ramp": (lambda: keras.layers.Activation(layers.ramp), MAPS),
    "scaled_tanh": (lambda: keras.layers.Activation(layers.scaled_tanh), (4,)),
}
FUNCTIONS = {"check_value_range", "survival_rates"}  # they make no layer
INDICES = {"FractalPath"}  # their output is integer: the dtype policy and gradients pass it by
DRAWING = [name for name, (make, *_) in LAYERS.items() if "seed" in make().get_config()]


def test_every_layer_has_a_row():
    assert set(LAYERS) | FUNCTIONS == set(layers.__all__)


@pytest.fixture
def row(request):
    make, *shapes = LAYERS[request.param]
    keras.utils.set_random_seed(0)
    return make, arrays(shapes)


every_layer = pytest.mark.parametrize("row", LAYERS, indirect=True)
every_layer_of_floats = pytest.mark.parametrize(
    "row", [name for name in LAYERS if name not in INDICES], indirect=True
)


def one_or_list(xs):
    return xs if len(xs) > 1 else xs[0]


def network(layer, xs, before=lambda x: x):
    """The functional model of the layer, whose first input passes through `before`."""
    first, *others = inputs = [keras.Input(x.shape[1:]) for x in xs]
    return keras.Model(one_or_list(inputs), layer(one_or_list([before(first), *others])))


def run(layer, xs, training=False):
    y = network(layer, xs)(one_or_list(xs), training=training)
    dtype = keras.backend.standardize_dtype(y.dtype)
    return keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")), dtype


@every_layer
def test_config_round_trip(row):
    make, xs = row
    layer = make()
    y, _ = run(layer, xs)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    network(again, xs)  # builds it if its config did not
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(run(again, xs)[0], y)


@every_layer
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # NumPy 1 in Keras
def test_saved_in_a_model(row, tmp_path):
    make, xs = row
    layer = make()
    network(layer, xs).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    assert type(again) is type(layer)
    np.testing.assert_array_equal(run(again, xs)[0], run(layer, xs)[0])


@every_layer
def test_symbolic_output_is_the_real_one(row):
    make, xs = row
    model = network(make(), xs)
    y = model(one_or_list(xs))
    assert tuple(model.output.shape[1:]) == tuple(y.shape[1:])
    assert model.output.dtype == keras.backend.standardize_dtype(y.dtype)


@pytest.mark.thorough
@every_layer_of_floats
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(row, policy, training):
    make, xs = row
    layer = make()
    half = type(layer).from_config(layer.get_config() | {"dtype": policy})
    half.build(one_or_list([x.shape for x in xs]))
    expected, _ = run(layer, xs, training)
    half.set_weights(layer.get_weights())
    y, dtype = run(half, xs, training)
    assert dtype == policy.removeprefix("mixed_")
    assert all(w.dtype == "float32" for w in half.weights)
    np.testing.assert_allclose(y, expected, rtol=0.05, atol=0.05)


@every_layer
def test_seed_repeats_the_start(row):
    make, xs = row
    keras.utils.set_random_seed(5)
    first, _ = run(make(), xs)
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(run(make(), xs)[0], first)


@pytest.mark.thorough
@pytest.mark.parametrize("name", DRAWING)
def test_seed_repeats_the_draws_of_training(name):
    make, *shapes = LAYERS[name]
    xs = arrays(shapes)

    def draws(seed):
        layer = type(make()).from_config(make().get_config() | {"seed": seed})
        return np.stack([run(layer, xs, training=True)[0] for _ in range(4)])

    first = draws(1)
    np.testing.assert_array_equal(draws(1), first)
    assert (draws(2) != first).any()
    assert all((first[0] != later).any() for later in first[1:])
    keras.utils.set_random_seed(5)
    unseeded = draws(None)
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(draws(None), unseeded)
    assert (draws(None) != unseeded).any()


@pytest.mark.thorough
@every_layer_of_floats
@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables .*learned_loss_weight")
def test_compiled_under_xla_it_passes_gradients_on(row):
    make, xs = row
    before = keras.layers.Dense(xs[0].shape[-1])
    model = network(make(), xs, before)
    expected = model(one_or_list(xs))
    model.compile("sgd", loss="mse", jit_compile=True)
    y = model.predict_on_batch(one_or_list(xs))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    kernel = before.get_weights()[0]
    assert np.isfinite(model.train_on_batch(one_or_list(xs), np.ones_like(expected)))
    assert (before.get_weights()[0] != kernel).any()


ON_JAX = """
import sys, jax, keras, numpy, kerascnn
folder, *names = sys.argv[1:]
for name in names:
    xs = list(numpy.load(f"{folder}/{name}.npz").values())
    model = kerascnn.load_model(f"{folder}/{name}.keras")
    variables = model.trainable_variables, model.non_trainable_variables
    state = [[v.value for v in some] for some in variables]

    def total(first, training):
        inputs = [first, *xs[1:]] if xs[1:] else first
        y, _ = model.stateless_call(*state, inputs, training=training)
        return keras.ops.sum(keras.ops.cast(y, "float32") ** 2), y

    gradient = jax.jit(jax.grad(total, has_aux=True), static_argnums=1)
    dx, y = gradient(xs[0], False)
    assert numpy.isfinite(gradient(xs[0], True)[0]).all(), name
    numpy.savez(f"{folder}/{name}.jax.npz", y=y, dx=dx)
"""


@pytest.mark.thorough
def test_outputs_and_gradients_are_the_same_on_jax(tmp_path):
    import tensorflow as tf

    expected = {}
    for name, (make, *shapes) in LAYERS.items():
        xs = arrays(shapes)
        model = network(make(), xs)
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", *xs)
        tensors = [tf.constant(x) for x in xs]
        with tf.GradientTape() as tape:
            tape.watch(tensors[0])
            y = model(one_or_list(tensors))
            total = tf.reduce_sum(tf.cast(y, "float32") ** 2)
        dx = tape.gradient(total, tensors[0], unconnected_gradients="zero")
        expected[name] = {"y": y, "dx": dx}
    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", ON_JAX, tmp_path, *LAYERS], env=env, check=True, timeout=120
    )
    for name, arrays_of_tf in expected.items():
        on_jax = np.load(tmp_path / f"{name}.jax.npz")
        for key, value in arrays_of_tf.items():
            np.testing.assert_allclose(on_jax[key], value, rtol=1e-4, atol=1e-4, err_msg=name)
