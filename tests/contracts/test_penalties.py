"""What every regulariser and constraint keeps. A new one joins by one row."""

import keras
import numpy as np
import pytest

import kerascnn as kc

ROWS = {  # name: (function that makes it, the option of a layer that takes it)
    "KLSparsity": (
        lambda: kc.regularizers.KLSparsity(0.1, 0.5, activation="sigmoid"),
        "activity_regularizer",
    ),
    "MaxRMS": (lambda: kc.constraints.MaxRMS(0.05), "kernel_constraint"),
}
FUNCTIONS = {"constrain", "regularize"}  # of models
X = np.random.default_rng(0).normal(size=(8, 6, 6, 2)).astype("float32")
every_row = pytest.mark.parametrize(("make", "option"), ROWS.values(), ids=ROWS)


def network(make, option, dtype=None, **compile_options):
    layer = keras.layers.Conv2D(3, 3, **{option: make()}, dtype=dtype, name="conv")
    model = keras.Sequential([keras.Input((6, 6, 2)), layer])
    model.compile("sgd", "mse", **compile_options)
    return model


def test_every_one_has_a_row():
    names = {*kc.regularizers.__all__, *kc.constraints.__all__}
    assert set(ROWS) | FUNCTIONS == names


@every_row
def test_config_round_trip(make, option):
    config = keras.saving.serialize_keras_object(make())
    again = keras.saving.deserialize_keras_object(config)
    assert keras.saving.serialize_keras_object(again) == config


@every_row
def test_a_trained_model_opens_with_it(make, option, tmp_path):
    model = network(make, option)
    model.fit(X, np.zeros((8, 4, 4, 3)), verbose=0)
    model.save(tmp_path / "model.keras")
    again = kc.load_model(tmp_path / "model.keras")
    assert getattr(again.layers[0], option).get_config() == make().get_config()


@every_row
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_trains(make, option, dtype, jit_compile):
    model = network(make, option, dtype, jit_compile=jit_compile)
    history = model.fit(X, np.zeros((8, 4, 4, 3)), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
