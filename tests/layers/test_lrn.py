import keras
import numpy as np
import pytest
import tensorflow as tf

from kerascnn import InputError
from kerascnn.layers import LocalResponseNormalization
from tests.facts import ALEXNET_LRN
from tests.oracles import lrn as oracle

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 3, 96])
@pytest.mark.parametrize(
    ("radius", "bias", "alpha", "beta"), [(2, 2.0, 1e-4, 0.75), (0, 1.0, 0.3, 0.5), (4, 0.5, 2, 1)]
)
def test_it_computes_the_papers_formula(channels, radius, bias, alpha, beta):
    x = RNG.normal(scale=100, size=(2, 5, 4, channels)).astype("float32")
    layer = LocalResponseNormalization(radius, bias, alpha, beta)
    expected = oracle.normalise(x.astype("float64"), 2 * radius + 1, bias, alpha, beta)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), expected, rtol=1e-4)


def test_the_papers_constants_are_the_defaults():
    x = RNG.normal(scale=100, size=(7, 20))
    y = keras.ops.convert_to_numpy(LocalResponseNormalization()(x.astype("float32")))
    np.testing.assert_allclose(y, oracle.normalise(x, **ALEXNET_LRN), rtol=1e-4)


def test_values_and_gradients_are_those_of_tensorflow():
    x = tf.constant(RNG.normal(scale=100, size=(2, 3, 3, 16)), "float32")

    def gradient(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            loss = tf.reduce_sum(y * tf.sin(x))
        return y, tape.gradient(loss, x)

    ours = gradient(LocalResponseNormalization())
    theirs = gradient(lambda x: tf.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-4)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-4)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_large_activations_do_not_overflow_in_16_bits(dtype):
    x = np.full((1, 2, 2, 8), 1000.0)  # its square is beyond float16
    y = LocalResponseNormalization(dtype=dtype)(x)
    assert keras.backend.standardize_dtype(y.dtype) == dtype.removeprefix("mixed_")
    expected = oracle.normalise(x, **ALEXNET_LRN)
    y = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
    np.testing.assert_allclose(y, expected, rtol=0.01)


@pytest.mark.parametrize("constant", [{"depth_radius": -1}, {"bias": 0.0}, {"alpha": -1e-4}])
def test_constants_outside_their_range_are_refused(constant):
    with pytest.raises(InputError, match="must be at least 0 and `bias` positive"):
        LocalResponseNormalization(**constant)
