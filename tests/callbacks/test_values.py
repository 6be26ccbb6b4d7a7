"""What is copied of an optimiser: momenta, neither rate nor steps."""

import keras
import numpy as np
import pytest

from kerascnn.callbacks._values import assign, copied, optimizer_variables


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
