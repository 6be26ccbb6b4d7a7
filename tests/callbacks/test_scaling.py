"""Rates of plain, scheduled, several and loss-scaled optimisers."""

import keras
import numpy as np
import pytest

from kerascnn.callbacks import _scaling

S = keras.optimizers.schedules
X = np.ones((8, 2), "float32")


def model(optimizer):
    layers = [keras.layers.Dense(2, name="one"), keras.layers.Dense(1, name="two")]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile(optimizer, "mse")
    model.fit(X, X[:, 0], verbose=0)
    return model


def several():
    optimizers = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5, name="slow"))
    optimizers["two"] = keras.optimizers.SGD(S.CosineDecay(4.0, 10**6), name="fast")
    return keras.optimizers.MultiOptimizer(optimizers)


def logged(model):
    logs = {}
    _scaling.log_rates(model, logs)
    return {name: round(rate, 3) for name, rate in logs.items()}


OPTIMIZERS = {
    "plain": (lambda: keras.optimizers.SGD(0.5), {"learning_rate": 0.5}),
    "scheduled": (
        lambda: keras.optimizers.SGD(S.CosineDecay(0.5, 10**6)),
        {"learning_rate": 0.5},
    ),
    "loss-scaled": (
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)),
        {"learning_rate": 0.5},
    ),
    "several": (several, {"learning_rate_slow": 0.5, "learning_rate_fast": 4.0}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_scaled_twice_and_trained(name):
    make, expected = OPTIMIZERS[name]
    one = model(make())
    assert logged(one) == expected
    _scaling.scale_rates(one, 0.5)
    _scaling.scale_rates(one, 0.5)
    assert logged(one) == {name: rate / 4 for name, rate in expected.items()}
    one.fit(X, X[:, 0], verbose=0)


def test_the_next_step_has_the_scaled_rate():
    """A step that was traced before must not go on with the rate it saw."""
    weights = []
    for scale in (None, 0.5):
        keras.utils.set_random_seed(0)
        one = model(keras.optimizers.SGD(S.InverseTimeDecay(0.1, 1, 0.0)))
        before = one.get_weights()
        if scale:
            _scaling.scale_rates(one, scale)
        one.fit(X, X[:, 0], verbose=0)
        weights.append(one.get_weights()[0] - before[0])
    np.testing.assert_allclose(weights[1], weights[0] / 2, rtol=1e-4)


def test_scales_are_put_back():
    one, other = model(several()), model(several())
    _scaling.scale_rates(one, 0.25)
    assert _scaling.scales(one) == [0.25, 1.0]  # those of single layers come first
    _scaling.set_scales(other, [0.25, 1.0])
    assert logged(other) == {"learning_rate_slow": 0.5, "learning_rate_fast": 1.0}
    _scaling.set_scales(other, [0.25, 1.0])  # nothing changes
    assert _scaling.scales(other) == [0.25, 1.0]
    assert len(_scaling.schedules_of(one)) == 1
