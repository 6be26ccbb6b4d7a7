"""Keras has it under another name: this holds what `kerascnn.layers` says of it."""

import keras
import numpy as np

from kerascnn import layers
from tests.oracles import instance_norm as oracle

RNG = np.random.default_rng(0)


def test_group_normalisation_with_a_group_for_each_channel_is_instance_normalisation():
    assert "GroupNormalization(groups=-1)" in layers.__doc__
    x = RNG.normal(3, 2, size=(2, 5, 4, 6)).astype("float32")
    gamma, beta = RNG.normal(size=(2, 6)).astype("float32")
    layer = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)
    layer.build(x.shape)
    layer.set_weights([gamma, beta])
    expected = oracle.normalise(x, gamma, beta, 1e-5)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
