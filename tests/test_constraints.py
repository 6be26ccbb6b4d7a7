import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.constraints import MaxRMS
from tests.facts import ZFNET_MAX_RMS
from tests.oracles import constraints as oracle

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(7, 7, 3, 8), (50, 8), (3, 3, 3, 2, 8)])
def test_filters_beyond_the_radius_come_back_to_it(shape):
    kernel = (RNG.normal(size=shape) * np.linspace(0.01, 0.3, 8)).astype("float32")
    limited = keras.ops.convert_to_numpy(MaxRMS()(kernel))
    np.testing.assert_allclose(limited, oracle.renormalise(kernel, ZFNET_MAX_RMS), rtol=1e-5)
    changed = (limited != kernel).any(axis=tuple(range(len(shape) - 1)))
    assert 0 < changed.sum() < 8


def test_it_is_a_maximal_norm_over_the_root_of_the_size():
    kernel = RNG.normal(size=(3, 3, 4, 6)).astype("float32")
    norm = keras.constraints.MaxNorm(0.5 * 36**0.5, axis=[0, 1, 2])
    np.testing.assert_allclose(MaxRMS(0.5)(kernel), norm(kernel), rtol=1e-5)


def test_it_holds_during_training_and_stays_in_the_config():
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3, kernel_constraint=MaxRMS(0.02))]
    )
    model.compile(keras.optimizers.SGD(10.0), "mse")
    model.train_on_batch(RNG.normal(size=(8, 6, 6, 1)), RNG.normal(size=(8, 4, 4, 4)))
    kernel = model.get_weights()[0]
    assert np.sqrt((kernel**2).mean((0, 1, 2))).max() == pytest.approx(0.02, rel=1e-4)
    again = keras.Sequential.from_config(model.get_config())
    assert again.layers[0].kernel_constraint.get_config() == {"max_value": 0.02}


def test_a_zero_filter_stays_zero():
    np.testing.assert_array_equal(MaxRMS()(np.zeros((3, 3, 1, 2), "float32")), 0)


def test_a_radius_that_is_none_is_refused():
    with pytest.raises(InputError, match="must be positive.*max_value=0"):
        MaxRMS(0)
