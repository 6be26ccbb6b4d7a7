"""Reliability against scikit-learn's calibration curve and our own metric."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from kerascnn import InputError
from kerascnn.metrics import CalibrationError
from kerascnn.visualize import reliability


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4) * 0.4, size=500)
    return probabilities, rng.integers(4, size=500)


def test_as_scikit_learn(predictions):
    probabilities, labels = predictions
    rows = [row for row in reliability(*predictions) if row.count]
    right = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=1), n_bins=15)
    np.testing.assert_allclose([row.accuracy for row in rows], accuracy)
    np.testing.assert_allclose([row.confidence for row in rows], confidence)
    assert sum(row.count for row in rows) == 500


def test_the_gaps_make_the_calibration_error(predictions):
    rows = [row for row in reliability(*predictions, bins=10) if row.count]
    error = sum(row.count * abs(row.accuracy - row.confidence) for row in rows) / 500
    wanted = CalibrationError(10)(predictions[1], predictions[0].astype("float32"))
    assert error == pytest.approx(float(wanted), abs=1e-6)


def test_bins_are_open_below_and_closed_above():
    rows = reliability([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]], [0, 0, 0], bins=4)
    assert [(row.low, row.high, row.count) for row in rows] == [
        (0, 0.25, 0), (0.25, 0.5, 1), (0.5, 0.75, 1), (0.75, 1, 1),
    ]  # fmt: skip
    assert np.isnan(rows[0].accuracy) and np.isnan(rows[0].confidence)


def test_one_output_for_two_classes_and_one_hot_labels():
    p, labels = np.array([0.9, 0.2, 0.6]), np.array([1, 0, 0])
    wanted = reliability(np.stack([1 - p, p], axis=1), np.eye(2)[labels])
    assert repr(reliability(p, labels)) == repr(wanted)
    assert repr(reliability(p[:, None], labels[:, None])) == repr(wanted)
    smooth = 0.9 * np.eye(2, dtype="float16")[labels] + np.float16(0.05)
    for same in (labels.astype("float32"), labels == 1, labels.astype("uint8"), smooth):
        assert repr(reliability(p, same)) == repr(wanted)


@pytest.mark.parametrize(
    ("probabilities", "labels", "bins", "message"),
    [
        ([[2.0, -1.0]], [0], 15, "logits"),
        ([[np.nan, 0.5]], [0], 15, "from 0 to 1"),
        ([[0.5, 0.5]], [0, 1], 15, "2 labels"),
        ([[0.5, 0.5]], [2], 15, "from 2 to 2"),
        (np.zeros((0, 2)), [], 15, "N >= 1"),
        ([[0.9, 0.1], [0.2, 0.8]], [0.9, 1.2], 15, r"one class.*float64 of shape \(2,\)"),
        ([[0.5, 0.5]], [np.nan], 15, "whole numbers"),
        ([[0.5, 0.5]], [np.inf], 15, "ints from 0 to 1"),
        ([[0.5, 0.5]], ["cat"], 15, "whole numbers.*<U3"),
        ([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]], [[1, 1, 0], [0, 0, 0]], 15, "rows .* sum to 1"),
        ([[0.5, 0.5]], [0], 0, "`bins`"),
        ([[0.5, 0.5]], [0], 2.5, "`bins` must be an int >= 1. Received: 2.5"),
    ],
)
def test_one_sentence_for_what_does_not_fit(probabilities, labels, bins, message):
    with pytest.raises(InputError, match=message):
        reliability(probabilities, labels, bins)
