"""How often a classifier is right where it says so."""

from dataclasses import dataclass

import numpy as np

from kerascnn._errors import InputError, whole

__all__ = ["ReliabilityBin", "reliability"]


@dataclass(frozen=True)
class ReliabilityBin:
    """A row of `reliability`.

    Attributes:
        low, high: floats, the confidences of the bin: above low (the first from 0 on), up to high.
        confidence: float, their mean; NaN for an empty bin.
        accuracy: float, the share of its samples that were predicted right; NaN for an empty bin.
        count: int, its samples.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


def reliability(probabilities, labels, bins=15):
    """Compare the probability of the predicted class with how often it is the right one.

    The sum of count / N * |accuracy - confidence| is `kerascnn.metrics.CalibrationError`.

    Source: Guo et al. 2017, arXiv:1706.04599, Sec. 2 and Fig. 1. Differs from the paper: no.

    Args:
        probabilities: float array (N, classes), or (N,) or (N, 1) for two classes.
        labels: whole numbers (N,) or (N, 1), or rows (N, classes) that sum to 1, such as one-hot
            ones, of which the largest counts.
        bins: int >= 1, equally wide. The paper uses 15.

    Returns:
        List of `bins` `ReliabilityBin`. `plot_reliability` draws it.

    Raises:
        InputError: there are no samples, their numbers differ, probabilities are outside 0-1, or
            labels are of another kind, such as rows of several classes.

    >>> rows = reliability([[0.9, 0.1], [0.4, 0.6]], [0, 0], bins=2)
    >>> [(row.count, row.confidence, row.accuracy) for row in rows]
    [(0, nan, nan), (2, 0.75, 0.5)]
    """
    bins = whole(bins, "`bins`", 1)
    probabilities, labels = as_predictions(probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = []
    for i in range(bins):
        chosen = bin_of == i
        means = [float(x[chosen].mean()) if chosen.any() else np.nan for x in (confidence, right)]
        rows.append(ReliabilityBin(i / bins, (i + 1) / bins, *means, int(chosen.sum())))
    return rows


def as_predictions(probabilities, labels):
    """Probabilities as float64 (N, classes), labels as ints (N,), or one sentence."""
    p = np.asarray(probabilities, "float64")
    p = p[:, 0] if p.ndim == 2 and p.shape[1] == 1 else p
    p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
    labels = _class_numbers(np.asarray(labels))
    if p.ndim != 2 or not len(p) or len(p) != len(labels):
        raise InputError(
            "Probabilities have shape (N, classes) and labels (N,), N >= 1. "
            f"Received: {np.shape(probabilities)} and {len(labels)} labels."
        )
    if not (p.min() >= 0 and p.max() <= 1 + 1e-6):
        raise InputError("Probabilities must be from 0 to 1. For logits use keras.ops.softmax.")
    if labels.min() < 0 or labels.max() >= p.shape[1]:
        raise InputError(
            f"Labels must be ints from 0 to {p.shape[1] - 1}. "
            f"Received: from {labels.min()} to {labels.max()}."
        )
    return p, labels.astype(int)


def _class_numbers(labels):
    """One whole number (N,) a sample, of those or of rows that sum to 1."""
    rows = labels.ndim == 2 and labels.shape[1] > 1
    fits = labels.dtype.kind in "biuf"
    if fits and rows:
        fits = np.allclose(labels.sum(axis=1), 1, atol=1e-3)
    elif fits:
        fits = np.array_equal(labels, np.floor(labels))  # of NaN it is False
    if not fits:
        raise InputError(
            "A sample has one class: labels are whole numbers (N,), or rows (N, classes) that sum "
            f"to 1. Received: {labels.dtype} of shape {labels.shape}, not all of them such."
        )
    return labels.argmax(axis=1) if rows else labels.ravel()
