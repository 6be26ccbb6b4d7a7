"""A worker computes as its parent would: to the bit, where that was asked for."""

import subprocess
import sys

import keras
import pytest

from kerascnn.search._process import process_settings
from kerascnn.search._worker import apply_settings


def test_settings_of_keras_travel():
    keras.ops.zeros(1)  # after which TensorFlow takes no number of threads any more
    before = process_settings(0)
    other = before | {"epsilon": 1e-5, "image_data_format": "channels_first", "floatx": "float16"}
    other["dtype_policy"] = "mixed_bfloat16"
    try:
        apply_settings(other)
        assert process_settings(0) == other and keras.config.epsilon() == 1e-5
    finally:
        apply_settings(before)
    assert process_settings(0) == before


BITS = """
import sys
import keras, numpy as np
import kerascnn as kc
kc.reproducible(0)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(96, 8, 8, 3)).astype("float32"), np.arange(96) % 2
data = {{"x": x[:64], "y": y[:64], "validation_data": (x[64:], y[64:]), "epochs": 3}}

def build(hp):
    model = keras.Sequential([
        keras.Input((8, 8, 3)), keras.layers.Conv2D(hp.Int("filters", 2, 9), 3, activation="relu"),
        keras.layers.Dropout(0.3), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model

tuner = kc.search.Tuner(build, {folder!r}, objective="val_loss", max_trials=3, verbose=False)
tuner.search(**data)
for rank, best in enumerate(tuner.get_best_models(3)):
    model, metrics = kc.search.retrain_best(build, {folder!r}, rank, **data)
    rows = sorted(kc.search.trials({folder!r}), key=lambda row: row["score"])
    assert metrics == rows[rank]["metrics"]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), best.get_weights()))
print("equal")
"""


@pytest.mark.slow
def test_the_best_trial_is_trained_again_to_the_bit(tmp_path):
    code = BITS.format(folder=str(tmp_path / "search"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "equal", done.stderr
