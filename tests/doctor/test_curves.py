"""Each check of the curves says what is wrong beyond its limit, and nothing within it."""

import numpy as np
import pytest

from kerascnn.doctor import curves

NAN = np.nan
FALLING = np.geomspace(2, 0.1, 12)


def c(*values):
    return np.array(values, "float64")


def end(*values):
    """A curve that falls from 2 to 1 in 4 epochs and goes on so."""
    return c(2, 1.6, 1.3, 1, *values)


LIMITS = {  # name: (check, arguments within the limit, beyond it, severity, a word of the message)
    "NaN": (curves.divergence, (FALLING,), (c(1, NAN, NAN),), "problem", "nan in epoch 2"),
    "NaN of validation": (
        curves.divergence, (FALLING, FALLING), (c(2, 1), c(1, np.inf)), "problem", "validation"
    ),
    "divergence": (curves.divergence, (end(1.5),), (end(1.51),), "problem", "after epoch 4"),
    "gave back under half": (curves.divergence, (c(9, 1, 4.9),), (c(9, 1, 5.1),), "problem", "5.1"),
    "learning": (curves.learning, (c(2, 0.95), 1), (c(2, 0.96), 1), "problem", "next to nothing"),
    "only NaN": (curves.learning, (c(0.5), 1), (c(NAN), 1), "problem", "inf at best"),
    "validation": (
        curves.validation_learning, (c(0.9), c(0.99), 1), (c(0.9), c(1), 1), "problem", "guessing"
    ),
    "nothing learnt": (
        curves.validation_learning, (c(0.96), c(1), 1), (c(0.95), c(1), 1), "problem", "training"
    ),
    "penalties in the loss": (
        curves.learning, (c(3), 1, c(0.69)), (c(3), 1, c(0.68)), "problem", "3 at best"
    ),
    "penalties in the validation loss": (
        curves.validation_learning, (c(0.9), c(3), 1, c(0.69)), (c(0.9), c(3), 1, c(0.68)),
        "problem", "3 at best",
    ),
    "penalties in what remains": (
        curves.fit_of_training, (end(1, 1, 1, 1.01), 2, c(0.57)), (end(1, 1, 1, 1.01), 2, c(0.56)),
        "warning", "50 %",
    ),
    "overfitting": (
        curves.overfitting, (end(0.9, 0.8), end(1.05, 1.09), 2), (end(0.9, 0.8), end(1.1, 1.11), 2),
        "warning", "from 1 after epoch 4 to 1.11",
    ),
    "a small rise": (
        curves.overfitting, (end(0.9, 0.8), c(1, 1, 1, 0.2, 0.3, 0.299), 2),
        (end(0.9, 0.8), c(1, 1, 1, 0.2, 0.3, 0.301), 2), "warning", "0.301",
    ),
    "one epoch later": (
        curves.overfitting, (end(0.9), end(2), 2), (end(0.9, 0.8), end(2, 2), 2), "warning", "to 2"
    ),
    "training rises too": (
        curves.overfitting, (end(1.5, 1.5), end(2, 2), 2), (end(1, 0.9), end(2, 2), 2), "warning",
        "0.9",
    ),
    "gap": (curves.gap, (c(0.9), c(0.7501)), (c(0.9), c(0.74)), "warning", "16.0 points"),
    "gap at the best epoch": (
        curves.gap, (c(0.9, 1), c(0.8)), (c(0.9, 1), c(0.8, 0.8)), "warning", "20.0"
    ),
    "underfitting": (
        curves.fit_of_training, (end(1, 1, 1, 0.99), 2), (end(1, 1, 1, 1.01), 2), "warning", "50 %"
    ),
    "not yet fitted": (
        curves.fit_of_training, (c(2, 1.9, 1.8, 1.7), 2), (c(2, 1.9, 1.8, 1.72), 2), "warning",
        "fell by 4 %",
    ),
    "plateau": (
        curves.plateau, (end(*[1.2] * 4, 1.221),), (end(*[1.2] * 4, 1.219),), "warning", "1.22"
    ),
    "close to 0": (curves.plateau, (c(4, *[1] * 5),), (c(3.9, *[1] * 5),), "warning", "at 1 in"),
    "fitted": (
        curves.plateau, (c(2, *[1] * 5), None, c(0.96)), (c(2, *[1] * 5), None, c(0.95)), "warning",
        "last 5",
    ),
    "a rate that is lowered": (
        curves.plateau, (c(2, *[1] * 5), c(1, 1, 1, 1, 1, 0.9)), (c(2, *[1] * 5), c(*[1] * 6)),
        "warning", "stays",
    ),
    "easier": (
        curves.validation_above_training, (np.ones(6), c(0, 0, 0, 0.5, 0.4, 9)),
        (np.ones(6), c(9, 9, 9, 0.49, 0.4, 9)), "warning", "times",
    ),
    "noise": (
        curves.noise, (c(2, 2, 2, 2, 1, 2, 1, 1.2), 4), (c(2, 2, 2, 2, 1, 2, 1, 1.3), 4), "warning",
        "2 of its last 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("check, within, beyond, severity, word", LIMITS.values(), ids=LIMITS)
def test_limit(check, within, beyond, severity, word):
    fine, wrong = check(*within), check(*beyond)
    assert fine.severity in ("fine", "skipped"), fine
    assert (wrong.severity, wrong.check) == (severity, fine.check), wrong
    assert word in wrong.message and wrong.advice, wrong


def test_no_gap_asks_for_more_capacity():
    assert "larger" in curves.gap(c(0.8), c(0.79)).advice
    assert not curves.gap(c(0.99), c(0.99)).advice and not curves.gap(c(0.8), c(0.75)).advice


@pytest.mark.parametrize(
    "curve, advice",
    [(end(0.9, 0.8, 0.7, 0.6), "Train longer."), (end(1, 1, 1, 1), ""), (end(0.7, 0.6, 0.61), "")],
)
def test_still_improving(curve, advice):
    found = curves.still_improving(curve)
    assert (found.severity, found.advice) == ("fine", advice)


def test_each_drop_of_a_staircase_is_told():
    rate, loss = c(1, 1, 0.1, 0.1, 0.1, 0.01), c(2, 1.6, 0.8, 0.6, 0.5, 0.49)
    found = curves.rate_drops(loss, rate)
    assert "by 50 % when the rate was divided by 10 (epoch 3), by 2 % when" in found.message
    assert "gained little" in found.advice
    assert curves.rate_drops(loss, rate * 0 + 1).message == "The rate has no steps."


@pytest.mark.parametrize("rate", [np.geomspace(1, 1e-3, 6), np.r_[np.linspace(0.1, 1, 5), 0.4]])
def test_a_rate_that_is_never_constant_has_no_steps(rate):
    assert curves.rate_drops(FALLING[:6], rate).message == "The rate has no steps."
