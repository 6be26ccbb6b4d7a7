"""Copies of a model compute as it does, an adapted `Normalization` in it included."""

import functools

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn._graph import flatten
from kerascnn.augment.dense import _at_any_size
from kerascnn.doctor._trial import Trial
from kerascnn.transfer._classifier import copy_of

X = np.random.default_rng(0).normal(100, 50, (64, 8, 8, 3)).astype("float32")


def network():
    """Adapted statistics outside and inside a nested model."""
    keras.utils.set_random_seed(0)
    outer, inner = keras.layers.Normalization(name="outer"), keras.layers.Normalization(name="in")
    outer.adapt(X)
    inner.adapt(X / 50)
    part = keras.Sequential([keras.Input((8, 8, 3)), inner], name="part")
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, name="conv")(part(outer(x)))
    y = keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(y))
    model = keras.Model(x, y)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


COPIERS = {
    "regularize": lambda model: kc.regularizers.regularize(model, keras.regularizers.L2(1e-4)),
    "constrain": lambda model: kc.constraints.constrain(model, keras.constraints.UnitNorm()),
    "ensemble": lambda model: kc.ensembles.ensemble([model, model]),
    "average_weights": lambda model: kc.ensembles.average_weights([model, model]),
    "doctor": lambda model: Trial(model, keras.optimizers.SGD()).model,
    "precision": lambda model: kc.compute.to_precision(model, "float32"),
    "flatten": flatten,
    "transfer": copy_of,
    "any size": _at_any_size,
}


@pytest.mark.parametrize("name", COPIERS)
def test_a_copy_computes_the_same(name):
    model = network()
    expected = model.predict(X, verbose=0)
    found = COPIERS[name](model)
    np.testing.assert_allclose(found.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_weights_of_a_file_are_computed_with(tmp_path):
    model = flatten(network())
    model.save_weights(path := tmp_path / "network.weights.h5")
    fresh = keras.models.clone_model(model)
    kc.weights.load(fresh, path)
    np.testing.assert_allclose(fresh(X), model(X), rtol=1e-5, atol=1e-6)


def test_fully_convolutional():
    outer = keras.layers.Normalization()
    outer.adapt(X)
    x = keras.layers.Flatten()(outer(image := keras.Input((8, 8, 3))))
    model = keras.Model(image, keras.layers.Dense(3, "softmax")(x))
    dense = kc.models.to_fully_convolutional(model)
    np.testing.assert_allclose(dense(X), model(X), rtol=1e-4, atol=1e-5)


class Callable:
    def __call__(self, y, p):
        return keras.ops.mean((y - p) ** 2, axis=-1)


@pytest.mark.parametrize(
    "loss",
    [Callable(), functools.partial(Callable.__call__, None), lambda y, p: Callable()(y, p)],
    ids=["object", "partial", "lambda"],
)
def test_a_model_with_a_loss_that_cannot_be_saved_is_copied_where_no_loss_is_needed(loss):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")], name="inner")
    model = keras.Sequential([keras.Input((2,)), model])
    for one in (model, model.layers[0]):
        one.compile("sgd", loss, loss_weights=2.0 if one is model else None)
    copy = copy_of(model)
    assert not copy.compiled and model.compiled and model.layers[0].compiled
    trial = Trial(model, keras.optimizers.SGD())
    x, y = X[:8, 0, 0, :2] / 100, X[:8, 0, 0, 2:] / 100
    assert trial.first_loss((x, y, None)) == pytest.approx(2 * np.mean((model(x) - y) ** 2), 1e-4)
    found = kc.doctor.before_training(model, (x, y))
    assert next(row for row in found if row.check == "one batch").severity == "fine"
