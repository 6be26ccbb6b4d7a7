import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.layers import LearnedLossWeight
from kerascnn.losses import UncertaintyWeighted

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3)).astype("float32")
KINDS = RNG.integers(3, size=64)
NOISE = RNG.normal(size=64).astype("float32")


def two_outputs():
    """Nothing can be learned from X but how noisy the targets are."""
    layers = {name: LearnedLossWeight(name=name) for name in ("kind", "size")}
    inputs = keras.Input((3,))
    blind = keras.layers.Rescaling(0.0)(inputs)
    heads = {
        "kind": layers["kind"](keras.layers.Dense(3, "softmax")(blind)),
        "size": layers["size"](keras.layers.Dense(1)(blind)),
    }
    losses = {
        "kind": UncertaintyWeighted(keras.losses.SparseCategoricalCrossentropy(), layers["kind"]),
        "size": UncertaintyWeighted(keras.losses.MeanSquaredError(), layers["size"], True),
    }
    model = keras.Model(inputs, heads)
    model.compile(keras.optimizers.Adam(0.05), losses)
    return model, {"kind": KINDS, "size": 3 * NOISE}


def learned(model):
    names = ("kind", "size")
    return [float(keras.ops.convert_to_numpy(model.get_layer(n).log_variance)) for n in names]


def test_weights_end_where_the_formula_says():
    """The least of L exp(-s) + s / 2 is at log(2 L); with L / 2, at log(L): the variance."""
    model, y = two_outputs()
    for _ in range(400):
        model.train_on_batch(X, y)
    entropy = -sum(p * np.log(p) for p in np.bincount(KINDS) / 64)
    assert learned(model)[0] == pytest.approx(np.log(2 * entropy), abs=0.02)
    assert np.exp(learned(model)[1]) == pytest.approx(np.var(y["size"]), rel=0.02)


def test_the_gradient_of_the_weight_is_that_of_finite_differences():
    import tensorflow as tf

    layer = LearnedLossWeight(dtype="float64")
    loss = UncertaintyWeighted(keras.losses.MeanSquaredError(), layer, dtype="float64")
    layer.log_variance.assign(0.3)
    y, p = RNG.normal(size=(2, 8, 1))
    with tf.GradientTape() as tape:
        value = loss(y, p)
    found = float(tape.gradient(value, layer.log_variance.value))
    values = []
    for s in (0.3 - 1e-6, 0.3 + 1e-6):
        layer.log_variance.assign(s)
        values.append(float(loss(y, p)))
    assert found == pytest.approx((values[1] - values[0]) / 2e-6, rel=1e-6)
    assert found == pytest.approx(0.5 - np.exp(-0.3) * ((y - p) ** 2).mean(), rel=1e-6)


@pytest.mark.parametrize("load", [kc.load_model, keras.models.load_model])
def test_a_loaded_model_trains_its_own_weights(load, tmp_path):
    model, y = two_outputs()
    model.fit(X, y, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert learned(again) == learned(model)
    for each in (model, again):
        each.fit(X, y, epochs=2, shuffle=False, verbose=0)
    assert learned(again) == pytest.approx(learned(model), abs=1e-6)
    assert learned(again) != learned(load(tmp_path / "model.keras"))


def test_a_model_for_inference_needs_no_loss(tmp_path):
    model, _ = two_outputs()
    model.save(tmp_path / "model.keras")
    again = kc.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again(X)["size"], model(X)["size"])
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")


def test_a_loss_loaded_alone_says_what_it_lacks():
    loss = UncertaintyWeighted(keras.losses.MeanSquaredError(), LearnedLossWeight())
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    with pytest.raises(InputError, match="has lost its layer"):
        again([[1.0]], keras.ops.ones((1, 1)))
