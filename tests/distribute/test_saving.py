"""One writer; with real processes in test_launching.py."""

import keras
import numpy as np

import kerascnn as kc
from kerascnn._runs import WORKER
from tests.distribute import task


def test_the_first_worker_writes_and_the_others_do_not(tmp_path, monkeypatch):
    model = task.network()
    kc.distribute.save(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    for weight, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    monkeypatch.setenv(WORKER, "1")
    kc.distribute.save(model, tmp_path / "other.keras")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".keras"] == ["model.keras"]
