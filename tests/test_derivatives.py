"""Loss, gradient and Hessian products of Keras models, against evaluate and finite differences."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn._derivatives import Objective

ROOT = Path(__file__).parents[1]
L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 6, 6, 2))
Y = RNG.integers(3, size=23)
WEIGHTS = RNG.uniform(size=23)


def network(activity=0.01):
    """Everything that makes a loss: penalties, statistics and layers that training would change."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            L.Conv2D(3, 3, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.1)),
            L.BatchNormalization(),
            L.Activation("tanh", activity_regularizer=activity and keras.regularizers.L2(activity)),
            L.MaxPooling2D(),
            L.Dropout(0.5),
            L.Flatten(),
            L.Dense(3, "softmax"),
        ]
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.2, 1, w.shape) for w in model.get_weights()])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def precise():
    """The objective of a float64 model, weighted samples, batches of 7, and where to look at it."""
    set_dtype("float64")
    try:
        model = network()
        yield Objective(model, X, Y, WEIGHTS, batch_size=7), model
    finally:
        set_dtype("float32")


def set_dtype(dtype):
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def test_the_loss_is_that_of_evaluate(precise):
    objective, model = precise
    loss, _ = objective.loss_and_gradient(objective.weights())
    assert loss == pytest.approx(model.evaluate(X, Y, 23, 0, sample_weight=WEIGHTS), rel=1e-6)


def test_gradient_and_hessian_by_finite_differences(precise):
    objective, _ = precise
    w = objective.weights()
    direction = np.random.default_rng(2).normal(size=len(w))
    below, above = (objective.loss_and_gradient(w + e * direction) for e in (-1e-4, 1e-4))
    _, gradient = objective.loss_and_gradient(w)
    assert gradient @ direction == pytest.approx((above[0] - below[0]) / 2e-4, rel=1e-6)
    product = objective.hessian_product(w, direction)
    np.testing.assert_allclose(product, (above[1] - below[1]) / 2e-4, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("batch_size", [1, 8, 23, 100])
def test_batches_change_nothing(batch_size):
    model = network()
    expected = Objective(model, X, Y, WEIGHTS)
    objective = Objective(model, X, Y, WEIGHTS, batch_size)
    w = objective.weights()
    for one, two in zip(objective.loss_and_gradient(w), expected.loss_and_gradient(w)):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_the_model_is_only_read_until_it_is_assigned():
    model = network()
    before = model.get_weights()
    objective = Objective(model, X, Y)
    w = objective.weights()
    first = objective.loss_and_gradient(w)[0]
    moved = objective.loss_and_gradient(w + 1)[0]
    objective.hessian_product(w, w)
    for one, two in zip(model.get_weights(), before):
        np.testing.assert_array_equal(one, two)
    objective.assign(w + 1)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(moved, rel=1e-5)
    assert moved != first
    np.testing.assert_array_equal(objective.weights(), (w + 1).astype("float32"))


def test_frozen_weights_and_several_inputs_and_outputs():
    inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((2,), name="b")}
    fixed = L.Dense(4, "tanh", trainable=False)
    x = L.Concatenate()([fixed(inputs["a"]), inputs["b"]])
    model = keras.Model(inputs, {"one": L.Dense(1)(x), "two": L.Dense(2)(x)})
    model.compile("sgd", {"one": "mse", "two": "mae"}, loss_weights={"one": 1.0, "two": 0.3})
    data = {"a": RNG.normal(size=(9, 3)), "b": RNG.normal(size=(9, 2))}
    labels = {"one": RNG.normal(size=(9, 1)), "two": RNG.normal(size=(9, 2))}
    objective = Objective(model, data, labels, batch_size=4)
    loss, gradient = objective.loss_and_gradient(objective.weights())
    assert len(gradient) == 7 + 14
    expected = model.evaluate(data, labels, 9, 0, return_dict=True)["loss"]
    assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        half = network(activity=None)  # Keras adds up no losses of different dtypes
    finally:
        keras.config.set_dtype_policy("float32")
    whole = Objective(network(activity=None), X, Y)
    expected, gradient = whole.loss_and_gradient(whole.weights())
    loss, rough = Objective(half, X, Y).loss_and_gradient(whole.weights())
    assert loss == pytest.approx(expected, rel=0.02)
    assert rough @ gradient > 0.99 * np.linalg.norm(rough) * np.linalg.norm(gradient)


ON_JAX = """
import sys, numpy
from tests import test_derivatives as t
numpy.save(sys.argv[1], t.derivatives())
"""


def derivatives():
    objective = Objective(network(), X, Y, WEIGHTS, batch_size=7)
    w = objective.weights()
    loss, gradient = objective.loss_and_gradient(w)
    return np.concatenate(
        [[loss], gradient, objective.hessian_product(w, np.sin(np.arange(len(w))))]
    )


@pytest.mark.slow
def test_the_same_on_jax(tmp_path):
    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ON_JAX, tmp_path / "derivatives.npy"]
    subprocess.run(command, env=env, check=True, timeout=120, cwd=ROOT)
    on_jax = np.load(tmp_path / "derivatives.npy")
    np.testing.assert_allclose(on_jax, derivatives(), rtol=1e-4, atol=1e-5)


MEMORY = """
import resource, sys, keras, numpy as np
from kerascnn._derivatives import Objective
from kerascnn.models import LeNet5
x = np.lib.format.open_memmap(sys.argv[1], "w+", "float32", (20_000, 32, 32, 1))
model = LeNet5()
model.compile("sgd", "sparse_categorical_crossentropy")
for samples in (2_000, 20_000):
    objective = Objective(model, x[:samples], np.zeros(samples))
    w = objective.weights()
    objective.loss_and_gradient(w)
    objective.hessian_product(w, w)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_samples(tmp_path):
    """The images alone are 82 MB of a file that is mapped; the activations of all would be 900."""
    command = [sys.executable, "-c", MEMORY, tmp_path / "x.npy"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    output = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    few, many = map(int, output.split())
    assert many - few < 200, f"{few} MB for 2,000 images, {many} MB for 20,000"


def compiled(**options):
    model = keras.Sequential([keras.Input((2,)), L.Dense(1)])
    model.compile("sgd", **{"loss": "mse"} | options)
    return model


BAD = {
    "not built": (lambda: keras.Sequential([L.Dense(1)]), {}, "no trainable weights"),
    "no loss": (lambda: compiled(loss=None), {}, "needs a loss"),
    "not compiled": (
        lambda: keras.Sequential([keras.Input((2,)), L.Dense(1)]),
        {},
        "needs a loss",
    ),
    "a sum": (
        lambda: compiled(loss=keras.losses.MeanSquaredError(reduction="sum")),
        {},
        "Received: reduction='sum'",
    ),
    "lengths": (compiled, {"y": np.zeros(4)}, "same number of samples, at least 1. Received: 3, 4"),
    "nothing": (compiled, {"x": np.zeros((0, 2)), "y": np.zeros(0)}, "at least 1. Received: 0"),
    "batches": (compiled, {"batch_size": 0}, "batch_size must be an int >= 1"),
}


@pytest.mark.parametrize("make, options, told", BAD.values(), ids=BAD)
def test_bad_arguments(make, options, told):
    with pytest.raises(InputError, match=told):
        Objective(make(), **{"x": np.zeros((3, 2)), "y": np.zeros(3)} | options)
