"""Numbers of short trainings, and what they mean."""

import pytest

from kerascnn.doctor import learning_rate, one_batch

NAN = float("nan")


@pytest.mark.parametrize(
    ("losses", "floor", "severity"),
    [
        ([2.3, 1.0, 0.2], 0.0, "fine"),
        ([2.3, 1.0, 0.24], 0.0, "problem"),
        ([2.3, 1.0, 0.6], 0.5, "fine"),  # 0.5 + 0.1 * 1.8 = 0.68
        ([2.3, NAN], 0.0, "problem"),
        ([NAN], 0.0, "problem"),
    ],
)
def test_one_batch(losses, floor, severity):
    assert one_batch(losses, 2.3, floor).severity == severity


@pytest.mark.parametrize(
    ("rate", "final", "severity", "word"),
    [
        (0.1, {0.01: 2.0, 0.1: 1.0, 1.0: 9.0}, "fine", ""),
        (0.1, {0.01: 1.0, 0.1: 2.03, 1.0: 9.0}, "fine", ""),  # 0.27 is over 1.3 / 5
        (0.1, {0.01: 1.0, 0.1: 2.05, 1.0: 9.0}, "warning", "too high"),
        (0.1, {0.01: 1.0, 0.1: 2.4, 1.0: 9.0}, "problem", "too high"),
        (0.1, {0.01: 1.0, 0.1: NAN, 1.0: NAN}, "problem", "too high"),
        (0.1, {0.01: 2.3, 0.1: 2.27, 1.0: 1.0}, "fine", ""),
        (0.1, {0.01: 2.3, 0.1: 2.28, 1.0: 1.0}, "warning", "too low"),
        (0.1, {0.01: 2.3, 0.1: 2.4, 1.0: NAN}, "skipped", ""),
    ],
)
def test_learning_rate(rate, final, severity, word):
    finding = learning_rate(rate, 2.3, final)
    assert finding.severity == severity and word in finding.advice
