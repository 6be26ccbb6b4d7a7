"""What every optimiser keeps. A new one joins by one row."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import load_model, optimizers

ROOT = Path(__file__).parents[2]
OPTIMIZERS = {
    "RAdam": lambda **options: optimizers.RAdam(**{"learning_rate": 0.1} | options),
    "StochasticDiagonalLM": lambda **options: optimizers.StochasticDiagonalLM(
        **{"learning_rate": 0.3} | options
    ),
}
FUNCTIONS = {"layer_rates", "minimize_full_batch"}
X = np.random.default_rng(0).normal(size=(24, 5, 5, 1)).astype("float32")
Y = (X[:, 2, 2, 0] > 0).astype("int32")
OPTIONS = {
    "plain": {},
    "schedule": {"learning_rate": keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.1)},
    "weight_decay": {"weight_decay": 0.1},
    "clipnorm": {"clipnorm": 0.01},
    "global_clipnorm": {"global_clipnorm": 0.01},
    "clipvalue": {"clipvalue": 0.001},
    "use_ema": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
    "accumulation": {"gradient_accumulation_steps": 2},
}
ON_JAX_TOO = ("schedule", "weight_decay", "use_ema", "accumulation")  # have code of their own there
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def test_every_optimizer_has_a_row():
    assert set(OPTIMIZERS) | FUNCTIONS == set(optimizers.__all__)


def network(optimizer, run_eagerly=True, **options):
    """Run eagerly unless told, so that it starts at once."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5, 5, 1)),
            keras.layers.Conv2D(3, 3, activation="tanh", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax", name="dense", dtype="float32"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=run_eagerly, **options)
    return model


def train(model, steps=6):
    """The losses of some steps on all the data."""
    return [float(model.train_on_batch(X, Y)) for _ in range(steps)]


def assert_same(model, other):
    for one, two in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-7)


@pytest.mark.thorough
@every_optimizer
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_config_round_trip(make, options):
    optimizer = make(**options)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    one, two = network(optimizer), network(again)
    assert train(one) == train(two)


@pytest.mark.thorough
@every_optimizer
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_saved_in_the_middle_it_goes_on_as_if_it_was_not(make, options, tmp_path):
    whole, half = network(make(**options)), network(make(**options))
    train(whole, 8)
    train(half, 5)
    half.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    train(again, 3)
    assert_same(again, whole)


@every_optimizer
def test_it_learns(make):
    losses = train(network(make()), 40)
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.thorough
@every_optimizer
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "plain"])
def test_options_of_keras_act(make, name):
    plain, other = network(make()), network(make(**OPTIONS[name]))
    train(plain)
    train(other)
    assert np.abs(plain.get_weights()[0] - other.get_weights()[0]).max() > 1e-4


@every_optimizer
def test_weight_decay_is_decoupled(make):
    """One step on a gradient of 0 shrinks the weight by rate * decay, and moves nothing else."""
    variable = keras.Variable(np.ones(3, "float32"))
    optimizer = make(weight_decay=0.5)
    optimizer.build([variable])
    optimizer.apply([np.zeros(3, "float32")], [variable])
    np.testing.assert_allclose(variable, 1 - float(optimizer.learning_rate) * 0.5, rtol=1e-6)


@every_optimizer
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(make, policy):
    plain = network(make())
    keras.config.set_dtype_policy(policy)
    try:
        half = network(make())
    finally:
        keras.config.set_dtype_policy("float32")
    scaled = isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    np.testing.assert_allclose(train(half), train(plain), rtol=0.05)


@pytest.mark.thorough
@every_optimizer
@pytest.mark.parametrize("jit_compile", [True, False])
def test_compiled_or_not_it_is_the_same(make, jit_compile):
    compiled = network(make(), run_eagerly=False, jit_compile=jit_compile)
    np.testing.assert_allclose(train(compiled), train(network(make())), rtol=1e-4)


ON_JAX = """
import sys
sys.path.insert(0, "")
import numpy
from tests.contracts import test_optimizers as t
for name, make in t.OPTIMIZERS.items():
    for option in t.ON_JAX_TOO:
        model = t.started(make(**t.OPTIONS[option]), run_eagerly=False)
        numpy.save(f"{sys.argv[1]}/{name}-{option}.npy", t.train(model))
"""


def started(optimizer, **options):
    """Weights that depend on no backend."""
    model, rng = network(optimizer, **options), np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.thorough
def test_the_steps_are_the_same_on_jax(tmp_path):
    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", ON_JAX, tmp_path], env=env, check=True, timeout=120, cwd=ROOT
    )
    for name, make in OPTIMIZERS.items():
        for option in ON_JAX_TOO:
            losses = train(started(make(**OPTIONS[option])))
            on_jax = np.load(tmp_path / f"{name}-{option}.npy")
            np.testing.assert_allclose(on_jax, losses, rtol=1e-4, err_msg=f"{name}, {option}")
