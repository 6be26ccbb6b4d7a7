"""Frozen weights stay still to the bit, momenta are kept, on TensorFlow and JAX."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import GradualUnfreezing, PlateauRollback

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 6)).astype("float32")
Y = X[:, :1] - X[:, 1:2]


def compiled():
    keras.utils.set_random_seed(0)
    trunk = [keras.layers.Dense(6, name="one"), keras.layers.BatchNormalization(name="norm")]
    trunk = [*trunk, keras.layers.Dense(5, name="two")]
    head = [keras.layers.BatchNormalization(name="head_norm"), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((6,)), *trunk, *head])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    return model


class Weights(keras.callbacks.Callback):
    """Copies of each layer's weights and the optimiser's variables after each epoch."""

    def __init__(self):
        super().__init__()
        self.layers, self.momenta = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.layers.append({layer.name: layer.get_weights() for layer in self.model.layers})
        self.momenta.append({v.path: np.array(v) for v in self.model.optimizer.variables})


def moved(before, after):
    return {
        name
        for name, weights in after.items()
        if any(not np.array_equal(a, b) for a, b in zip(before[name], weights))
    }


def test_what_moves_in_each_epoch():
    model, weights = compiled(), Weights()
    start = {layer.name: layer.get_weights() for layer in model.layers}
    callbacks = [GradualUnfreezing(["head_norm", "two", None], every_epochs=2), weights]
    model.fit(X, Y, epochs=6, callbacks=callbacks, verbose=0)
    seen = [start, *weights.layers]
    changes = [moved(before, after) for before, after in zip(seen, seen[1:])]
    head = {"head", "head_norm"}
    assert changes == [head] * 2 + [head | {"two"}] * 2 + [head | {"two", "one"}] * 2
    assert not model.get_layer("norm").trainable  # its statistics stay too


def test_the_optimiser_goes_on():
    """Equal to a training in which the head's momentum was never lost."""
    model, weights = compiled(), Weights()
    callbacks = [GradualUnfreezing(["head", None]), weights]
    model.fit(X, Y, batch_size=32, epochs=2, callbacks=callbacks, shuffle=False, verbose=0)
    first, second = weights.momenta
    (name,) = [path for path in first if "head_kernel" in path]
    before, after = (w["head"][0] for w in weights.layers)
    np.testing.assert_allclose(after - before, second[name], rtol=1e-4, atol=1e-7)
    assert np.abs(second[name] - 0.9 * first[name]).max() > 0  # 0.9 of the old, and a gradient
    (steps,) = [value for path, value in second.items() if path.endswith("iteration")]
    assert steps == 2 and len(second) > len(first)


def test_a_moving_average_does_not_shrink_late_layers():
    model = compiled()
    model.compile(keras.optimizers.SGD(1e-6, use_ema=True), "mse")
    before = model.get_layer("one").get_weights()[0]
    model.fit(X, Y, epochs=3, callbacks=[GradualUnfreezing(["head", None])], verbose=0)
    np.testing.assert_allclose(model.get_layer("one").get_weights()[0], before, rtol=0.01)


def towers(optimizer, units=(4, 4)):
    """Two nested models whose layers have the same names, so that their variables share a path."""
    keras.utils.set_random_seed(0)
    inputs, parts = keras.Input((6,)), []
    for name, width in zip(("left", "right"), units):
        own = keras.Input((6,))
        y = keras.layers.Dense(width, name="dense")(own)
        parts.append(keras.Model(own, y, name=name)(inputs))
    y = keras.layers.Dense(1, name="head")(keras.layers.Concatenate(name="both")(parts))
    model = keras.Model(inputs, y)
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("units", [(4, 4), (4, 7)])
def test_layers_of_one_name_in_two_nested_models(units):
    model = towers(keras.optimizers.SGD(1e-6, momentum=0.9, use_ema=True), units)
    kernels = [model.get_layer(name).get_weights()[0] for name in ("left", "right")]
    momenta = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: momenta.append(
            [np.array(v) for v in model.optimizer.variables if v.name == "dense_kernel_momentum"]
        )
    )
    unfreeze = GradualUnfreezing(["head", "right", "left"])
    model.fit(X, Y, epochs=3, callbacks=[unfreeze, PlateauRollback("loss"), keep], verbose=0)
    for name, kernel in zip(("left", "right"), kernels):  # the averages, put in by Keras
        np.testing.assert_allclose(model.get_layer(name).get_weights()[0], kernel, rtol=1e-3)
    none, right, (new, old) = momenta
    assert none == [] and len(right) == 1 and not right[0].any()
    assert new.shape == (6, units[0]) and not new.any()
    assert old.shape == (6, units[1]) and old.any()


def test_what_is_excluded_from_weight_decay_stays_so():
    """A step takes a tenth of the kernels away; Adam's own steps are below 1e-3."""
    model = compiled()
    optimizer = keras.optimizers.AdamW(1e-4, weight_decay=1000.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, "mse")
    dense = [model.get_layer(name) for name in ("one", "head")]
    for layer in dense:
        layer.bias.assign(np.ones(layer.bias.shape))
    before = [np.abs(layer.get_weights()[0]).sum() for layer in dense]
    callbacks = [GradualUnfreezing(["head", "two", None])]
    model.fit(X, Y, batch_size=32, epochs=4, callbacks=callbacks, verbose=0)
    for layer, size in zip(dense, before):
        kernel, bias = layer.get_weights()
        assert np.abs(kernel).sum() < 0.9 * size
        np.testing.assert_allclose(bias, 1.0, atol=0.01)


def test_groups_of_layers_count_their_own_steps():
    """So Adam corrects its moments by the steps that a layer has made."""
    model = compiled()
    names = [["head", "head_norm"], ["two"], ["one", "norm"]]
    optimizer = kc.optimizers.layer_rates(model, keras.optimizers.Adam(), 1.0, names, verbose=False)
    model.compile(optimizer, "mse")
    callbacks = [GradualUnfreezing(["head_norm", "two", None])]
    model.fit(X, Y, batch_size=16, epochs=4, callbacks=callbacks, verbose=0)
    assert [int(part.iterations) for part in model.optimizer.optimizers] == [8, 6, 4]


@pytest.mark.parametrize("same", [True, False])
def test_a_further_fit_unfreezes_the_rest(same):
    model, first = compiled(), GradualUnfreezing(["head", "two", None])
    model.get_layer("head_norm").trainable = False
    model.fit(X, Y, epochs=2, callbacks=[first], verbose=0)
    assert [layer.trainable for layer in model.layers] == [False, False, True, False, True]
    again = first if same else GradualUnfreezing(["head", "two", None])
    model.fit(X, Y, initial_epoch=2, epochs=4, callbacks=[again], verbose=0)
    assert [layer.trainable for layer in model.layers] == [True, False, True, False, True]


def test_a_layer_the_user_froze_stays_frozen():
    model = compiled()
    model.get_layer("one").trainable = False
    before = model.get_layer("one").get_weights()[0]
    for _ in range(2):
        model.fit(X, Y, epochs=3, callbacks=[GradualUnfreezing(["head", None])], verbose=0)
    np.testing.assert_array_equal(model.get_layer("one").get_weights()[0], before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradualUnfreezing([]), "boundaries must be names"),
        (lambda: GradualUnfreezing([None, "head"]), "None at most at their end"),
        (lambda: GradualUnfreezing("head"), "`boundaries` must be a list"),
        (lambda: GradualUnfreezing(["head"], 0), "every_epochs must be an int >= 1"),
        (lambda: GradualUnfreezing(["head"], 1.5), "every_epochs must be an int >= 1"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(kc.InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("boundaries", "message"),
    [(["haed"], "Did you mean 'head'"), (["two", "head"], "from the model's end to its beginning")],
)
def test_bad_boundaries(boundaries, message):
    with pytest.raises(kc.InputError, match=message):
        compiled().fit(X, Y, callbacks=[GradualUnfreezing(boundaries)], verbose=0)


def test_a_model_without_weights_before_its_first_batch():
    model = keras.Sequential([keras.layers.Dropout(0.1), keras.layers.Dense(1, name="head")])
    model.compile("sgd", "mse")
    with pytest.raises(kc.InputError, match="no weights before its first batch"):
        model.fit(X, Y, callbacks=[GradualUnfreezing(["head", None])], verbose=0)
    assert all(layer.trainable for layer in model.layers)
