"""Stateless randomness: every draw is a pure function of its key, never of a generator's history.

A run that is killed and continued, or that reads its photos in another order, draws the same.
"""

import hashlib

import numpy as np


def generator(*key):
    """A NumPy generator that depends on `key` alone, equal on every machine and in every process.

    Args:
        *key: ints, strs or bytes that name the draw, e.g. `(seed, "order", epoch)`.

    >>> generator(0, "order", 1).integers(100) == generator(0, "order", 1).integers(100)
    True
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))


def permutation(n, *key):
    """The order of `n` things under `key`: int array (n,).

    >>> permutation(4, 0, "order", 0).tolist() == permutation(4, 0, "order", 0).tolist()
    True
    """
    return generator(*key).permutation(n)
