"""What is copied of an optimiser: momenta, neither rate nor steps."""

import keras
import numpy as np
import pytest

from kerascnn.callbacks._values import (
    assign,
    copied,
    fresh_optimizer,
    optimizer_variables,
    restore,
    snapshot,
)


@pytest.mark.parametrize("make", [lambda: keras.optimizers.Adam(0.1), lambda: "multi"])
def test_momenta_only(make):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = make()
    if optimizer == "multi":
        map_ = keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.1))
        map_["bias"] = keras.optimizers.SGD(0.5, momentum=0.9)
        optimizer = keras.optimizers.MultiOptimizer(map_)
    model.compile(optimizer, "mse")
    model.train_on_batch(np.ones((3, 2)), np.ones(3))
    found = optimizer_variables(model)
    assert found and not any("learning_rate" in v.path or "iteration" in v.path for v in found)
    before = copied(found)
    model.train_on_batch(np.ones((3, 2)), np.ones(3))
    assert not np.array_equal(copied(found)[0], before[0])
    assign(found, before)
    np.testing.assert_array_equal(copied(found)[0], before[0])


def test_what_is_kept_of_weights_that_did_not_train_begins_anew():
    """An average at the weight, not at 0: `fit` ends with it."""
    late = keras.layers.Dense(2, trainable=False, name="late")
    model = keras.Sequential([keras.Input((2,)), late, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True), "mse")
    model.train_on_batch(np.ones((3, 2)), np.ones(3))
    state, kernel = snapshot(model), np.array(late.kernel)
    late.trainable = True
    model.optimizer = fresh_optimizer(model)
    model.make_train_function(force=True)
    model.train_on_batch(np.ones((3, 2)), np.ones(3))
    restore(model, state)
    found = {v.name: np.array(v) for v in model.optimizer.variables if "late_" in v.name}
    (average,) = [value for name, value in found.items() if name.endswith("kernel_average")]
    np.testing.assert_array_equal(average, kernel)
    (momentum,) = [value for name, value in found.items() if name.endswith("kernel_momentum")]
    assert not momentum.any()
