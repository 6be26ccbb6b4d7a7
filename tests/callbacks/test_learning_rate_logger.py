"""The history holds what the optimiser had, whatever changed it."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import LearningRateLogger

S = keras.optimizers.schedules
X = np.ones((8, 1), "float32")


def fit(rate, epochs, *callbacks):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    callbacks = [*callbacks, LearningRateLogger()]
    return model.fit(X, X, batch_size=2, epochs=epochs, callbacks=callbacks, verbose=0).history


def test_a_schedule():
    schedule = S.ExponentialDecay(0.1, 4, 0.5, staircase=True)
    expected = kc.schedules.simulate(schedule, [4, 8, 12])
    np.testing.assert_allclose(fit(schedule, 3)["learning_rate"], expected, rtol=1e-6)


def test_a_rate_that_another_callback_sets():
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    np.testing.assert_allclose(fit(0.8, 3, halve)["learning_rate"], [0.4, 0.2, 0.1], rtol=1e-6)


def test_a_schedule_that_is_too_short():
    """CosineDecay of 12 steps in a training of 20."""
    with pytest.raises(kc.InputError, match="is 0 at step 12, but fit trains from step 0 to 20"):
        fit(S.CosineDecay(0.1, 12), 5)
    fit(S.CosineDecay(0.1, 20), 5)
    fit(S.PiecewiseConstantDecay([3], [0.1, 0.01]), 5)


def compiled(*steps):
    """With a `CosineDecay` of so many steps."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(S.CosineDecay(0.1, *steps)), "mse")
    return model


def go_on(model, callback=None, **options):
    callbacks = [callback or LearningRateLogger()]
    options = {"batch_size": 2, "epochs": 5, "verbose": 0} | options
    return model.fit(X, X, callbacks=callbacks, **options).history["learning_rate"]


def test_epochs_that_are_left_out_are_not_counted():
    """A fresh model makes its steps from 0 on, wherever the epochs begin."""
    rates = go_on(compiled(20), initial_epoch=5, epochs=10)
    assert len(rates) == 5 and rates[0] > 0.09
    with pytest.raises(kc.InputError, match="CosineDecay is 0 at step 21, but fit trains from"):
        go_on(compiled(20), initial_epoch=5, epochs=11)


def test_a_second_fit_goes_on_where_the_first_ended():
    model = compiled(20)
    go_on(model)
    with pytest.raises(kc.InputError, match="is 0 at step 22, but fit trains from step 20 to 40"):
        go_on(model)
    model = compiled(40)
    first, second = go_on(model), go_on(model)
    assert first[-1] > second[0] and second[-2] > 0


class Stop(Exception):
    pass


class StopAt(keras.callbacks.Callback):
    """Ends `fit` by an error after a step that is saved."""

    def __init__(self, *moment):
        super().__init__()
        self.moment = moment

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.moment:
            raise Stop


@pytest.mark.parametrize("moment", [(2, 3), (4, 2), (4, 3)])
def test_a_run_that_was_killed_is_counted_from_where_it_is(tmp_path, moment):
    images = np.random.default_rng(0).integers(256, size=(16, 6, 6), dtype="uint8")

    def run(epochs, *callbacks):
        data = kc.data.from_arrays(images, [0, 1] * 8, batch_size=4, splits=["train"] * 16).train
        layers = [keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
        model = keras.Sequential([keras.Input((6, 6, 1)), *layers])
        model.compile(
            keras.optimizers.SGD(S.CosineDecay(1e-5, 20)), "sparse_categorical_crossentropy"
        )
        resume = kc.callbacks.Resume(tmp_path, data, [LearningRateLogger()], every=1)
        return model.fit(
            resume.data, epochs=epochs, initial_epoch=resume.initial_epoch, shuffle=False,
            callbacks=[resume, *callbacks], verbose=0,
        )  # fmt: skip

    with pytest.raises(Stop):
        run(5, StopAt(*moment))
    assert len(run(5).history["learning_rate"]) == 5
    with pytest.raises(kc.InputError, match="is 0 at step 20, but fit trains from step 20 to 24"):
        run(6)
