import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.layers import TrainableSubsampling, scaled_tanh
from tests.oracles import lenet as oracle

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("shape", "size"), [((28, 28, 6), 2), ((7, 9, 3), 2), ((9, 7, 2), 3)])
def test_it_computes_the_papers_sum(shape, size):
    x = RNG.normal(size=shape).astype("float32")
    weight, bias = RNG.normal(size=(2, shape[2]))
    layer = TrainableSubsampling(size, activation=scaled_tanh)
    layer.build((None, *shape))
    layer.set_weights([weight, bias])
    expected = oracle.squash(oracle.subsample(x, weight, bias, size))
    y = keras.ops.convert_to_numpy(layer(x[None]))[0]
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_it_starts_as_average_pooling():
    x = RNG.normal(size=(2, 6, 6, 4)).astype("float32")
    average = keras.layers.AveragePooling2D(3)(x)
    np.testing.assert_allclose(TrainableSubsampling(3)(x), average, atol=1e-6)


def test_two_weights_a_map():
    layer = TrainableSubsampling()
    layer.build((None, 28, 28, 6))
    assert [w.name for w in layer.trainable_weights] == ["weight", "bias"]
    assert layer.count_params() == 12


@pytest.mark.parametrize("size", [0, (2, 2)])
def test_bad_pool_size(size):
    with pytest.raises(InputError, match="pool_size must be an int >= 1. Received: "):
        TrainableSubsampling(size)
