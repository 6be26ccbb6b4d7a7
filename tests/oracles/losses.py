"""Losses of one sample each, in NumPy: lists of values (N,) of labels and predictions."""

import numpy as np
from scipy.special import expit, log_softmax


def crossentropy(labels, probabilities, smoothing=0.0):
    right = -np.log(probabilities[np.arange(len(labels)), labels])
    return (1 - smoothing) * right - smoothing * np.log(probabilities).mean(axis=-1)


def crossentropy_of_logits(labels, logits, smoothing=0.0):
    return crossentropy(labels, np.exp(log_softmax(logits, axis=-1)), smoothing)


def log(signs, x):
    return np.log(1 + np.exp(-signs * x)).mean(axis=-1)


def hinge(signs, x, margin):
    return np.maximum(0, margin - signs * x).mean(axis=-1)


def max_margin(labels, x, margin):
    losses = []
    for c, scores in zip(labels, x):
        wrong = max(score for k, score in enumerate(scores) if k != c)
        losses.append(max(0.0, margin + wrong - scores[c]))
    return np.array(losses)


def ordinal(labels, probabilities):
    losses = []
    for label, row in zip(labels, probabilities):
        is_above = [label > k for k in range(len(row))]
        losses.append(-sum(np.log(p if above else 1 - p) for above, p in zip(is_above, row)))
    return np.array(losses)


def ordinal_of_logits(labels, logits):
    return ordinal(labels, expit(logits))


def squared(targets, x):
    return ((x - targets) ** 2).mean(axis=-1)


def penalty(labels, scores):
    return -scores[np.arange(len(labels)), labels]


def calibration_error(labels, probabilities, weights, num_bins=15):
    """Guo et al. 2017, Sec. 2, bin by bin."""
    confidence, predicted = probabilities.max(axis=-1), probabilities.argmax(axis=-1)
    total = 0.0
    for m in range(1, num_bins + 1):
        inside = (confidence > (m - 1) / num_bins) & (confidence <= m / num_bins)
        w = weights[inside]
        if w.sum():
            accuracy = (w * (predicted == labels)[inside]).sum() / w.sum()
            total += w.sum() * abs(accuracy - (w * confidence[inside]).sum() / w.sum())
    return total / weights.sum()
