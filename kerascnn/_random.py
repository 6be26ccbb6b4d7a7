"""Stateless randomness: every draw is a pure function of its key, never of a generator's history.

A run that is killed and continued, or that reads its photos in another order, draws the same.
"""

import hashlib

import numpy as np


def generator(*key):
    """A NumPy generator that depends on `key` alone, equal on every machine and in every process.

    Args:
        *key: ints, strs or bytes that name the draw, e.g. `(seed, "order", epoch)`.

    Returns:
        A `numpy.random.Generator`.

    >>> generator(0, "order", 1).random() == generator(0, "order", 1).random()
    True
    """
    # The repr of NumPy's scalars depends on its version: 3, not np.int64(3).
    plain = tuple(part.item() if isinstance(part, np.generic) else part for part in key)
    if not all(isinstance(part, int | str | bytes) for part in plain):
        raise TypeError(f"A draw is named by ints, strs and bytes. Received: {key!r}.")
    digest = hashlib.sha256(repr(plain).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def permutation(n, *key):
    """The order of `n` things under `key`: int64 array (n,), each of 0 .. n - 1 once.

    >>> permutation(4, 0, "order", 0).tolist() == permutation(4, 0, "order", 0).tolist()
    True
    """
    return generator(*key).permutation(n)
