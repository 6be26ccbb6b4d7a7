"""A model a cycle, complete on the disk."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import Snapshots

X = np.linspace(-1, 1, 8, dtype="float32")[:, None]


def test_each_file_is_the_model_at_the_end_of_a_cycle(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    restarts = keras.optimizers.schedules.CosineDecayRestarts(0.1, 2 * 4, t_mul=1.0)
    model.compile(keras.optimizers.SGD(restarts), "mse")
    seen = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.predict(X, verbose=0))
    )
    snapshots = Snapshots(tmp_path / "run" / "snapshots", every_epochs=2)
    history = model.fit(X, X, batch_size=2, epochs=6, callbacks=[keep, snapshots], verbose=0)
    assert len(snapshots.files) == 3
    for number, file in enumerate(snapshots.files):
        found = kc.load_model(file).predict(X, verbose=0)
        np.testing.assert_allclose(found, seen[2 * number + 1], rtol=1e-6)
    assert len(list((tmp_path / "run" / "snapshots").iterdir())) == 3
    rates = history.history["learning_rate"]
    assert np.allclose(rates[1::2], 0.1) and np.allclose(rates[::2], 0.05)  # it restarts


def test_bad_input(tmp_path):
    for every in (0, 1.5):
        with pytest.raises(kc.InputError, match="every_epochs must be an int >= 1"):
            Snapshots(tmp_path, every)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(kc.InputError, match="5 epochs are no whole number of cycles of 2"):
        model.fit(X, X, epochs=5, callbacks=[Snapshots(tmp_path, 2)], verbose=0)
