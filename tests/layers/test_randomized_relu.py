import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.layers import RandomizedReLU
from tests.facts import RRELU_BOUNDS
from tests.oracles import activations as oracle

RNG = np.random.default_rng(0)
LOWER, UPPER = RRELU_BOUNDS


def train(x, **options):
    return keras.ops.convert_to_numpy(RandomizedReLU(seed=1, **options)(x, training=True))


def test_inference_divides_by_the_mean_of_the_bounds():
    x = RNG.normal(size=(4, 5)).astype("float32")
    expected = oracle.leaky(x, (LOWER + UPPER) / 2)
    np.testing.assert_allclose(RandomizedReLU()(x), expected, rtol=1e-6)


def test_training_divides_each_negative_element_by_a_draw_of_its_own():
    x = -np.ones((100, 50, 20), "float32")
    a = -1 / train(x)
    assert LOWER <= a.min() < LOWER + 1e-3
    assert UPPER - 1e-3 < a.max() <= UPPER + 1e-5
    deciles = np.quantile(a, np.linspace(0, 1, 11))
    np.testing.assert_allclose(deciles, np.linspace(LOWER, UPPER, 11), atol=0.05)  # uniform
    assert len(np.unique(a)) > 0.9 * a.size


def test_positive_values_pass():
    x = abs(RNG.normal(size=(4, 5))).astype("float32")
    np.testing.assert_array_equal(train(x), x)


def test_inference_is_not_the_expectation_of_training():
    slope = -train(-np.ones((1000, 1000), "float32")).mean()
    assert slope == pytest.approx(np.log(UPPER / LOWER) / (UPPER - LOWER), abs=1e-3)
    assert slope - 2 / (LOWER + UPPER) > 0.01  # 0.196 against 0.182


def test_equal_bounds_are_a_leaky_relu():
    x = RNG.normal(size=(4, 5)).astype("float32")
    expected = keras.ops.leaky_relu(x, negative_slope=1 / 4)
    np.testing.assert_allclose(train(x, lower=4.0, upper=4.0), expected, rtol=1e-6)


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (8, 3)])
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(InputError, match="0 < lower <= upper"):
        RandomizedReLU(*bounds)


def test_the_slopes_of_keras_that_a_name_does_not_tell():
    """The papers' leaky ReLU has 0.01 (Maas et al. 2013); ELU ends at -alpha, not at -1."""
    assert keras.layers.LeakyReLU().negative_slope == pytest.approx(0.3)
    x = np.array([-1.0, -100.0], "float32")
    np.testing.assert_allclose(keras.activations.leaky_relu(x), 0.2 * x, rtol=1e-6)
    np.testing.assert_allclose(keras.layers.ELU(alpha=0.5)(x)[1], -0.5)
