"""A small model, and a device of known speed."""

import keras
import numpy as np
import pytest

from kerascnn.compute import _trial

ALONE = {"precisions": (), "steps_per_execution": ()}  # nothing but the model as it is, and XLA
HALF = "mixed_bfloat16"
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="XLA is a choice on TensorFlow alone"
)


def network(units=8, scale=1.0):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(units, "relu", name="hidden"),
            keras.layers.Rescaling(scale, name="scale"),
            keras.layers.Dropout(0.5, name="dropout"),
            keras.layers.Dense(2, name="out"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse", metrics=["mae"])
    return model


def arrays(rows=128):
    x = np.random.default_rng(0).normal(size=(rows, 6)).astype("float32")
    return x, x[:, :2]


@pytest.fixture
def device(monkeypatch):
    """A device of known speed in place of the clock and the compiler.

    {(precision, XLA, steps at once) or size of a batch: images a second, one for each round, or an
    error that starting it raises}.
    """
    known = {}

    def start(trial, model, rows):
        trial.model, trial.loss, trial.seconds = model, 1.0, 1.0
        for rate, *_ in of(trial):
            if isinstance(rate, Exception):
                raise rate

    def of(trial):
        choice = trial.choice
        key = choice.precision, choice.jit_compile, choice.steps_per_execution
        return known.get(key, (100,)), known.get(choice.micro_batch_size, (1,))

    def measure(trial):
        rates = [rates[len(trial.ratios) % len(rates)] for rates in of(trial)]
        return rates[0] * rates[1]

    monkeypatch.setattr(_trial.Trial, "start", start)
    monkeypatch.setattr(_trial.Trial, "measure", measure)
    return known


def tried(choice):
    keys = "precision", "jit_compile", "steps_per_execution"
    return {tuple(row[key] for key in keys): row for row in choice.rows}


def settings(choice):
    return choice.precision, choice.jit_compile, choice.steps_per_execution
