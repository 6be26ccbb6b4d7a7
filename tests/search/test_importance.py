"""Importance is held to functions whose shares of variance are known."""

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.search import importance


def searched(score, number, **space):
    """Trials with values that the functions of `space` draw, and their scores."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(number):
        values = {name: draw(rng) for name, draw in space.items()}
        values = {name: value for name, value in values.items() if value is not None}
        rows.append({"values": values, "score": float(score(**values, noise=rng.normal()))})
    return rows


def even(rng):
    return rng.uniform()


def test_one_that_dominates_one_that_helps_and_one_that_is_nothing():
    """Variances: 25/12 and 12/12 of independent effects, and noise."""
    rows = searched(
        lambda rate, size, nothing, noise: 5 * np.log10(rate) + (size == "large") * 2 + 0.1 * noise,
        150,
        rate=lambda rng: 10 ** rng.uniform(-3, -2),
        size=lambda rng: str(rng.choice(["small", "large"])),
        nothing=even,
    )
    shares = importance(rows)
    total = 25 / 12 + 1 + 0.01
    assert list(shares) == ["rate", "size", "nothing"]
    assert shares["rate"] == pytest.approx(25 / 12 / total, abs=0.1)
    assert shares["size"] == pytest.approx(1 / total, abs=0.1)
    assert shares["nothing"] < 0.01
    assert importance(rows) == shares


def test_in_an_interaction_each_has_its_total_effect():
    """x * y of two even draws: E[y^2] Var[x] / Var[x y] = (1/36) / (7/144) = 4/7."""
    shares = importance(searched(lambda x, y, noise: x * y, 200, x=even, y=even))
    assert shares == pytest.approx({"x": 4 / 7, "y": 4 / 7}, abs=0.1)


def test_what_turns_another_on_has_the_merit_of_it():
    """Only the optimizer decides; its momentum is there in half of the trials."""
    rows = searched(
        lambda optimizer, momentum=None, noise=0: optimizer == "sgd",
        60,
        optimizer=lambda rng: str(rng.choice(["sgd", "adamw"])),
        momentum=even,
    )
    for row in rows:
        if row["values"]["optimizer"] == "adamw":
            del row["values"]["momentum"]
    shares = importance(rows)
    assert shares["optimizer"] == pytest.approx(1, abs=0.3) and shares["momentum"] < 0.02


def test_a_conditional_one_counts_where_it_is():
    """It decides all in one half and is absent in the other: nothing else varies the score."""
    rows = searched(
        lambda optimizer, noise, rate=0.5: rate if optimizer == "sgd" else 0.5,
        200,
        optimizer=lambda rng: str(rng.choice(["sgd", "adamw"])),
        rate=even,
    )
    for row in rows:
        if row["values"]["optimizer"] == "adamw":
            del row["values"]["rate"]
    assert importance(rows)["rate"] > 0.7


def test_trials_without_a_score_and_values_that_never_vary():
    rows = searched(lambda x, fixed, noise: x, 40, x=even, fixed=lambda rng: 3)
    bad = [
        {"values": {"x": 0.5, "fixed": 3}, "score": None},
        {"values": {"x": 0.5, "fixed": 3}, "score": float("nan")},
    ]
    assert importance(bad + rows) == importance(rows)
    assert importance(rows)["fixed"] == 0.0
    assert importance([row | {"score": 1.0} for row in rows]) == {"x": 0.0, "fixed": 0.0}


@pytest.mark.parametrize(("number", "parts", "fewest"), [(9, 1, 10), (13, 7, 14), (0, 0, 10)])
def test_too_few_trials(number, parts, fewest):
    rows = [
        {"values": {f"x{i}": row + i for i in range(parts)}, "score": 0.1 * row}
        for row in range(number)
    ]
    with pytest.raises(InputError, match=f"{number} trials .* of {parts} hyper.* takes {fewest}"):
        importance(rows)
