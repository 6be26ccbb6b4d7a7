"""Class shares: the chi-square statistic by its definition, and p-values that mean something."""

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.data import class_shift


def test_statistic_and_distance_by_definition():
    first, second = np.array([20, 30, 50]), np.array([10, 40, 10])
    table = np.stack([first, second])
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    found = class_shift(first, second)
    assert found["chi2"] == pytest.approx(((table - expected) ** 2 / expected).sum())
    assert found["total_variation"] == pytest.approx(max(0.2, 0.5 - 1 / 6, 2 / 3 - 0.3))
    assert found["p_value"] == pytest.approx(np.exp(-found["chi2"] / 2))  # 2 degrees of freedom


def test_p_values_are_even_without_shift_and_small_with_one():
    draw = np.random.default_rng(0)
    shares = [0.5, 0.3, 0.15, 0.05]
    rows = [draw.multinomial(400, shares, size=2) for _ in range(400)]
    p_values = np.array([class_shift(*row)["p_value"] for row in rows])
    assert 0.02 < (p_values < 0.05).mean() < 0.09 and 0.4 < (p_values < 0.5).mean() < 0.6
    assert class_shift(draw.multinomial(400, shares), [100, 100, 100, 100])["p_value"] < 1e-6


def test_counts_by_class():
    assert class_shift({0: 90, 1: 10}, {1: 90, 0: 10}) == class_shift([90, 10], [10, 90])


def test_classes_of_neither_and_of_one_split():
    assert class_shift([5, 0], [9, 0]) == {"total_variation": 0, "chi2": 0, "p_value": 1}
    assert class_shift([5, 0, 3], [5, 0, 3]) == class_shift([5, 3], [5, 3])
    assert class_shift([50, 0], [0, 50])["total_variation"] == 1


@pytest.mark.parametrize("rows", [([1, 2], [1]), ([1, -1], [1, 1]), ([0, 0], [1, 1]), ([], [])])
def test_wrong_counts(rows):
    with pytest.raises(InputError, match="Received: "):
        class_shift(*rows)
