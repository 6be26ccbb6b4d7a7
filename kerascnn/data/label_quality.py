"""Which labels are probably wrong: confident learning, from probabilities and labels alone."""

import numpy as np

from kerascnn._errors import InputError

__all__ = ["confident_joint", "find_suspicious_labels", "label_scores"]


def confident_joint(probabilities, labels):
    """How many photos of each given label look, confidently, like each class.

    Class j is a confident guess for photo x if p(j | x) >= t_j, the mean of p(j | x) over the
    photos labelled j. A photo counts for the most probable of its confident guesses, if any.
    Source: Northcutt et al. 2021, arXiv:1911.00068, Eq. 1 and 2. Differs from the paper: no.

    Args:
        probabilities: float array (N, K), each row from a model that has not seen its photo.
        labels: int array (N,), the given labels, 0 to K - 1.

    Returns:
        int64 array (K, K): rows are given labels, columns what the photos look like.

    Raises:
        InputError: the shapes do not fit, or a label is out of range.

    >>> sure = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]]
    >>> confident_joint(sure, [0, 0, 1, 1, 1]).tolist()
    [[1, 0], [1, 2]]
    """
    probabilities, labels = _checked(probabilities, labels)
    guesses = _confident_guesses(probabilities, labels)
    joint = np.zeros((probabilities.shape[1],) * 2, np.int64)
    np.add.at(joint, (labels[guesses >= 0], guesses[guesses >= 0]), 1)
    return joint


def label_scores(probabilities, labels):
    """How well each label fits its photo: (p(label) - p(best other class) + 1) / 2.

    Source: Northcutt et al. 2021, Sec. 3.2, the margin by which they rank. Differs from the paper:
    it is taken against the best other class, and mapped to [0, 1].

    Args:
        probabilities, labels: as for `confident_joint`.

    Returns:
        float64 array (N,): 1 is a label beyond doubt, 0 one that the model is sure is wrong.

    Raises:
        InputError: as for `confident_joint`.

    >>> label_scores([[0.75, 0.25], [0.75, 0.25]], [0, 1]).tolist()
    [0.75, 0.25]
    """
    probabilities, labels = _checked(probabilities, labels)
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    return (own - others.max(axis=1) + 1) / 2


def find_suspicious_labels(probabilities, labels):
    """The photos outside the diagonal of the confident joint, the worst label first.

    Source: Northcutt et al. 2021, Sec. 3.2, Method 2, ranked by `label_scores`.

    Args:
        probabilities, labels: as for `confident_joint`.

    Returns:
        (indices, suggested): int64 arrays (M,), the photos and the classes they look like.

    Raises:
        InputError: as for `confident_joint`.

    >>> sure = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]]
    >>> [found.tolist() for found in find_suspicious_labels(sure, [0, 0, 1, 1, 1])]
    [[4], [0]]
    """
    probabilities, labels = _checked(probabilities, labels)
    guesses = _confident_guesses(probabilities, labels)
    found = np.flatnonzero((guesses >= 0) & (guesses != labels))
    found = found[np.argsort(label_scores(probabilities, labels)[found], kind="stable")]
    return found, guesses[found]


def _confident_guesses(probabilities, labels):
    """The most probable class among those that reach their threshold; -1 where none does."""
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    confident = np.where(probabilities >= thresholds, probabilities, -np.inf)
    return np.where(np.isfinite(confident.max(axis=1)), confident.argmax(axis=1), -1)


def _checked(probabilities, labels):
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if (
        probabilities.ndim != 2
        or probabilities.shape[1] < 2
        or not np.isfinite(probabilities).all()
    ):
        raise InputError(
            "probabilities must be finite floats (N, classes), two classes or more. "
            f"Received: shape {probabilities.shape}."
        )
    fits = labels.shape == probabilities.shape[:1] and np.issubdtype(labels.dtype, np.integer)
    if not fits or (len(labels) and not 0 <= labels.min() <= labels.max() < probabilities.shape[1]):
        raise InputError(
            f"labels must be {len(probabilities)} ints from 0 to {probabilities.shape[1] - 1}, one "
            f"for each row of the probabilities. Received: {labels.dtype} of shape {labels.shape}."
        )
    return probabilities, labels
