"""Figures against scikit-learn and against the definition of the interval."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn import metrics

from kerascnn.transfer._scores import confusion, scores, wilson_interval

NAMES = ["a", "b", "c", "d"]


def guesses(count=60, seed=0):
    """Probabilities of four classes and labels of three of them."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, count)
    logits = draw.normal(size=(count, 4)) + 1.5 * np.eye(4)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels


def test_equal_to_scikit_learn():
    probabilities, labels = guesses()
    best = probabilities.argmax(axis=1)
    assert 3 in best and 3 not in labels  # guessed, and in no photo
    found = scores(probabilities, labels, NAMES)
    present = {"labels": [0, 1, 2], "average": "macro", "zero_division": 0}
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, best))
    recall = metrics.recall_score(labels, best, **present)
    assert found["balanced_accuracy"] == pytest.approx(recall)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(labels, best, **present))
    loss = metrics.log_loss(labels, probabilities, labels=range(4))
    assert found["log_loss"] == pytest.approx(loss)
    expected = metrics.precision_recall_fscore_support(
        labels, best, labels=range(4), zero_division=0
    )
    keys = ("precision", "recall", "f1", "support")
    rows = [tuple(row[key] for key in keys) for row in found["per_class"]]
    np.testing.assert_allclose(rows[:3], np.transpose(expected)[:3])
    assert rows[3] == (0.0, None, None, 0)
    assert [row["name"] for row in found["per_class"]] == NAMES
    table = confusion(best, labels, 4)
    np.testing.assert_array_equal(table, metrics.confusion_matrix(labels, best, labels=range(4)))


def test_what_was_not_measured_is_no_zero():
    found = scores(np.eye(4)[[0, 0, 1]], np.array([0, 2, 1]), NAMES)
    assert (found["balanced_accuracy"], found["macro_f1"]) == pytest.approx((2 / 3, 5 / 9))
    rows = {row["name"]: (row["precision"], row["recall"], row["f1"]) for row in found["per_class"]}
    assert rows["c"] == (None, 0.0, 0.0) and rows["d"] == (None, None, None)


def test_nothing_is_known_without_photos():
    found = scores(np.empty((0, 4)), np.empty(0, int), NAMES)
    assert found.keys() == scores(*guesses(), NAMES).keys()
    assert set(found.values()) == {None}


@pytest.mark.parametrize(("share", "count"), [(0.5, 100), (0.875, 372), (1.0, 10), (0.0, 3)])
def test_interval_is_where_the_observed_share_is_1_96_deviations_away(share, count):
    def deviations(p):
        return (share - p) / np.sqrt(p * (1 - p) / count)

    low, high = wilson_interval(share, count)
    tiny = 1e-12
    if share > 0:
        assert low == pytest.approx(brentq(lambda p: deviations(p) - 1.959964, tiny, share - tiny))
    if share < 1:
        expected = brentq(lambda p: deviations(p) + 1.959964, share + tiny, 1 - tiny)
        assert high == pytest.approx(expected)
    rounding = 1e-12
    assert -rounding <= low <= share + rounding and share - rounding <= high <= 1 + rounding
