"""The nearest photos in feature space."""

import numpy as np

from kerascnn._errors import InputError

__all__ = ["nearest"]

_ROWS = 4096  # stored features in memory at a time
_QUERIES = 1024  # that are compared with them at a time


def nearest(query, features, count=5):
    """For each query the stored features with the largest cosine similarity, best first.

    Exact, and read in blocks, so that neither features on disk nor all similarities need fit in
    memory. Of equal ones the first comes first.

    Args:
        query: float array (Q, F), or one vector (F,).
        features: `Features` or float array (N, F).
        count: int from 1 to N.

    Returns:
        (indices, similarities): int64 and float32 arrays (Q, count); similarities in [-1, 1].

    Raises:
        InputError: widths differ, or `count` is out of range.

    >>> indices, similarities = nearest([2.0, 0.0], np.eye(3, 2), count=2)
    >>> indices.tolist(), similarities.tolist()
    ([[0, 1]], [[1.0, 0.0]])
    """
    query = _unit(np.atleast_2d(np.asarray(query, dtype=np.float32)))
    if query.shape[1:] != tuple(features.shape[1:]):
        raise InputError(
            f"Query features {query.shape[1:]} and stored {features.shape[1:]} differ."
        )
    if not 1 <= count <= len(features):
        raise InputError(f"count must be from 1 to {len(features)}. Received: {count}.")
    queries = np.array_split(query, len(query) // _QUERIES + 1)
    best, similarity = np.empty((len(query), 0), int), np.empty((len(query), 0), np.float32)
    for start in range(0, len(features), _ROWS):
        stored = _unit(features[start : start + _ROWS]).T
        found = [_largest(part @ stored, count) for part in queries]
        near, alike = map(np.concatenate, zip(*found))
        order, similarity = _largest(np.concatenate([similarity, alike], axis=1), count)
        best = np.take_along_axis(np.concatenate([best, start + near], axis=1), order, axis=1)
    return best, similarity


def _largest(values, count):
    """(positions, values) of the `count` largest in each row, best first; of equal ones the first.

    In a row that has equal ones at the cut, or NaN, which come last, only sorting all of it tells.
    """
    count = min(count, values.shape[1])
    positions = np.argpartition(-values, count - 1, axis=1)[:, :count]
    least = np.take_along_axis(values, positions, axis=1).min(axis=1, keepdims=True)
    unsure = (values >= least).sum(axis=1) != count
    positions[unsure] = np.argsort(-values[unsure], axis=1, kind="stable")[:, :count]
    positions.sort(axis=1)
    order = np.argsort(-np.take_along_axis(values, positions, axis=1), axis=1, kind="stable")
    positions = np.take_along_axis(positions, order, axis=1)
    return positions, np.take_along_axis(values, positions, axis=1)


def _unit(x):
    x = np.asarray(x, dtype=np.float32)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
