"""The nearest photos in feature space."""

import numpy as np

from kerascnn._errors import InputError

__all__ = ["nearest"]

_ROWS = 4096  # stored features in memory at a time


def nearest(query, features, count=5):
    """For each query the stored features with the largest cosine similarity, best first.

    Exact, and read in blocks, so that features on disk need not fit in memory.

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
    similarity = np.concatenate(
        [query @ _unit(features[i : i + _ROWS]).T for i in range(0, len(features), _ROWS)], axis=1
    )
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return best, np.take_along_axis(similarity, best, axis=1)


def _unit(x):
    x = np.asarray(x, dtype=np.float32)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
