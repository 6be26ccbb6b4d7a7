"""Confident learning against its definitions, and on digits with labels that were changed."""

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.data import confident_joint, find_suspicious_labels, label_scores


def oracle(probabilities, labels):
    """(joint, [(photo, class)]) by loops over Eq. 1 and 2 of Northcutt et al. 2021."""
    count = len(probabilities[0])
    thresholds = []
    for j in range(count):
        own = [row[j] for row, label in zip(probabilities, labels) if label == j]
        thresholds.append(sum(own) / len(own) if own else float("inf"))
    joint, off = np.zeros((count, count), int), []
    for i, (row, label) in enumerate(zip(probabilities, labels)):
        confident = [j for j in range(count) if row[j] >= thresholds[j]]
        if confident:
            best = max(confident, key=lambda j: row[j])
            joint[label, best] += 1
            off += [(i, best)] if best != label else []
    return joint, off


@pytest.mark.parametrize("seed", range(20))
def test_against_the_definition(seed):
    draw = np.random.default_rng(seed)
    classes = draw.integers(2, 6)
    probabilities = draw.dirichlet(np.full(classes, 0.4), size=50)
    labels = draw.integers(classes - seed % 2, size=50)  # of odd seeds one class has no photos
    joint, off = oracle(probabilities.tolist(), labels.tolist())
    np.testing.assert_array_equal(confident_joint(probabilities, labels), joint)
    indices, suggested = find_suspicious_labels(probabilities, labels)
    assert sorted(zip(indices.tolist(), suggested.tolist())) == off
    assert off or classes == 2
    assert (np.diff(label_scores(probabilities, labels)[indices]) >= 0).all()


def test_scores_are_margins():
    probabilities = np.array([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(label_scores(probabilities, [1, 0, 0, 0]), [0.6, 0.35, 1, 0])


def test_nothing_is_suspicious_where_all_agree():
    sure = np.eye(3)[[0, 1, 2, 1]]
    assert [len(part) for part in find_suspicious_labels(sure, [0, 1, 2, 1])] == [0, 0]
    np.testing.assert_array_equal(confident_joint(sure, [0, 1, 2, 1]), np.diag([1, 2, 1]))
    assert [len(part) for part in find_suspicious_labels(np.empty((0, 2)), np.empty(0, int))] == [
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("probabilities", "labels", "sentence"),
    [
        (np.ones(3), [0, 0, 0], "probabilities must be finite floats"),
        (np.ones((3, 1)), [0, 0, 0], "two classes or more"),
        (np.full((3, 2), np.nan), [0, 0, 0], "probabilities must be finite floats"),
        (np.ones((3, 2)), [0, 0], "labels must be 3 ints from 0 to 1"),
        (np.ones((3, 2)), [0, 0, 2], "labels must be 3 ints from 0 to 1"),
        (np.ones((3, 2)), [0, 0, -1], "labels must be 3 ints from 0 to 1"),
        (np.ones((3, 2)), [0.0, 0.0, 1.0], "Received: float64"),
    ],
)
def test_wrong_input(probabilities, labels, sentence):
    for function in (confident_joint, label_scores, find_suspicious_labels):
        with pytest.raises(InputError, match=sentence):
            function(probabilities, labels)
