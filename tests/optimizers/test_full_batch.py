"""Full-batch minimisation: known minima, all methods, and what is left after an early end."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from kerascnn import InputError, NonFiniteError, models
from kerascnn.optimizers import full_batch, minimize_full_batch

pytestmark = pytest.mark.thorough

DIGITS = load_digits()
X = (DIGITS.images[:200] / 16).astype("float32")
Y = DIGITS.target[:200]


def ridge(decay=0.01):
    """A linear model with a penalty, whose minimum is known in closed form."""
    keras.utils.set_random_seed(0)
    penalty = keras.regularizers.L2(decay)
    dense = keras.layers.Dense(1, kernel_regularizer=penalty, use_bias=False)
    model = keras.Sequential([keras.Input((5,)), dense])
    model.compile(loss="mse")
    return model


@pytest.mark.parametrize("method", full_batch._METHODS)
def test_every_method_finds_the_minimum_of_ridge_regression(method):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)), rng.normal(size=(60, 1))
    weights = rng.uniform(0.5, 2, 60)
    left = (x.T * weights) @ x / 60 + 0.01 * np.eye(5)
    expected = np.linalg.solve(left, (x.T * weights) @ y / 60)
    model = ridge()
    result = minimize_full_batch(
        model, x, y, method, sample_weight=weights, batch_size=25, verbose=False
    )
    np.testing.assert_allclose(model.get_weights()[0], expected, atol=1e-4)
    np.testing.assert_allclose(result.x, expected[:, 0], atol=1e-4)
    history = result.history
    assert len({len(values) for values in history.values()}) == 1
    assert history["loss"][-1] == pytest.approx(result.fun)
    assert result.fun < history["loss"][0]
    assert (history["hessian_products"][-1] > 0) == (method in ("Newton-CG", "trust-ncg", "Newton"))
    assert all((np.diff(values) >= 0).all() for name, values in history.items() if name != "loss")


def digits_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(4, 3, 2, activation="tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("method", ["L-BFGS-B", "CG", "trust-ncg", "BFGS"])
def test_digits_are_learnt(method, capsys):
    model = digits_model()
    statistics = [np.array(v) for v in model.non_trainable_variables]
    result = minimize_full_batch(model, X, Y, method, max_iterations=25)
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert accuracy > 0.9 and loss == pytest.approx(result.fun, rel=1e-4)
    assert result.fun < 0.3 * result.history["loss"][0]
    shown = capsys.readouterr().err
    assert method in shown and "loss=" in shown and "gradients=" in shown
    for variable, before in zip(model.non_trainable_variables[:2], statistics[:2]):
        np.testing.assert_array_equal(variable, before)  # of batch normalisation


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_the_best_weights_are_kept_when_it_is_stopped(error, monkeypatch):
    model, calls = digits_model(), []
    plain = full_batch.Objective.loss_and_gradient

    def interrupted(self, w):
        calls.append(plain(self, w)[0])
        if len(calls) == 12:
            raise error
        return plain(self, w)

    monkeypatch.setattr(full_batch.Objective, "loss_and_gradient", interrupted)
    if error is KeyboardInterrupt:
        result = minimize_full_batch(model, X, Y, verbose=False)
        assert not result.success and "Ctrl-C" in result.message
        assert result.fun == min(calls[:-1]) and len(result.history["loss"]) > 5
    else:
        with pytest.raises(error):
            minimize_full_batch(model, X, Y, verbose=False)
    assert len(calls) == 12
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(min(calls[:-1]), rel=1e-4)
    assert min(calls[:-1]) < calls[0]


@pytest.mark.parametrize("method", ["BFGS", "Newton"])
def test_a_matrix_too_large_is_refused_with_its_size(method):
    model = models.LeNet5()
    model.compile(loss="sparse_categorical_crossentropy")
    with pytest.raises(InputError, match=r"60,850 x 60,850 numbers, 29\.6 GB.*L-BFGS-B"):
        minimize_full_batch(model, np.zeros((2, 32, 32, 1)), np.zeros(2), method)


def test_what_the_note_says_about_a_million_parameters():
    """ECE239AS: 4 bytes each, 3.6 TB (of 1024^4); SciPy's have 8."""
    assert full_batch._size(4 * (10**6) ** 2) == "4.0 TB"


@pytest.mark.parametrize(
    "options, told",
    [
        ({"method": "L-BFGS"}, "Did you mean 'L-BFGS-B'"),
        ({"max_iterations": 0}, "max_iterations must be an int >= 1"),
        ({"batch_size": -1}, "batch_size must be an int >= 1"),
        ({"y": np.zeros(3)}, "same number of samples"),
    ],
)
def test_bad_arguments(options, told):
    with pytest.raises(InputError, match=told):
        minimize_full_batch(**{"model": ridge(), "x": np.zeros((4, 5)), "y": np.zeros(4)} | options)


def test_a_start_that_is_not_finite():
    with pytest.raises(NonFiniteError, match="The loss at the start is nan"):
        minimize_full_batch(ridge(), np.full((4, 5), np.nan), np.zeros(4), verbose=False)
