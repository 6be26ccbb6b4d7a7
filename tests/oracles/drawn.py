"""Weights, images and probes drawn from their names alone: the same wherever NumPy runs.

What a network of PyTorch and ours are compared on: recipes/make_torch_goldens.py gives them to the
one, tests/weights to the other.
"""

import hashlib
import math

import numpy as np

PROBES = 32  # values of an output that a golden holds


def uniform(name, shape, low=0.0, high=1.0):
    """float32 in [low, high), a pure function of `name` and `shape`; 2^16 different values."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    count = math.prod(shape)
    bits = np.random.Philox(key=key).random_raw(count // 4 + 1).view(np.uint16)[:count]
    return (bits.reshape(shape) * np.float32((high - low) / 2**16) + np.float32(low)).astype("f4")


def tensor(name, shape):
    """A weight in PyTorch's layout, such that activations neither vanish nor explode."""
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.array(7, np.int64)
    if leaf == "running_var":
        return uniform(name, shape, 0.5, 1.5)
    if leaf in ("running_mean", "bias"):
        return uniform(name, shape, -0.3, 0.3)
    if len(shape) == 1:  # scale of a batch normalisation
        return uniform(name, shape, 0.4, 0.9)
    limit = math.sqrt(6 / math.prod(shape[1:]))  # variance 2 / fan-in
    return uniform(name, shape, -limit, limit)


def images(shape):
    """float32 (N, H, W, C) in [-2, 2)."""
    return uniform("images", shape, -2.0, 2.0)


def probe(name, output):
    """What a golden holds of an output (N, H, W, C) or (N, F): norm, maximum, some values."""
    flat = np.asarray(output, "f8").ravel()
    places = (uniform(f"places of {name}", (PROBES,)) * flat.size).astype(int)
    return {
        "shape": list(output.shape),
        "norm": rounded(np.linalg.norm(flat)),
        "maximum": rounded(np.abs(flat).max()),
        "values": [rounded(value) for value in flat[places]],
    }


def rounded(value):
    return float(f"{value:.8g}")
