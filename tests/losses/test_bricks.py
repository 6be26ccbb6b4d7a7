"""The bricks of a lecture on backpropagation: their gradients by rule and by finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerascnn import InputError
from kerascnn.layers import ramp
from kerascnn.losses import HingeLoss, LogLoss, MaxMarginLoss

RNG = np.random.default_rng(1)
X = RNG.uniform(-3, 3, (40, 5))
D = RNG.normal(size=(40, 5))
C = RNG.choice([-1.0, 1.0], (40, 1))
K = RNG.integers(5, size=40)
ROW, ONE_HOT = np.arange(40), np.eye(5)[K]
ops = keras.ops


def of_max_margin(x):
    others = np.where(ONE_HOT == 1, -np.inf, x)
    active = 1.0 + others.max(axis=-1) - x[ROW, K] > 0
    return (np.eye(5)[others.argmax(axis=-1)] - ONE_HOT) * active[:, None]


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


square = keras.losses.MeanSquaredError()
logsoftmax = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
LOSSES = {  # name: (x, its loss, the rule for the gradient, distance from kinks)
    "square": (X, lambda x: 2.5 * square.call(D, x), lambda x: x - D, None),
    "log": (
        X[:, :1],
        lambda x: LogLoss().call(C, x),
        lambda x: -C / (1 + np.exp(C * x)),
        None,
    ),
    "hinge": (
        X[:, :1],
        lambda x: HingeLoss(margin=0.7).call(C, x),
        lambda x: -C * (C * x < 0.7),
        np.abs(C * X[:, :1] - 0.7),
    ),
    "logsoftmax": (X, lambda x: logsoftmax.call(K, x), lambda x: softmax(x) - ONE_HOT, None),
    "max-margin": (
        X,
        lambda x: MaxMarginLoss(margin=1.0).call(K, x),
        of_max_margin,
        np.abs(1 + np.where(ONE_HOT == 1, -np.inf, X).max(axis=-1) - X[ROW, K])[:, None],
    ),
}
ACTIVATIONS = {  # name: (function, derivative, kinks)
    "sigmoid": (ops.sigmoid, lambda x: 1 / ((1 + np.exp(x)) * (1 + np.exp(-x))), []),
    "tanh": (ops.tanh, lambda x: 1 / np.cosh(x) ** 2, []),
    "relu": (ops.relu, lambda x: 1.0 * (x > 0), [0]),
    "ramp": (ramp, lambda x: 1.0 * (np.abs(x) < 1), [-1, 1]),
}


def gradient(function, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = ops.sum(function(x))
    return ops.convert_to_numpy(tape.gradient(total, x))


def differences(function, x, step=1e-6):
    """Central differences of the sum, in float64, entry by entry."""
    result = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        for sign in (-1, 1):
            moved = x.copy()
            moved[index] += sign * step
            result[index] += sign * float(ops.sum(function(tf.constant(moved)))) / (2 * step)
    return result


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_a_loss_brick(name):
    x, loss, rule, distance = LOSSES[name]
    away = np.broadcast_to(True if distance is None else distance > 1e-3, x.shape)
    found = gradient(loss, x)
    np.testing.assert_allclose(found, rule(x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[away], differences(loss, x)[away], rtol=1e-5, atol=1e-7)
    assert away.mean() > 0.9


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_of_an_activation_brick(name):
    function, derivative, kinks = ACTIVATIONS[name]
    away = np.all([np.abs(X - kink) > 1e-3 for kink in kinks] or [np.ones(X.shape, bool)], axis=0)
    found = gradient(function, X)
    np.testing.assert_allclose(found, derivative(X), rtol=1e-9)
    np.testing.assert_allclose(found[away], differences(function, X)[away], rtol=1e-5, atol=1e-8)


def test_gradients_of_the_linear_brick():
    w = RNG.normal(size=(5, 3))
    upstream = RNG.normal(size=(40, 3))

    def forward(x, w):
        return upstream * ops.matmul(x, w)

    by_x = gradient(lambda x: forward(x, tf.constant(w)), X)
    by_w = gradient(lambda w: forward(tf.constant(X), w), w)
    np.testing.assert_allclose(by_x, upstream @ w.T, rtol=1e-10)
    np.testing.assert_allclose(by_w, X.T @ upstream, rtol=1e-10)
    np.testing.assert_allclose(by_w, differences(lambda w: forward(X, w), w), rtol=1e-6)


def test_bricks_of_keras_are_ours():
    scores, signs, labels = X[:, :1], C, (C + 1) / 2
    log = keras.losses.BinaryCrossentropy(from_logits=True)
    for c in (signs, labels, labels[:, 0]):  # 0 is read as -1
        assert float(LogLoss()(c, scores)) == pytest.approx(float(log(labels, scores)), rel=1e-6)
        ours, keras_s = HingeLoss()(c, scores), keras.losses.Hinge()(signs, scores)
        assert float(ours) == pytest.approx(float(keras_s), rel=1e-6)


def test_the_largest_wrong_score_may_be_negative():
    """Where `CategoricalHinge` differs: a constant on all scores changes it."""
    one_hot, keras_s = np.eye(3)[[0]], keras.losses.CategoricalHinge()
    for constant in (0.0, -10.0):
        scores = np.array([[0.4, 0.1, -2.0]]) + constant
        assert float(MaxMarginLoss()([0], scores)) == pytest.approx(0.7, abs=1e-5)
    assert float(keras_s(one_hot, scores)) == pytest.approx(10.6, abs=1e-5)


def test_no_score_overflows():
    far = np.array([[1000.0], [-1000.0]], "float32")
    assert float(LogLoss()([-1, 1], far)) == pytest.approx(1000)
    assert np.isfinite(gradient(lambda x: LogLoss().call([-1, 1], x), far)).all()


@pytest.mark.parametrize("loss", [HingeLoss, MaxMarginLoss])
def test_a_margin_is_positive(loss):
    for margin in (0, "wide"):
        with pytest.raises(InputError, match="`margin` must be positive"):
            loss(margin=margin)


@pytest.mark.parametrize("loss", [LogLoss(), HingeLoss()], ids=["log", "hinge"])
@pytest.mark.parametrize("label", [0.5, 2, -0.9])
def test_a_label_that_is_no_sign_is_loud(loss, label):
    assert np.isnan(float(loss(np.array([label, 1.0]), np.array([[0.3], [0.2]], "float32"))))
