"""Every schedule is its formula at every step: ours, and Keras's as the module's table says."""

import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw

import kerascnn as kc
from kerascnn import schedules

S = keras.optimizers.schedules
STEPS = 60
RATES, COUNTS = draw.floats(1e-4, 10), draw.integers(1, 50)
few = settings(max_examples=6, deadline=None, derandomize=True)


def assert_is(schedule, formula, steps=STEPS, rtol=2e-5):
    expected = [formula(step) for step in range(steps)]
    np.testing.assert_allclose(schedules.simulate(schedule, steps), expected, rtol, atol=1e-7)


def half_cosine(start, end, share):
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1))) / 2


@few
@given(RATES, COUNTS, draw.booleans())
def test_inverse_square_root_decay(rate, steps, staircase):
    def formula(step):
        return rate / math.sqrt(1 + (step // steps if staircase else step / steps))

    assert_is(schedules.InverseSquareRootDecay(rate, steps, staircase), formula)


def test_k_over_the_root_of_the_epoch():
    epochs = np.arange(1, 5)  # counted from 1
    rates = schedules.simulate(schedules.InverseSquareRootDecay(0.3, 7, staircase=True), 28)
    np.testing.assert_allclose(rates, np.repeat(0.3 / np.sqrt(epochs), 7), rtol=1e-6)


@few
@given(RATES, draw.integers(2, 50), draw.floats(0.1, 0.9))
def test_one_cycle(peak, steps, up):
    def formula(step):
        share = min(step / steps, 1)
        if np.float32(share) < np.float32(up):
            return half_cosine(peak / 25, peak, share / up)
        return half_cosine(peak, peak / 1e5, (share - up) / (1 - up))

    assert_is(schedules.OneCycle(peak, steps, up), formula, rtol=1e-3)


@few
@given(RATES, COUNTS, draw.floats(0, 1))
def test_warm_up_then_cosine(rate, steps, start):
    def formula(step):
        if step < steps:
            return start + step / steps * (rate - start)
        return half_cosine(rate, 0, (step - steps) / 40)

    assert_is(schedules.WarmUp(S.CosineDecay(rate, 40), steps, start), formula)


@few
@given(RATES, RATES, COUNTS, COUNTS)
def test_chain(first, second, one, two):
    def formula(step):
        if step < one:
            return first
        step -= one
        return second * 0.9**step if step < two else max(0, first * (1 - (step - two) / 20))

    parts = [first, S.ExponentialDecay(second, 1, 0.9), S.PolynomialDecay(first, 20, 0)]
    assert_is(schedules.Chain(parts, [one, two]), formula)


@few
@given(RATES, RATES)
def test_scaled(rate, scale):
    schedule = S.InverseTimeDecay(rate, 1, 0.1)
    assert_is(schedules.Scaled(schedule, scale), lambda step: scale * rate / (1 + 0.1 * step))


@few
@given(RATES, draw.integers(1, 9))
def test_stretched(rate, times):
    schedule = schedules.Stretched(S.InverseTimeDecay(rate, 1, 0.1), times)
    assert_is(schedule, lambda step: rate / (1 + 0.1 * (step // times)))


N = 7  # steps an epoch
FROM_KERAS = {  # the table in the module's docstring
    "halved every 10 epochs": (
        S.ExponentialDecay(0.3, 10 * N, 0.5, staircase=True),
        lambda step: 0.3 * 0.5 ** (step // N // 10),
    ),
    "0.95 ** epoch": (
        S.ExponentialDecay(0.3, N, 0.95, staircase=True),
        lambda step: 0.3 * 0.95 ** (step // N),
    ),
    "4 % less every 8 epochs": (
        S.ExponentialDecay(0.3, 8 * N, 0.96, staircase=True),
        lambda step: 0.3 * 0.96 ** (step // N // 8),
    ),
    "a / 10 after 32 and 48 steps": (
        S.PiecewiseConstantDecay([31, 47], [0.3, 0.03, 0.003]),
        lambda step: 0.3 / 10 ** ((step >= 32) + (step >= 48)),
    ),
    "a * exp(-k * step)": (
        S.ExponentialDecay(0.3, 1, math.exp(-0.01)),
        lambda step: 0.3 * math.exp(-0.01 * step),
    ),
    "a / (1 + k * step)": (
        S.InverseTimeDecay(0.3, 1, 0.01),
        lambda step: 0.3 / (1 + 0.01 * step),
    ),
    "linear": (S.PolynomialDecay(0.3, 200, 0), lambda step: 0.3 * (1 - step / 200)),
    "polynomial": (
        S.PolynomialDecay(0.3, 200, 0.1, 2.0),
        lambda step: 0.1 + 0.2 * (1 - step / 200) ** 2,
    ),
    "cosine": (S.CosineDecay(0.3, 200), lambda step: half_cosine(0.3, 0, step / 200)),
}


@pytest.mark.parametrize("name", FROM_KERAS)
def test_the_schedules_of_keras(name):
    assert_is(*FROM_KERAS[name], steps=130)


OURS = {
    "Chain": lambda: schedules.Chain([0.1, S.CosineDecay(0.1, 9)], [4]),
    "InverseSquareRootDecay": lambda: schedules.InverseSquareRootDecay(0.1, 5, True),
    "OneCycle": lambda: schedules.OneCycle(0.1, 20, 0.3),
    "Scaled": lambda: schedules.Scaled(S.CosineDecay(0.1, 9), 0.5),
    "Stretched": lambda: schedules.Stretched(S.CosineDecay(0.1, 9), 3),
    "WarmUp": lambda: schedules.WarmUp(schedules.OneCycle(0.1, 12), 4),
}


def test_every_schedule_has_a_row():
    functions = {"RobbinsMonro", "robbins_monro", "simulate"}
    assert set(OURS) | functions == set(schedules.__all__)


@pytest.mark.parametrize("name", OURS)
def test_config_round_trip(name):
    schedule = OURS[name]()
    config = json.loads(json.dumps(S.serialize(schedule)))
    again = S.deserialize(config)
    np.testing.assert_array_equal(schedules.simulate(again, 30), schedules.simulate(schedule, 30))


@pytest.mark.parametrize("name", OURS)
def test_trains_saves_and_loads(name, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(OURS[name]()), "mse")
    x = np.eye(2, dtype="float32")
    rates = schedules.simulate(OURS[name](), 6)
    weights = model.get_weights()
    for rate in rates:  # the optimiser's own steps
        w, b = weights
        error = (x @ w + b)[:, 0]
        weights = [w - rate * (x.T @ error)[:, None], b - rate * error.sum()]
    model.fit(np.tile(x, (6, 1)), np.zeros(12), batch_size=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], weights[0], rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = kc.load_model(tmp_path / "model.keras")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert int(again.optimizer.iterations) == 6


def test_simulate_is_what_training_sees():
    """A schedule with a branch in it, in steps that are far apart."""
    schedule = S.CosineDecay(0.0, 1000, warmup_target=0.1, warmup_steps=100)
    steps = [0, 50, 100, 600, 1100, 5000]
    expected = [float(schedule(step)) for step in steps]
    np.testing.assert_allclose(schedules.simulate(schedule, steps), expected, rtol=1e-6)
    assert schedules.simulate(0.25, 3).tolist() == [0.25] * 3


def test_simulate_asks_the_schedule_once_for_all_steps():
    calls = []

    class Counted(S.LearningRateSchedule):
        def __call__(self, step):
            calls.append(step)
            return 0.1 / (1.0 + keras.ops.cast(step, "float32"))

    expected = 0.1 / np.arange(1, 201)
    np.testing.assert_allclose(schedules.simulate(Counted(), 200), expected, rtol=1e-6)
    assert len(calls) <= 2


ROBBINS_MONRO = {  # (schedule, (the sum is infinite, the sum of squares is finite))
    "constant": (0.1, (True, False)),
    "exponential": (S.ExponentialDecay(0.1, 1000, 0.5), (False, True)),
    "1/t": (S.InverseTimeDecay(0.1, 10, 1.0), (True, True)),
    "1/sqrt(t)": (schedules.InverseSquareRootDecay(0.1, 10), (True, False)),
    "linear to 0": (S.PolynomialDecay(0.1, 1000, 0.0), (False, True)),
    "warm-up, then 1/t": (schedules.WarmUp(S.InverseTimeDecay(0.1, 10, 1.0), 50), (True, True)),
}


@pytest.mark.parametrize("name", ROBBINS_MONRO)
def test_robbins_monro(name):
    schedule, expected = ROBBINS_MONRO[name]
    assert schedules.robbins_monro(schedule)[:2] == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (S.PiecewiseConstantDecay([500_000], [0.1, 0.01]), (True, False, 0.0)),
        (S.ExponentialDecay(0.1, 10**6, 0.5), (False, True, 2.71)),
    ],
)
def test_the_verdict_is_of_the_end_and_says_so(schedule, expected, caplog):
    assert schedules.robbins_monro(schedule) == expected
    assert "a verdict for its end alone" in caplog.text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.robbins_monro(0.1, 50), "steps must be an int >= 100"),
        (lambda: schedules.robbins_monro(0.1, 10**7), "steps must be at most 1,600,000"),
        (lambda: schedules.InverseSquareRootDecay(-0.1, 5), "initial_learning_rate must be"),
        (lambda: schedules.InverseSquareRootDecay(0.1, 0), "decay_steps must be an int >= 1"),
        (lambda: schedules.OneCycle(0.1, 1), "steps must be an int >= 2"),
        (lambda: schedules.OneCycle(0.1, 10, up=1.0), "up must be between 0 and 1"),
        (lambda: schedules.OneCycle(0.1, 10, end_divisor=0.5), "must be at least 1"),
        (lambda: schedules.WarmUp("cosine", 5), "A rate must be a number above 0"),
        (lambda: schedules.WarmUp(0.1, 5, start=-1), "start must not be negative"),
        (lambda: schedules.Chain([0.1, 0.2], [5, 5]), "every schedule but the last"),
        (lambda: schedules.Scaled(0.1, 0.0), "scale must be a number above 0"),
        (lambda: schedules.Stretched(S.CosineDecay(0.1, 9), 0), "times must be an int >= 1"),
        (lambda: schedules.simulate(0.1, -4), "steps must be an int >= 1"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(kc.InputError, match=message):
        make()
