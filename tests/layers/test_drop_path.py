import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.layers import DropPath

RNG = np.random.default_rng(0)


def train(x, rate):
    return keras.ops.convert_to_numpy(DropPath(rate, seed=1)(x, training=True))


def test_whole_samples_are_dropped_and_the_others_scaled():
    x = RNG.normal(size=(4000, 2, 3)).astype("float32")
    y = train(x, 0.2)
    dropped = (y == 0).all(axis=(1, 2))
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.8, rtol=1e-6)
    assert dropped.mean() == pytest.approx(0.2, abs=0.02)


def test_inference_is_the_identity_and_the_expectation_of_training():
    x = np.tile(RNG.normal(size=(1, 6)).astype("float32"), (20_000, 1))
    np.testing.assert_array_equal(DropPath(0.3)(x), x)
    np.testing.assert_allclose(train(x, 0.3).mean(0), x[0], rtol=0.03)


def test_nothing_is_dropped_at_rate_0():
    x = RNG.normal(size=(50, 3)).astype("float32")
    np.testing.assert_array_equal(train(x, 0), x)


@pytest.mark.parametrize("rate", [-0.1, 1])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(InputError, match=r"must be in \[0, 1\)"):
        DropPath(rate)
