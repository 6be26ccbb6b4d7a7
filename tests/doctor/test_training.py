"""Each check of a step's numbers says what is wrong beyond its limit, and nothing within it."""

import math

import numpy as np
import pytest

from kerascnn.doctor import training

GUESS = math.log(10)
OK = {"first": 1.0, "last": 1.0}
INF, NAN = math.inf, math.nan

LIMITS = {  # name: (check, arguments within the limit, arguments beyond it, a word of the message)
    "dead": (training.dead_units, ({"a": 0.5, "b": 0.1},), ({"a": 0.51, "b": 0.1},), "'a'"),
    "saturated": (training.saturation, ({"a": 0.5},), ({"a": 0.51},), "51 %"),
    "explodes": (
        training.gradient_sizes, ({"a": 1e4, "b": 1.0},), ({"a": 1.01e4, "b": 1.0},), "explodes"
    ),
    "vanishes": (
        training.gradient_sizes, ({"a": 1e-4, "b": 1.0},), ({"a": 0.9e-4, "b": 1.0},), "vanishes"
    ),
    "NaN gradient": (training.gradient_sizes, (OK,), ({"a": 1.0, "b": NAN},), "explodes"),
    "infinite gradient": (training.gradient_sizes, (OK,), ({"a": INF, "b": 1.0},), "'a' it is inf"),
    "no gradient": (training.gradient_sizes, (OK,), ({"a": 0.0, "b": 0.0},), "nothing learns"),
    "rate too high": (
        training.update_ratio, ([0.1, 0.1, 9.0],), ([0.11, 0.11, 1e-3],), "too high"
    ),
    "rate too low": (training.update_ratio, ([0, 1e-5, 0],), ([9e-6, 1e-6, 1e-6],), "too low"),
    "no step": (training.update_ratio, ([1e-3] * 3,), ([0.0] * 3,), "change no kernel"),
    "NaN weight": (training.finite_weights, ([],), (["a", "b"],), "2 kernels hold"),
    "start": (training.loss_at_start, (3 * GUESS, GUESS), (3.01 * GUESS, GUESS), "begins at 6.93"),
    "NaN at start": (training.loss_at_start, (1.0, GUESS), (NAN, GUESS), "begins at nan"),
    "infinite at start": (training.loss_at_start, (1.0, GUESS), (INF,), "begins at inf"),
    "NaN": (training.step_loss, (1.0, 2.0, GUESS), (NAN, 2.0, GUESS), "is NaN"),
    "infinite": (training.step_loss, (1.0, 2.0, GUESS), (INF, 2.0), "is infinite"),
    "diverges": (training.step_loss, (6.9, 0.1, GUESS), (6.91, 0.1, GUESS), "diverges"),
    "from a high start": (training.step_loss, (29.9, 10.0, GUESS), (30.1, 10.0, GUESS), "diverges"),
    "any loss": (training.step_loss, (50.0, 5.0), (50.1, 5.0), "diverges"),
    "order": (training.batch_order, ([1] * 8, [1] * 8), ([1] * 8, [2] * 4), "class 1 only"),
    "order of one-hot": (
        training.batch_order, (np.eye(4), np.eye(4)), (np.eye(4)[[0] * 4], np.eye(4)[[3] * 4]),
        "class 3",
    ),
    "random and frozen": (
        training.frozen_start, ([np.zeros(3), np.ones(1)],), ([np.zeros(3)],), "All 1 biases"
    ),
    "frozen head": (training.frozen_head, ([False, True],), ([True, False],), "last layer is"),
    "all frozen": (training.frozen_head, ([True],), ([False, False],), "0 of 2"),
}  # fmt: skip


@pytest.mark.parametrize("check, within, beyond, word", LIMITS.values(), ids=LIMITS)
def test_limit(check, within, beyond, word):
    fine, wrong = check(*within), check(*beyond)
    assert fine.severity == "fine", fine
    assert wrong.severity == "problem" and word in wrong.message and wrong.advice, wrong
    assert fine.check == wrong.check in training.CHECKS


NOTHING = {
    training.dead_units: ({},),
    training.saturation: ({},),
    training.gradient_sizes: ({},),
    training.update_ratio: ([1.0, 1.0],),
    training.loss_at_start: (99.0,),
    training.batch_order: ([1, 1, 1], [2, 2, 2]),
    training.frozen_start: ([],),
    training.frozen_head: ([],),
}


@pytest.mark.parametrize("check, arguments", NOTHING.items(), ids=lambda x: str(x)[:20])
def test_what_cannot_be_judged_is_skipped(check, arguments):
    assert check(*arguments).severity == "skipped"
