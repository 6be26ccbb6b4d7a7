"""From a rate that is far too high to one that trains."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import DivergenceRestart

X = np.linspace(-1, 1, 64, dtype="float32")[:, None]


def compiled(rate):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate, momentum=0.5), "mse")
    return model


def test_tenths_until_it_holds():
    model = compiled(1000.0)
    restart = DivergenceRestart()
    history = model.fit(X, 2 * X, batch_size=8, epochs=12, callbacks=[restart], verbose=0).history
    assert history["learning_rate"][0] == pytest.approx(100)
    assert history["learning_rate"][-1] == pytest.approx(1)
    assert history["loss"][-1] < 0.01


def test_the_epoch_begins_again():
    """After a NaN in the last step everything is as at the epoch's begin, but the rate."""
    model, restart = compiled(0.5), DivergenceRestart()
    model.train_on_batch(X, X)
    restart.set_model(model)
    restart.on_train_begin()
    restart.on_epoch_begin(0)
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.array(v) for v in variables]
    model.train_on_batch(X, X)
    restart.on_train_batch_end(0, {"loss": 1.0})
    restart.on_train_batch_end(1, {"loss": float("nan")})
    for variable, value in zip(variables, before):
        if variable.path.endswith("learning_rate"):
            assert float(variable) == pytest.approx(0.05)
        elif not variable.path.endswith("iteration"):
            np.testing.assert_array_equal(variable, value)


def test_an_epoch_whose_last_step_diverges_is_not_the_best():
    """Two batches an epoch; the rate diverges in the second one."""
    restart, stop = DivergenceRestart(factor=1e-26), keras.callbacks.EarlyStopping("loss", 0, 2)
    history = (
        compiled(1e25)
        .fit(X, 2 * X, batch_size=32, epochs=4, callbacks=[restart, stop], verbose=0)
        .history
    )
    assert history["loss"][0] == np.inf and np.isfinite(history["loss"][1:]).all()
    assert stop.best == min(history["loss"]) > 0


def test_it_does_not_go_back_to_where_an_epoch_began_that_diverged():
    model, restart = compiled(0.1), DivergenceRestart()
    restart.set_model(model)
    restart.on_train_begin()
    restart.on_epoch_begin(0)
    good = model.get_weights()
    model.train_on_batch(X, X)
    restart.on_train_batch_end(0, {"loss": 1.0})
    restart.on_epoch_end(0, {"loss": 1.0})
    for epoch in (1, 2):  # in the first step, then a good one
        restart.on_epoch_begin(epoch)
        restart.on_train_batch_end(0, {"loss": float("nan")})
        for weight, value in zip(model.get_weights(), good):
            np.testing.assert_array_equal(weight, value)
        model.train_on_batch(X, X)
        restart.on_train_batch_end(1, {"loss": 1.0})
        restart.on_epoch_end(epoch, {"loss": 1.0})


def test_no_end_is_an_error():
    model = compiled(0.1)
    with pytest.raises(kc.NonFiniteError, match="diverges .* 2 times at a lower learning rate"):
        model.fit(X * np.nan, X, epochs=9, callbacks=[DivergenceRestart(max_restarts=2)], verbose=0)


@pytest.mark.parametrize("options", [{"factor": 0}, {"limit": 1.0}, {"max_restarts": 0}])
def test_bad_input(options):
    with pytest.raises(kc.InputError, match="limit above 1"):
        DivergenceRestart(**options)


def test_beside_larger_batches_waiting_is_no_loss_of_zero():
    model, restart = compiled(0.01), DivergenceRestart()
    model.fit(
        X, 2 * X, batch_size=8, initial_epoch=2, epochs=4, verbose=0,
        callbacks=[kc.callbacks.BatchSizeGrowth([1], 2), restart],
    )  # fmt: skip
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)


def test_beside_larger_batches_a_loss_is_judged_once():
    """4 of 8 batches are joined, and the first 32 rows spoil the weights."""
    model, x = compiled(0.1), X.copy()
    x[:32] = 1e30
    restart = DivergenceRestart()
    history = model.fit(
        x, X, batch_size=8, initial_epoch=1, epochs=2, shuffle=False, verbose=0,
        callbacks=[kc.callbacks.BatchSizeGrowth([1], 4), restart],
    ).history  # fmt: skip
    assert history["learning_rate"] == [pytest.approx(0.01)]
