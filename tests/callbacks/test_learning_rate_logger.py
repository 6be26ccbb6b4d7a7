"""The history holds what the optimiser had, whatever changed it."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import LearningRateLogger

S = keras.optimizers.schedules
X = np.ones((8, 1), "float32")


def fit(rate, epochs, *callbacks):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    callbacks = [*callbacks, LearningRateLogger()]
    return model.fit(X, X, batch_size=2, epochs=epochs, callbacks=callbacks, verbose=0).history


def test_a_schedule():
    schedule = S.ExponentialDecay(0.1, 4, 0.5, staircase=True)
    expected = kc.schedules.simulate(schedule, [4, 8, 12])
    np.testing.assert_allclose(fit(schedule, 3)["learning_rate"], expected, rtol=1e-6)


def test_a_rate_that_another_callback_sets():
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    np.testing.assert_allclose(fit(0.8, 3, halve)["learning_rate"], [0.4, 0.2, 0.1], rtol=1e-6)


def test_a_schedule_that_is_too_short():
    """CosineDecay of 12 steps in a training of 20."""
    with pytest.raises(kc.InputError, match=r"CosineDecay is 0 at step 12, but fit trains 20 ste"):
        fit(S.CosineDecay(0.1, 12), 5)
    fit(S.CosineDecay(0.1, 20), 5)
    fit(S.PiecewiseConstantDecay([3], [0.1, 0.01]), 5)
