"""Parameters a sample, and what a linear model makes of real digits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kerascnn import InputError
from kerascnn.doctor import capacity, linear_baseline

X, Y = load_digits(return_X_y=True)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("parameters", "samples", "severity"),
    [(61_706, 60_000, "fine"), (138_357_544, 1_200_000, "fine"), (138_357_544, 1_000, "warning")],
)
def test_capacity(parameters, samples, severity):
    assert capacity(parameters, samples).severity == severity
    assert capacity(parameters, samples, from_scratch=False).severity == "fine"


def test_digits_are_nearly_linear():
    finding = linear_baseline(X[:500].reshape(-1, 8, 8, 1), Y[:500])
    right = int(finding.message.split(" gets ")[1].split(" %")[0])
    assert finding.severity == "fine" and 85 <= right <= 96
    assert "the most frequent class is 10 %" in finding.message or "11 %" in finding.message


def test_larger_images_are_averaged_in_blocks():
    large = np.kron(X[:300].reshape(-1, 8, 8, 1), np.ones((1, 5, 5, 1)))[:, :38, :39]
    assert linear_baseline(large, Y[:300]).severity == "fine"


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_other_images(seed):
    labels = np.random.default_rng(seed).permutation(Y[:400])
    assert linear_baseline(X[:400], labels).severity == "warning"


def test_one_class_alone_is_no_finding_here():
    assert linear_baseline(X[Y == 0], np.zeros(178, int)).severity == "fine"


def test_targets_that_are_numbers():
    target = X @ RNG.normal(size=64)
    finding = linear_baseline(X[:300], target[:300], are_classes=False)
    assert finding.message == "A linear model explains 100 % of the variance of the targets."
    noise = RNG.normal(size=(300, 2))
    assert linear_baseline(X[:300], noise, are_classes=False).severity == "warning"


def test_classes_of_other_forms():
    expected = linear_baseline(X[:500], Y[:500])
    names = np.array([f"digit {i}" for i in range(10)])[Y[:500]]
    for targets in (Y[:500, None], np.eye(10)[Y[:500]], names, Y[:500] + 0.5):
        assert linear_baseline(X[:500], targets) == expected
    with pytest.raises(InputError, match="for each of 500 samples"):
        linear_baseline(X[:500], Y[:499])


def test_what_is_not_finite_is_skipped():
    x, targets = X[:300].copy(), Y[:300].astype(float)
    x[7, 3] = np.inf
    finding = linear_baseline(x, Y[:300])
    assert finding.severity == "skipped" and "NaN or infinity" in finding.message
    targets[5] = np.nan
    for are_classes in (False, True):
        assert linear_baseline(X[:300], targets, are_classes).severity == "skipped"


def test_few_samples_tell_nothing():
    assert linear_baseline(X[:99], Y[:99] > 4).severity == "skipped"
    assert linear_baseline(X[:299], Y[:299]).message == "299 samples are too few, 300 are needed."
