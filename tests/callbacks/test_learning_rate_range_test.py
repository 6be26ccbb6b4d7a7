"""The losses are those of the steps, the suggestion trains, and nothing is left behind."""

import signal

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import LearningRateRangeTest

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 4)).astype("float32")
Y = (X @ RNG.normal(size=4))[:, None].astype("float32")


def compiled(optimizer=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.1), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.5, momentum=0.9), "mse")
    return model


def run(model, test, epochs=50):
    model.fit(X, Y, batch_size=32, epochs=epochs, callbacks=[test], shuffle=False, verbose=0)
    return test


def test_nothing_is_left_behind():
    model = compiled()
    model.fit(X, Y, verbose=0)
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.array(v) for v in variables]
    run(model, LearningRateRangeTest())
    for variable, value in zip(variables, before):
        np.testing.assert_array_equal(variable, value)
    fresh, never = compiled(), compiled()
    run(fresh, LearningRateRangeTest())
    for model in (fresh, never):
        model.fit(X, Y, shuffle=False, verbose=0)
    np.testing.assert_array_equal(fresh.get_weights()[0], never.get_weights()[0])


def test_losses_are_those_of_the_steps():
    """Keras reports running means: an oracle of gradient descent has the steps' own."""
    model = compiled(keras.optimizers.SGD(0.5))
    model.layers[0].rate = 0.0
    w, b = (np.array(v, "float64") for v in model.layers[1].get_weights())
    test, losses = run(model, LearningRateRangeTest(1e-3, 0.1, 20)), []
    np.testing.assert_allclose(test.rates, np.geomspace(1e-3, 0.1, 20))
    for step, rate in enumerate(test.rates):
        x, y = (part[32 * (step % 8) :][:32] for part in (X, Y))
        error = x @ w + b - y
        losses.append((error**2).mean())
        w, b = w - rate * 2 * x.T @ error / 32, b - rate * 2 * error.mean()
    np.testing.assert_allclose(test.losses, losses, rtol=1e-3)


def test_a_smaller_last_batch():
    """The mean that Keras reports counts samples: 8 of loss 1, then 1 of loss 4."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    model.set_weights([np.ones((1, 1))])
    x, test = np.array([1.0] * 8 + [2.0])[:, None], LearningRateRangeTest(1e-9, 1e-8, 10)
    model.fit(x, 0 * x, batch_size=8, epochs=5, callbacks=[test], shuffle=False, verbose=0)
    np.testing.assert_allclose(test.losses, [1.0, 4.0] * 5, rtol=1e-4)


class OwnStep(keras.Model):
    """Reports the loss of each step, and no mean."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, use_bias=False)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        return {"loss": keras.ops.mean(keras.ops.square(self(x) - y))}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its train_step")
def test_a_step_that_reports_its_own_loss():
    model, x = OwnStep(), np.array([1.0] * 8 + [2.0])[:, None]
    model.compile("sgd", "mse")
    model(x)
    model.set_weights([np.ones((1, 1))])
    test = LearningRateRangeTest(1e-9, 1e-8, 10)
    model.fit(x, 0 * x, batch_size=8, epochs=5, callbacks=[test], shuffle=False, verbose=0)
    np.testing.assert_allclose(test.losses, [1.0, 4.0] * 5, rtol=1e-4)


def test_a_scaled_loss():
    """As in mixed_float16, where Keras wraps the optimiser."""
    sgd = keras.optimizers.SGD(0.5)
    model = compiled(keras.optimizers.LossScaleOptimizer(sgd, initial_scale=8.0))
    test = run(model, LearningRateRangeTest(1e-3, 0.1, 20))
    np.testing.assert_allclose(test.rates, np.geomspace(1e-3, 0.1, 20))
    assert float(sgd.learning_rate) == 0.5 and float(model.optimizer.dynamic_scale) == 8.0


def test_several_optimizers_and_a_model_without_weights():
    layers = [keras.layers.Dense(3), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(kc.optimizers.layer_rates(model, "sgd", verbose=False), "mse")
    with pytest.raises(kc.InputError, match="and the model has 2 optimisers. Compile with one"):
        run(model, LearningRateRangeTest())
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(kc.InputError, match="no weights before its first batch"):
        run(model, LearningRateRangeTest())


def test_it_ends_before_it_breaks_and_suggests_a_rate_that_trains():
    test = run(compiled(keras.optimizers.SGD(0.5)), LearningRateRangeTest(1e-5, 1e3, 100))
    assert len(test.rates) < 100 and np.isfinite(test.losses).all()
    assert 1e-3 < test.suggestion < 1  # above 2 / 2 = 1 gradient descent diverges here
    model = compiled(keras.optimizers.SGD(test.suggestion))
    model.layers[0].rate = 0.0
    history = model.fit(X, Y, batch_size=32, epochs=10, verbose=0).history["loss"]
    assert history[-1] < 0.05 * history[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LearningRateRangeTest(1.0, 0.1), "lowest must be above 0 and below highest"),
        (lambda: LearningRateRangeTest(steps=3), "steps must be at least 10"),
        (lambda: LearningRateRangeTest().suggestion, "has seen 0 steps"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(kc.InputError, match=message):
        make()


def test_a_schedule_is_refused():
    model = compiled(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)))
    with pytest.raises(kc.InputError, match="Compile with a number for the test"):
        run(model, LearningRateRangeTest())


class Press(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if batch == 5:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_undoes_it_too(capfd):
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        model = compiled()
        before = [np.array(v) for v in model.variables]
        test = LearningRateRangeTest(highest=100.0)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, batch_size=32, callbacks=[test, Press()], verbose=0)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, outside)
    assert len(test.rates) == 6 and "then undoing the test" in capfd.readouterr().err
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(variable, value)
    assert float(model.optimizer.learning_rate) == float(compiled().optimizer.learning_rate)
