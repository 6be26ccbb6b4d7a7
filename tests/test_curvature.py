"""The diagonal of the Gauss-Newton matrix, against the whole matrix by hand."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn._curvature import GaussNewtonDiagonal

ROOT = Path(__file__).parents[1]
X = np.random.default_rng(0).normal(size=(12, 4))


def softmax(z):
    p = np.exp(z - z.max())
    return p / p.sum()


def network(activation, loss):
    """4 - 3 - 3, tanh, no biases: two weight matrices whose derivatives are easy by hand."""
    dense = [keras.layers.Dense(3, a, use_bias=False) for a in ("tanh", activation)]
    model = keras.Sequential([keras.Input((4,)), *dense])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.compile("sgd", loss)
    return model


def exact(model, hessian):
    """The mean of the diagonals of J^T H J, with `hessian` a function of a sample's last sums."""
    first, last = (w.astype("f8") for w in model.get_weights())
    total = [np.zeros(first.shape), np.zeros(last.shape)]
    for x in X:
        hidden = np.tanh(x @ first)
        h = hessian(hidden @ last)
        for i, j in np.ndindex(first.shape):
            jacobian = x[i] * (1 - hidden[j] ** 2) * last[j]
            total[0][i, j] += jacobian @ h @ jacobian
        for i, j in np.ndindex(last.shape):
            total[1][i, j] += hidden[i] ** 2 * h[j, j]
    return [t / len(X) for t in total]


def of_softmax(z):
    return np.diag(softmax(z)) - np.outer(softmax(z), softmax(z))


def of_sigmoids(z):
    p = 1 / (1 + np.exp(-z))
    return np.diag(p * (1 - p)) / 3


CLASSES = np.arange(12) % 3
ONE_HOT = np.eye(3)[CLASSES]
C = keras.losses
LOSSES = {  # name: (last activation, loss, labels, H of a sample)
    "classes": ("softmax", "sparse_categorical_crossentropy", CLASSES, of_softmax),
    "one-hot": ("softmax", "categorical_crossentropy", ONE_HOT, of_softmax),
    "logits": (None, C.SparseCategoricalCrossentropy(from_logits=True), CLASSES, of_softmax),
    "sigmoids": ("sigmoid", "binary_crossentropy", ONE_HOT, of_sigmoids),
    "squares": (None, "mse", ONE_HOT, lambda z: 2 / 3 * np.eye(3)),
}


@pytest.mark.parametrize("activation, loss, labels, hessian", LOSSES.values(), ids=LOSSES)
def test_it_is_the_diagonal_on_average(activation, loss, labels, hessian):
    model = network(activation, loss)
    random = np.random.default_rng(0)
    found = GaussNewtonDiagonal(model).estimate(X, labels, random, draws=150, batch_size=3)
    for estimate, expected in zip(found, exact(model, hessian)):
        np.testing.assert_allclose(estimate, expected, rtol=0.4)
        assert estimate.sum() == pytest.approx(expected.sum(), rel=0.1)


def test_with_one_output_and_one_sample_a_gradient_it_is_exact():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    kernel, bias = GaussNewtonDiagonal(model).estimate(
        X, X[:, 0], np.random.default_rng(0), batch_size=1
    )
    np.testing.assert_allclose(kernel[:, 0], 2 * (X**2).mean(0), rtol=1e-5)
    np.testing.assert_allclose(bias, 2, rtol=1e-5)


def test_shared_weights_have_the_curvature_of_the_sum_of_their_places():
    """A 1x1 convolution and a mean over places is a dense layer on the mean."""
    images = np.random.default_rng(0).normal(size=(6, 3, 3, 1))
    conv = keras.layers.Conv2D(1, 1, use_bias=False)
    model = keras.Sequential([keras.Input((3, 3, 1)), conv, keras.layers.GlobalAveragePooling2D()])
    model.compile("sgd", "mse")
    (found,) = GaussNewtonDiagonal(model).estimate(
        images, np.zeros(6), np.random.default_rng(0), batch_size=1
    )
    expected = 2 * (images.mean((1, 2, 3)) ** 2).mean()
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-5)


def test_regularisers_and_dropout_do_not_count():
    plain, other = (keras.Sequential([keras.Input((4,))]) for _ in range(2))
    plain.add(keras.layers.Dense(1))
    other.add(keras.layers.Dropout(0.5))
    other.add(keras.layers.Dense(1, kernel_regularizer="l2"))
    found = []
    for model in (plain, other):
        model.compile("sgd", "mse")
        diagonal = GaussNewtonDiagonal(model)
        found.append(diagonal.estimate(X, X[:, 0], np.random.default_rng(0)))
    for one, two in zip(*found):
        np.testing.assert_allclose(one, two, rtol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        lambda: kc.models.LeNet5(),
        lambda: kc.models.LeNet5(output="rbf"),
        lambda: kc.models.LeNet5(variant="modern"),
    ],
)
def test_lenet(model):
    model = model()
    model.compile("sgd", "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).normal(size=(20, 32, 32, 1))
    found = GaussNewtonDiagonal(model).estimate(
        images, np.arange(20) % 10, np.random.default_rng(0)
    )
    for weight, values in zip(model.trainable_weights, found):
        assert values.shape == tuple(weight.shape)
        assert np.isfinite(values).all() and (values >= 0).all() and values.max() > 0


@pytest.mark.parametrize("rubbish", [None, pytest.param(1.0, marks=pytest.mark.slow)])
def test_the_papers_own_loss(rubbish):
    """Eq. 8, |f6 - code|^2, bends by 2 along each feature, which is a squashed sum plus its bias.

    Eq. 9 is the same where its second term is small, as it is at the start for j = 1.
    """
    images, labels = np.random.default_rng(0).normal(size=(6, 32, 32, 1)), np.arange(6)
    model = kc.models.LeNet5(output="rbf", classifier_activation=None)
    model.compile("sgd", kc.losses.RBFLoss(rubbish))
    random = np.random.default_rng(0)
    found = GaussNewtonDiagonal(model).estimate(images, labels, random, batch_size=1)
    features = keras.Model(model.input, model.get_layer("f6").output)(images)
    slopes = 1.7159 * 2 / 3 * (1 - (np.asarray(features) / 1.7159) ** 2)
    np.testing.assert_allclose(found[-1], (2 * slopes**2).mean(0), rtol=1e-3)


def on_this_backend():
    model = network("softmax", "sparse_categorical_crossentropy")
    found = GaussNewtonDiagonal(model).estimate(X, CLASSES, np.random.default_rng(0))
    return np.concatenate([values.ravel() for values in found])


ON_JAX = """
import sys, numpy
from tests import test_curvature as t
numpy.save(sys.argv[1], t.on_this_backend())
"""


@pytest.mark.slow
def test_the_same_on_jax(tmp_path):
    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ON_JAX, tmp_path / "found.npy"]
    subprocess.run(command, env=env, check=True, timeout=120, cwd=ROOT)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), on_this_backend(), rtol=1e-3)


def test_other_outputs_are_refused():
    inputs = keras.Input((4,))
    two = keras.Model(inputs, [keras.layers.Dense(1)(inputs), keras.layers.Dense(2)(inputs)])
    two.compile("sgd", "mse")
    with pytest.raises(InputError, match=r"one output \(N, K\)\. Received: \(None, 1\), \(None"):
        GaussNewtonDiagonal(two)
