"""Linear classifiers that are asked only about photos they have not seen."""

import numpy as np
from scipy.stats import mannwhitneyu, rankdata

from kerascnn._errors import InputError
from kerascnn._random import permutation
from kerascnn.transfer.probe import class_numbers, fit_probe

__all__ = ["feature_shift", "out_of_fold_probabilities"]

_FOLDS = 5


def out_of_fold_probabilities(features, labels, groups=None, seed=0):
    """Class probabilities of each photo, from a linear classifier on the features of others.

    Five folds, each with its share of every class; photos of one group are in one fold, so that
    nobody is judged by a copy of its own. The classifier is `fit_probe` with its default penalty.

    Args:
        features: float array (N, F), or `Features`.
        labels: class numbers from 0 up: ints (N,) or (N, 1), or one-hot rows (N, classes).
        groups: N ints or strs, or None: each photo is its own group.
        seed: int. Which photos share a fold.

    Returns:
        float32 array (N, highest label + 1).

    Raises:
        InputError: the lengths differ, labels are no class numbers, or fewer than two classes have
            photos in several folds.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(60, 5)), np.arange(60) % 3
    >>> x[np.arange(60), y] += 4
    >>> guess = out_of_fold_probabilities(x, y)
    >>> (guess.argmax(axis=1) == y).mean() > 0.9
    np.True_
    """
    return _cross_validated(features, labels, groups, seed)[0]


def feature_shift(first, second, groups=None, seed=0):
    """Can a linear classifier tell from features which of two splits a photo is from?

    A classifier two-sample test: AUC of the out-of-fold guesses, 0.5 where it cannot; the p-value
    is that of a one-sided Mann-Whitney test, with guesses ranked within their fold. Source:
    Lopez-Paz & Oquab 2017, arXiv:1610.06545, Sec. 3. Differs from the paper: AUC in place of
    accuracy (splits differ in size), five folds in place of one.

    Args:
        first, second: float arrays (N, F) and (M, F), at least five photos each.
        groups: N + M ints or strs, or None; see `out_of_fold_probabilities`.
        seed: int.

    Returns:
        Dict of "auc" and "p_value", floats in [0, 1].

    Raises:
        InputError: fewer than five photos on a side, or their widths differ.

    >>> rng = np.random.default_rng(0)
    >>> found = feature_shift(rng.normal(size=(50, 4)), rng.normal(1, size=(50, 4)))
    >>> found["auc"] > 0.8, found["p_value"] < 0.001
    (True, True)
    """
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    if min(len(first), len(second)) < _FOLDS or first.shape[1:] != second.shape[1:]:
        raise InputError(
            f"Expected features of at least {_FOLDS} photos on each side, equally wide. "
            f"Received: {first.shape} and {second.shape}."
        )
    sides = np.repeat([0, 1], [len(first), len(second)])
    guess, fold = _cross_validated(np.concatenate([first, second]), sides, groups, seed)
    ranks = np.empty(len(sides))
    for number in range(_FOLDS):
        rows = fold == number
        ranks[rows] = rankdata(guess[rows, 1]) / (rows.sum() + 1)
    statistic, p_value = mannwhitneyu(ranks[sides == 1], ranks[sides == 0], alternative="greater")
    return {"auc": float(statistic / len(first) / len(second)), "p_value": float(p_value)}


def _cross_validated(features, labels, groups, seed):
    """(probabilities (N, classes), fold of each photo)."""
    features = np.asarray(features)
    labels = class_numbers(labels, len(features))
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    if len(groups) != len(labels):
        raise InputError(
            f"Expected as many groups as labels. Received: {len(groups)} and {len(labels)}."
        )
    fold = _folds(labels, groups, seed)
    probabilities = np.zeros((len(labels), int(labels.max()) + 1), np.float32)
    for number in np.unique(fold):
        held = fold == number
        probe = fit_probe(features[~held], labels[~held], num_classes=probabilities.shape[1])
        probabilities[held] = probe.predict(features[held])
    return probabilities, fold


def _folds(labels, groups, seed):
    """The fold of each photo: the groups of each class are dealt out in turn."""
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    order = permutation(len(first), seed, "folds")
    order = order[np.argsort(labels[first[order]], kind="stable")]
    fold = np.empty(len(first), np.int64)
    fold[order] = np.arange(len(first)) % _FOLDS
    return fold[group]
