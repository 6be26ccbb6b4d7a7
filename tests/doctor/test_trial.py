"""A copy trains as the model would, without what is random; the model stays as it is."""

import keras
import numpy as np
import pytest
from keras import layers

from kerascnn.doctor._trial import Trial

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 5)).astype("float32"), RNG.normal(size=(8, 1)).astype("float32")


def linear(*more, **options):
    model = keras.Sequential([keras.Input((5,)), *more, layers.Dense(1, name="out", **options)])
    model.compile("sgd", "mse")
    return model


def test_losses_are_those_of_gradient_descent():
    """By hand: w falls by rate * 2 x^T (x w + b - y) / n, b by its mean."""
    model = linear()
    w, b, expected = *[np.array(v) for v in model.get_weights()], []
    for _ in range(4):
        error = X @ w + b - Y
        expected.append((error**2).mean())
        w, b = w - 0.1 * 2 * X.T @ error / 8, b - 0.1 * 2 * error.mean(axis=0)
    trial = Trial(model, keras.optimizers.SGD())
    np.testing.assert_allclose(trial.losses([(X, Y)], 0.1, 4), expected, rtol=1e-4)
    np.testing.assert_allclose(trial.losses([(X, Y)], 0.1, 4), expected, rtol=1e-4)  # from anew
    assert trial.first_loss((X, Y, None)) == pytest.approx(expected[0], rel=1e-5)


def test_momentum_begins_anew_too():
    trial = Trial(linear(), keras.optimizers.SGD(momentum=0.9))
    first = trial.losses([(X, Y)], 0.1, 5)
    assert trial.losses([(X, Y)], 0.1, 5) == first


def test_it_ends_when_it_is_enough_or_infinite():
    trial = Trial(linear(), keras.optimizers.SGD())
    plenty = trial.losses([(X, Y)], 0.1, 9)
    losses = trial.losses([(X, Y)], 0.1, 200, enough=plenty[4])
    assert losses == plenty[:5]
    with np.errstate(over="ignore", invalid="ignore"):
        losses = trial.losses([(X, Y)], 1e9, 200)
    assert len(losses) < 20 and not np.isfinite(losses[-1])


def test_nothing_random_and_no_penalty():
    noise = [layers.Dropout(0.9), layers.GaussianNoise(1.0)]
    trial = Trial(linear(*noise, kernel_regularizer="l2"), keras.optimizers.SGD())
    plain = linear()
    plain.set_weights(trial.model.get_weights())
    expected = Trial(plain, keras.optimizers.SGD()).losses([(X, Y)], 0.1, 3)
    np.testing.assert_allclose(trial.losses([(X, Y)], 0.1, 3), expected, rtol=1e-5)


def test_batches_take_turns():
    trial = Trial(linear(), keras.optimizers.SGD())
    losses = trial.losses([(X[:4], Y[:4]), (X[4:], Y[4:])], 0.0, 4)
    assert losses[0] == losses[2] != losses[1] == losses[3]


def test_the_model_stays_as_it_is_and_nested_models_are_copied():
    inner = keras.Sequential([keras.Input((5,)), layers.Dropout(0.5), layers.Dense(4)])
    model = linear(inner, layers.BatchNormalization())
    inner.trainable = False
    before = [np.array(v) for v in model.variables]
    trial = Trial(model, keras.optimizers.SGD())
    assert len(trial.model.trainable_variables) == len(model.trainable_variables) == 4
    trial.losses([(X, Y)], 0.1, 3)
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, b)
