"""Which way is better, and a name that is not in the logs."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks._monitor import Monitor


@pytest.mark.parametrize(
    ("name", "mode"),
    [("loss", "min"), ("val_loss", "min"), ("head_loss", "min"), ("val_mae", "min")]
    + [("val_accuracy", "max"), ("sparse_categorical_accuracy", "max"), ("val_auc", "max")],
)
def test_the_direction_is_in_the_name(name, mode):
    assert Monitor(name).mode == mode


def test_better_by_more_than_min_delta():
    low, high = Monitor("loss", min_delta=0.1), Monitor("score", "max", min_delta=0.1)
    assert low.is_better(0.5, than=None) and low.is_better(0.5, than=0.7)
    assert not low.is_better(0.5, than=0.55) and not low.is_better(float("nan"), than=None)
    assert high.is_better(0.7, than=0.5) and not high.is_better(0.55, than=0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Monitor("score"), 'Pass mode="min" or mode="max"'),
        (lambda: Monitor("loss", "low"), "Unknown mode 'low'"),
        (lambda: Monitor("loss", min_delta=-1), "min_delta must not be negative"),
        (lambda: Monitor("val_loss").read({"loss": 1, "acc": 0}, "X"), "fit reports: loss, acc"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(kc.InputError, match=message):
        make()


def test_epochs_that_are_not_validated_are_passed_over():
    monitor = Monitor("val_loss")
    assert monitor.read({"loss": 1.0, "val_loss": 2.0}, "X") == 2.0
    assert monitor.read({"loss": 1.0}, "X", again=True) is None
    assert monitor.read({"loss": 1.0, "val_loss": 3.0}, "X", again=True) == 3.0
    with pytest.raises(kc.InputError, match="but fit reports: loss, val_acc.$"):
        monitor.read({"loss": 1.0, "val_acc": 0.0}, "X", again=True)


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (lambda: kc.callbacks.PlateauRollback(patience=1, min_delta=99.0), [1, 1, 1, 0.5, 0.5]),
        (lambda: kc.callbacks.BoldDriver(increase=2.0), [1, 2, 2, 4, 4]),
    ],
)
def test_with_validation_freq(callback, expected):
    """The rates of five epochs, of which the first, third and fifth are validated."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    x = np.ones((4, 1), "float32")
    history = model.fit(
        x, x, epochs=5, callbacks=[callback()], validation_data=(x, x),
        validation_freq=[1, 3, 5], verbose=0,
    )  # fmt: skip
    rates = np.array(history.history["learning_rate"]) / 1e-3
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


@pytest.mark.parametrize("make", [kc.callbacks.PlateauRollback, kc.callbacks.BoldDriver])
def test_a_resumed_run_knows_that_it_was_validated_and_a_new_one_does_not(make):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    first, second = make(), make()
    for callback in (first, second):
        callback.set_model(model)
        callback.on_train_begin()
    first.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0})
    second.set_state(first.get_state())
    second.on_epoch_end(1, {"loss": 1.0})
    second.on_train_begin()
    with pytest.raises(kc.InputError, match="Pass validation_data to fit"):
        second.on_epoch_end(0, {"loss": 1.0})


def test_an_unvalidated_first_epoch_says_what_to_do():
    with pytest.raises(kc.InputError, match=r"validation_freq=\[1, 3, 5\]"):
        Monitor("val_loss").read({"loss": 1.0}, "X")
