"""Faster while it goes well; a worse epoch is undone."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import BoldDriver

X = np.linspace(-1, 1, 8, dtype="float32")[:, None]


def compiled(rate):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def test_rates_and_weights():
    model, driver = compiled(1.0), BoldDriver("val_loss", increase=2.0, decrease=0.5)
    driver.set_model(model)
    driver.on_train_begin()
    weights, rates = [], []
    for epoch, loss in enumerate([3.0, 2.0, 2.5, 1.0, float("nan")]):
        model.set_weights([np.full((1, 1), epoch + 1.0), np.zeros(1)])
        logs = {"val_loss": loss}
        driver.on_epoch_end(epoch, logs)
        rates.append(logs["learning_rate"])
        weights.append(float(model.get_weights()[0][0, 0]))
    assert rates == [1.0, 2.0, 4.0, 2.0, 4.0]
    assert weights == [1.0, 2.0, 2.0, 4.0, 4.0]  # the third and the last one are undone


def test_it_learns_from_a_rate_that_is_far_too_high():
    model = compiled(40.0)
    driver = BoldDriver("loss")
    history = model.fit(X, -3 * X, batch_size=8, epochs=60, callbacks=[driver], verbose=0)
    assert history.history["loss"][-1] < 0.05 < history.history["loss"][0]


@pytest.mark.parametrize("options", [{"increase": 0.9}, {"decrease": 1.0}])
def test_bad_input(options):
    with pytest.raises(kc.InputError, match="increase must be at least 1"):
        BoldDriver(**options)


def test_a_schedule_is_refused():
    model = compiled(keras.optimizers.schedules.CosineDecay(0.1, 9))
    with pytest.raises(kc.InputError, match="follows a schedule. Compile with a number"):
        model.fit(X, X, callbacks=[BoldDriver()], verbose=0)


def test_a_model_without_weights_before_its_first_batch():
    """What is measured at an epoch's end has its weights then."""
    model = keras.Sequential([keras.layers.Dropout(0.1), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(kc.InputError, match="no weights before its first batch"):
        model.fit(X, X, callbacks=[BoldDriver("loss")], verbose=0)
    driver = BoldDriver("val_loss")
    history = model.fit(X, X, validation_data=(X, X), epochs=2, callbacks=[driver], verbose=0)
    assert len(history.history["learning_rate"]) == 2
