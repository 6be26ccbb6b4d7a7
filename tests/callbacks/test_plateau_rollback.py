"""The rate falls and the best weights come back exactly when they should."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import PlateauRollback

X = np.linspace(-1, 1, 12, dtype="float32")[:, None]


def started(callback, rate=1.0):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "mse")
    model.train_on_batch(X, X)
    callback.set_model(model)
    callback.on_train_begin()
    return model


def after(callback, losses, every=lambda epoch: None):
    """The rates that are in the logs of epochs with these losses."""
    rates = []
    for epoch, loss in enumerate(losses):
        every(epoch)
        logs = {"val_loss": loss}
        callback.on_epoch_end(epoch, logs)
        rates.append(logs["learning_rate"])
    return rates


def test_the_rates():
    callback = PlateauRollback(factor=0.5, patience=2, min_delta=0.1)
    started(callback)
    losses = [3.0, 2.0, 1.95, 2.5, 1.0, 1.0, 0.95, 1.0, 1.0, 0.5]
    expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert after(callback, losses) == expected


@pytest.mark.parametrize("rollback", [True, False])
def test_back_to_the_best_epoch(rollback):
    callback = PlateauRollback(patience=2, rollback=rollback)
    model = started(callback)
    seen = []

    def step(epoch):
        model.train_on_batch(X, X**2)
        seen.append([np.array(v) for v in (*model.variables, *model.optimizer.variables)])

    after(callback, [2.0, 1.0, 1.5, 1.5], step)
    now = [np.array(v) for v in (*model.variables, *model.optimizer.variables)]
    paths = [v.path for v in (*model.variables, *model.optimizer.variables)]
    assert any("momentum" in path for path in paths)
    for path, value, best, last in zip(paths, now, seen[1], seen[3]):
        if path.endswith("iteration"):
            assert value == last  # steps go on
        elif path.endswith("learning_rate"):
            assert value == 0.5
        else:
            np.testing.assert_array_equal(value, best if rollback else last)


def test_nan_is_no_improvement_and_no_best():
    callback = PlateauRollback(patience=1)
    started(callback)
    assert after(callback, [float("nan"), float("nan"), 1.0]) == [1.0, 0.5, 0.25]


def test_on_top_of_a_schedule():
    """Keras's own `ReduceLROnPlateau` raises a TypeError there."""
    schedule = keras.optimizers.schedules.CosineDecay(0.4, 12)  # 3 steps an epoch
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(kc.schedules.WarmUp(schedule, 3, 0.1)), "mse")
    plateau = PlateauRollback("loss", patience=2, min_delta=100)
    history = model.fit(X, X, batch_size=4, epochs=5, callbacks=[plateau], verbose=0)
    expected = kc.schedules.simulate(kc.schedules.WarmUp(schedule, 3, 0.1), [3, 6, 9, 12, 15])
    expected *= [1, 1, 1, 0.5, 0.5]
    np.testing.assert_allclose(history.history["learning_rate"], expected, rtol=1e-6)


def test_state_round_trip():
    callback, other = PlateauRollback(patience=3), PlateauRollback(patience=3)
    started(callback)
    after(callback, [2.0, 1.0, 1.5])
    started(other)
    other.set_state(callback.get_state())
    assert after(other, [1.5, 1.5, 1.5]) == after(callback, [1.5, 1.5, 1.5]) == [1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1.0}, "factor must be between 0 and 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"monitor": "val_score"}, 'Pass mode="min" or mode="max"'),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(kc.InputError, match=message):
        PlateauRollback(**options)


def test_unknown_monitor():
    callback = PlateauRollback()
    started(callback)
    message = "PlateauRollback monitors 'val_loss', but fit reports: loss, learning_rate"
    with pytest.raises(kc.InputError, match=message):
        callback.on_epoch_end(0, {"loss": 1.0})


def test_back_to_a_time_when_fewer_layers_trained():
    """As with `GradualUnfreezing`: momenta that were not there then begin with nothing."""
    names = ("first", "second")
    layers = [keras.layers.Dense(1, name=name, use_bias=False) for name in names]
    model = keras.Sequential([keras.Input((1,)), *layers])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    seen = []

    class Momenta(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            slots = [v for v in self.model.optimizer.variables if "momentum" in v.path]
            seen.append({v.path: np.array(v) for v in slots})

    callbacks = [
        kc.callbacks.GradualUnfreezing(["second", "first"]), Momenta(),
        PlateauRollback("loss", patience=1, min_delta=1e9), Momenta(),
    ]  # fmt: skip
    model.fit(X, X, epochs=2, callbacks=callbacks, verbose=0)
    (alone,), before, after = seen[0], seen[2], seen[3]
    new = next(path for path in after if path != alone)
    assert before[new] != 0 and after[new] == 0
    assert before[alone] != seen[0][alone] and after[alone] == seen[0][alone]
