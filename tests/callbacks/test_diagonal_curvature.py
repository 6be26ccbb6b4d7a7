"""The curvature is estimated before each epoch, and is what the optimiser divides by."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from kerascnn import InputError
from kerascnn.callbacks.diagonal_curvature import DiagonalCurvature
from kerascnn.optimizers import StochasticDiagonalLM

DIGITS = load_digits()
X, Y = (DIGITS.images / 16).astype("float32"), DIGITS.target


def network(optimizer=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(20, "tanh"),
            keras.layers.Dense(10, "softmax", dtype="float32"),
        ]
    )
    optimizer = optimizer or StochasticDiagonalLM(0.003)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, epochs=1, number=200, **options):
    callback = DiagonalCurvature(X, Y, **{"samples": 50} | options)
    return model.fit(
        X[:number], Y[:number], 8, epochs, callbacks=[callback], shuffle=False, verbose=0
    )


def curvatures(model):
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return [np.array(v) for v in optimizer.variables if "curvature" in v.name]


def test_digits_are_learnt():
    history = fit(network(), 3, number=1500, samples=300).history
    assert history["accuracy"][-1] > 0.9


def test_it_depends_on_the_seed_and_the_epoch_alone():
    first, again, other = network(), network(), network()
    fit(first)
    np.random.seed(7)
    fit(again)
    fit(other, seed=1)
    for one, two, three in zip(curvatures(first), curvatures(again), curvatures(other)):
        np.testing.assert_array_equal(one, two)
        assert (one != three).any() and (one >= 0).all() and (one != 1).any()


def test_each_epoch_has_its_own():
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(curvatures(self.model)[0])

    model = network()
    callbacks = [DiagonalCurvature(X, Y, samples=50), Look()]
    model.fit(X[:40], Y[:40], epochs=2, callbacks=callbacks, verbose=0)
    assert np.abs(seen[0] - seen[1]).max() > 0.01 * seen[0].max()


def test_the_curvature_of_the_last_bias_is_that_of_softmax():
    """p (1 - p) on average, whatever the network before it: about 0.09 for ten even classes."""
    model = network()
    model.layers[-1].set_weights([np.zeros((20, 10)), np.zeros(10)])
    callback = DiagonalCurvature(X, Y, samples=1500)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    np.testing.assert_allclose(curvatures(model)[-1], 0.09, rtol=0.35)
    assert curvatures(model)[-1].mean() == pytest.approx(0.09, rel=0.1)


def test_mixed_precision():
    plain = network()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = network()
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    losses = [fit(model).history["loss"][0] for model in (plain, half)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    for one, two in zip(curvatures(plain), curvatures(half)):
        np.testing.assert_allclose(one.sum(), two.sum(), rtol=0.15)


def test_another_optimizer_is_refused():
    with pytest.raises(InputError, match="for kerascnn.optimizers.StochasticDiagonalLM.*Adam"):
        fit(network(keras.optimizers.Adam()))


@pytest.mark.parametrize(
    "options, told",
    [
        ({"samples": 0}, "samples must be an int >= 1"),
        ({"y": Y[:5]}, "same number of samples"),
    ],
)
def test_bad_arguments(options, told):
    with pytest.raises(InputError, match=told):
        DiagonalCurvature(**{"x": X, "y": Y} | options)
