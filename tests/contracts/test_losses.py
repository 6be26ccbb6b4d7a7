"""What every loss and every metric of ours keeps. A new one joins by one row."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

import kerascnn as kc
from kerascnn import losses, metrics
from kerascnn.layers import LearnedLossWeight
from tests.oracles import losses as oracle

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
N, CLASSES = 24, 4
LABELS = np.r_[np.arange(CLASSES), RNG.integers(CLASSES, size=N - CLASSES)]
LOGITS = RNG.normal(scale=2, size=(N, CLASSES)).astype("float32")
PROBABILITIES = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)).astype("float32")
ABOVE = np.sort(RNG.uniform(0.05, 0.95, size=(N, CLASSES - 1)).astype("float32"))[:, ::-1].copy()
SIGNS = RNG.choice([-1, 1], size=(N, 2))
SCORES = RNG.normal(scale=2, size=(N, 2)).astype("float32")
TARGETS = RNG.normal(size=(N, 2)).astype("float32")
WEIGHTS = RNG.uniform(0, 2, N).astype("float32")
OF_CLASSES = [0.5, 1.0, 2.0, 4.0]
S = 0.7  # log(sigma**2) of the layer

LOSSES = {  # name: (function of a layer that makes it, labels, predictions, oracle)
    "ClassWeighted": (
        lambda layer: losses.ClassWeighted(
            keras.losses.SparseCategoricalCrossentropy(), OF_CLASSES
        ),
        LABELS,
        PROBABILITIES,
        lambda y, p: np.array(OF_CLASSES)[y] * oracle.crossentropy(y, p),
    ),
    "HingeLoss": (
        lambda layer: losses.HingeLoss(margin=0.5),
        SIGNS,
        SCORES,
        lambda y, p: oracle.hinge(y, p, 0.5),
    ),
    "LogLoss": (lambda layer: losses.LogLoss(), SIGNS, SCORES, oracle.log),
    "MaxMarginLoss": (
        lambda layer: losses.MaxMarginLoss(margin=2.0),
        LABELS,
        LOGITS,
        lambda y, p: oracle.max_margin(y, p, 2.0),
    ),
    "OrdinalCrossentropy": (
        lambda layer: losses.OrdinalCrossentropy(),
        LABELS,
        ABOVE,
        oracle.ordinal,
    ),
    "OrdinalCrossentropy of logits": (
        lambda layer: losses.OrdinalCrossentropy(from_logits=True),
        LABELS,
        LOGITS[:, :-1],
        oracle.ordinal_of_logits,
    ),
    "RBFLoss": (lambda layer: losses.RBFLoss(), LABELS, -np.abs(LOGITS), oracle.penalty),
    "SmoothSparseCrossentropy": (
        lambda layer: losses.SmoothSparseCrossentropy(0.2),
        LABELS,
        PROBABILITIES,
        lambda y, p: oracle.crossentropy(y, p, 0.2),
    ),
    "SmoothSparseCrossentropy of logits": (
        lambda layer: losses.SmoothSparseCrossentropy(0.1, from_logits=True),
        LABELS,
        LOGITS,
        lambda y, p: oracle.crossentropy_of_logits(y, p, 0.1),
    ),
    "UncertaintyWeighted": (
        lambda layer: losses.UncertaintyWeighted(keras.losses.MeanSquaredError(), layer, True),
        TARGETS,
        SCORES,
        lambda y, p: oracle.squared(y, p) / (2 * np.exp(S)) + S / 2,
    ),
}
FUNCTIONS = {"balanced_weights", "effective_number_weights"}  # of numbers


def predicted(p):
    return p.argmax(axis=-1) if p.shape[-1] == CLASSES else (p > 0.5).sum(axis=-1)


METRICS = {  # name: (function that makes it, predictions, oracle of labels, predictions, weights)
    "BalancedAccuracy": (
        lambda: metrics.BalancedAccuracy(CLASSES),
        PROBABILITIES,
        lambda y, p, w: balanced_accuracy_score(y, predicted(p), sample_weight=w),
    ),
    "BalancedAccuracy of thresholds": (
        lambda: metrics.BalancedAccuracy(CLASSES),
        ABOVE,
        lambda y, p, w: balanced_accuracy_score(y, predicted(p), sample_weight=w),
    ),
    "CalibrationError": (metrics.CalibrationError, PROBABILITIES, oracle.calibration_error),
    "ConfusionMatrix": (
        lambda: metrics.ConfusionMatrix(CLASSES),
        PROBABILITIES,
        lambda y, p, w: confusion_matrix(y, predicted(p), sample_weight=w),
    ),
    "MacroF1": (
        lambda: metrics.MacroF1(CLASSES),
        PROBABILITIES,
        lambda y, p, w: f1_score(y, predicted(p), average="macro", sample_weight=w),
    ),
    "MeanRankError": (
        lambda: metrics.MeanRankError(CLASSES),
        ABOVE,
        lambda y, p, w: np.average(np.abs(predicted(p) - y), weights=w),
    ),
}

every_loss = pytest.mark.parametrize("name", LOSSES)
every_metric = pytest.mark.parametrize("name", METRICS)


def test_every_loss_and_metric_has_a_row():
    assert {name.split()[0] for name in LOSSES} | FUNCTIONS == set(losses.__all__)
    assert {name.split()[0] for name in METRICS} == set(metrics.__all__)


def loss_of(name):
    make, y, p, values = LOSSES[name]
    layer = LearnedLossWeight(name="weight")
    layer.log_variance.assign(S)
    return make(layer), layer, y, p, values(y, p.astype("float64"))


def compiled(loss, layer, p, jit_compile=False):
    """A model whose predictions are its inputs, and which can learn others."""
    inputs = keras.Input(p.shape[1:])
    outputs = keras.layers.Dense(p.shape[-1], kernel_initializer="identity", dtype="float32")(
        inputs
    )
    if isinstance(loss, losses.UncertaintyWeighted):
        outputs = layer(outputs)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.01), loss, jit_compile=jit_compile)
    return model


@every_loss
def test_value_is_the_oracles(name):
    loss, _, y, p, expected = loss_of(name)
    assert float(loss(y, p)) == pytest.approx(expected.mean(), rel=1e-5)
    if y.ndim == 1:
        assert float(loss(y[:, None], p)) == pytest.approx(expected.mean(), rel=1e-5)


@every_loss
def test_sample_weights_multiply_the_values(name):
    loss, _, y, p, expected = loss_of(name)
    weighted = float(loss(y, p, sample_weight=WEIGHTS))
    assert weighted == pytest.approx((WEIGHTS * expected).mean(), rel=1e-5)


@every_loss
def test_loss_survives_its_config(name):
    loss, *_ = loss_of(name)
    loss.reduction, loss.name = "sum", "mine"
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (again.reduction, again.name) == ("sum", "mine")
    if name == "UncertaintyWeighted":  # its layer is the model's: see test_uncertainty.py
        return
    assert again.get_config() == loss.get_config()


@every_loss
def test_gradient_is_that_of_finite_differences(name):
    import tensorflow as tf

    loss, _, y, p, _ = loss_of(name)
    p = tf.constant(p, "float64")
    with tf.GradientTape() as tape:
        tape.watch(p)
        total = keras.ops.sum(loss.call(y, p))
    gradient = keras.ops.convert_to_numpy(tape.gradient(total, p))
    step, expected = 1e-6, np.zeros(p.shape)
    for i in range(p.shape[1]):  # no sample changes another's loss
        for sign in (-1, 1):
            values = loss.call(y, p + sign * step * np.eye(p.shape[1])[i])
            expected[:, i] += sign * keras.ops.convert_to_numpy(values) / (2 * step)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)
    assert np.abs(gradient).max() > 0.01


@pytest.mark.thorough
@every_loss
def test_loss_saved_in_a_compiled_model(name, tmp_path):
    loss, layer, y, p, expected = loss_of(name)
    model = compiled(loss, layer, p)
    model.save(tmp_path / "model.keras")
    for load in (kc.load_model, keras.models.load_model):
        again = load(tmp_path / "model.keras")
        assert again.evaluate(p, y, verbose=0) == pytest.approx(expected.mean(), rel=1e-5)
        before = again.get_weights()
        again.train_on_batch(p, y)
        model.set_weights(before)
        model.train_on_batch(p, y)
        for ours, theirs in zip(model.get_weights(), again.get_weights()):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.thorough
@every_loss
def test_training_is_the_same_under_xla_and_with_mixed_precision(name):
    changed = []
    for jit_compile, policy in ((False, "float32"), (True, "float32"), (False, "mixed_float16")):
        keras.config.set_dtype_policy(policy)
        try:
            loss, layer, y, p, expected = loss_of(name)
            model = compiled(loss, layer, p, jit_compile)
            value = model.train_on_batch(p, y)
        finally:
            keras.config.set_dtype_policy("float32")
        rel = 1e-5 if policy == "float32" else 2e-3
        assert value == pytest.approx(expected.mean(), rel=rel)
        changed.append(model.get_weights())
    for weights in changed[1:]:
        for first, other in zip(changed[0], weights):
            np.testing.assert_allclose(first, other, rtol=2e-3, atol=1e-4)


def feed(metric, y, p, w=None, batch=7):
    for i in range(0, len(y), batch):
        part = slice(i, i + batch)
        metric.update_state(y[part], p[part], None if w is None else w[part])
    return keras.ops.convert_to_numpy(metric.result())


@every_metric
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_metric_accumulates_to_the_oracle(name, weights):
    make, p, truth = METRICS[name]
    expected = truth(LABELS, p, np.ones(N) if weights is None else weights)
    metric = make()
    for y in (LABELS, LABELS[:, None], np.eye(CLASSES)[LABELS]):
        np.testing.assert_allclose(feed(metric, y, p, weights), expected, rtol=1e-5)
        metric.reset_state()
    assert not np.any(keras.ops.convert_to_numpy(metric.result()))


@every_metric
def test_metric_survives_its_config(name):
    make, p, _ = METRICS[name]
    metric = make()
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    np.testing.assert_array_equal(feed(again, LABELS, p), feed(metric, LABELS, p))


@pytest.mark.thorough
@every_metric
@pytest.mark.parametrize("jit_compile", [False, True])
def test_metric_in_a_compiled_model(name, jit_compile, tmp_path):
    make, p, truth = METRICS[name]
    model = keras.Sequential([keras.Input(p.shape[1:]), keras.layers.Activation("linear")])
    loss = keras.losses.SparseCategoricalCrossentropy()
    if p.shape[1] < CLASSES:
        loss = losses.OrdinalCrossentropy()
    model.compile(loss=loss, metrics=[make()], jit_compile=jit_compile)
    model.save(tmp_path / "model.keras")
    for each in (model, kc.load_model(tmp_path / "model.keras")):
        logs = each.evaluate(p, LABELS, batch_size=10, verbose=0, return_dict=True)
        np.testing.assert_allclose(logs[make().name], truth(LABELS, p, np.ones(N)), rtol=1e-5)


ON_JAX = """
import sys, jax, keras, numpy
from tests.contracts import test_losses as contract

found = {}
for name in contract.LOSSES:
    loss, _, y, p, _ = contract.loss_of(name)
    value, gradient = jax.jit(jax.value_and_grad(lambda p: loss(y, p)))(p)
    found[name] = numpy.r_[value, numpy.ravel(gradient)]
    model = contract.compiled(*contract.loss_of(name)[:2], p)
    model.train_on_batch(p, y)
    found[name + " trained"] = numpy.concatenate([numpy.ravel(w) for w in model.get_weights()])
for name, (make, p, _) in contract.METRICS.items():
    found[name] = contract.feed(make(), contract.LABELS, p, contract.WEIGHTS)
numpy.savez(sys.argv[1], **found)
"""


@pytest.mark.thorough
def test_values_and_gradients_and_training_are_the_same_on_jax(tmp_path):
    import tensorflow as tf

    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ON_JAX, tmp_path / "found.npz"]
    subprocess.run(command, env=env, check=True, timeout=200)
    found = dict(np.load(tmp_path / "found.npz"))
    for name in LOSSES:
        loss, layer, y, p, _ = loss_of(name)
        tensor = tf.constant(p)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = loss(y, tensor)
        expected = np.r_[value, np.ravel(tape.gradient(value, tensor))]
        np.testing.assert_allclose(found.pop(name), expected, rtol=1e-4, atol=1e-6, err_msg=name)
        model = compiled(loss, layer, p)
        model.train_on_batch(p, y)
        expected = np.concatenate([np.ravel(w) for w in model.get_weights()])
        trained = found.pop(f"{name} trained")
        np.testing.assert_allclose(trained, expected, rtol=1e-4, atol=1e-6, err_msg=name)
    for name, value in found.items():
        make, p, _ = METRICS[name]
        expected = feed(make(), LABELS, p, WEIGHTS)
        np.testing.assert_allclose(value, expected, rtol=1e-5, err_msg=name)
