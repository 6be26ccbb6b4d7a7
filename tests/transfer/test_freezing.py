"""kerascnn.transfer.freezing: what trains, and what provably does not."""

import keras
import numpy as np
import pytest

import kerascnn as kc


def network():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="early")(inputs)
    x = keras.layers.BatchNormalization(name="early_bn")(x)
    x = keras.layers.MaxPooling2D(name="pool")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", name="late")(x)
    x = keras.layers.BatchNormalization(name="late_bn")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="head")(x))


def test_fit_moves_the_tail_alone():
    model = network()
    assert kc.transfer.freeze(model, "pool") == 2
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    before = {w.path: np.array(w) for w in model.weights}
    rng = np.random.default_rng(0)
    model.fit(rng.random((64, 16, 16, 3)), rng.integers(0, 2, 64), epochs=2, verbose=0)
    moved = {w.path.split("/")[0] for w in model.weights if (np.array(w) != before[w.path]).any()}
    assert moved == {"late", "head"}


def test_a_layer_that_something_goes_around_is_refused():
    with pytest.raises(kc.InputError, match="no such layer|Unknown layer"):
        kc.transfer.freeze(network(), "nothing")
