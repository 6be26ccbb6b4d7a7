"""Random numbers as a pure function of an image's seed, the same in NumPy and in `keras.ops`.

Keras's own random functions take a seed for a whole batch, and differ between backends. Here every
number is a hash of (the image's seed, the place of the draw), made of operations on uint32 that all
backends have: the finaliser of MurmurHash3 (Appleby 2011, public domain).
"""

import hashlib
import math

import numpy as np
from keras import ops

_GOLDEN = 0x9E3779B9  # 2**32 / golden ratio: neighbouring counters start far apart
_CHILD = 1 << 30  # counters above belong to the layers that a layer holds


def seeds(seed, epoch, indices):
    """The seeds of images, from the run's seed, the epoch and the images' numbers.

    Give them to `augment` of a layer: an image then looks the same whenever and wherever it is
    made, in any order, in any number of threads.

    Args:
        seed: int.
        epoch: int.
        indices: ints >= 0, a list, NumPy array or tensor of any shape. What tells the images apart:
            their numbers in the data set.

    Returns:
        uint32 array, or tensor where `indices` is one, of shape (*indices.shape, 2).

    >>> seeds(0, epoch=3, indices=[7, 8]).shape
    (2, 2)
    """
    digest = hashlib.sha256(repr((int(seed), "augment", int(epoch))).encode()).digest()
    run = np.frombuffer(digest[:8], np.uint32)
    xp = np if isinstance(indices, int | list | tuple | range | np.ndarray) else ops
    numbers = np.asarray(indices, np.uint32) if xp is np else ops.cast(indices, "uint32")
    spread = _mix(xp.reshape(numbers, (-1, 1)) * np.array([_GOLDEN], np.uint32), xp)
    return xp.reshape(_mix(xp.bitwise_xor(spread, run[None]), xp), (*numbers.shape, 2))


def child_seeds(seeds, number, xp):
    """Seeds of the same images for the layer `number` within a layer."""
    counters = _CHILD + 2 * number + np.arange(2)
    return _hash(seeds, counters, xp)


class Draws:
    """Numbers for N images: made in order, the n-th is the same in every call.

    Args:
        seeds: uint32 (N, 2).
        xp: `numpy` or `keras.ops`, where the numbers are made.

    >>> Draws(np.zeros((3, 2), "uint32"), np).uniform(-1, 1).shape
    (3,)
    """

    def __init__(self, seeds, xp):
        self.seeds = seeds
        self.xp = xp
        self._made = 0

    def bits(self, count=None):
        """uint32 (N,), or (N, count)."""
        counters = self._made + np.arange(count or 1)
        self._made += len(counters)
        drawn = _hash(self.seeds, counters, self.xp)
        return drawn if count else drawn[:, 0]

    def uniform(self, low=0.0, high=1.0, count=None):
        """float32 (N,), or (N, count), in [low, high)."""
        return low + (high - low) * _unit(self.bits(count), self.xp)

    def log_uniform(self, low, high):
        """float32 (N,) in [low, high), whose logarithm is uniform."""
        return self.xp.exp(self.uniform(math.log(low), math.log(high)))

    def integers(self, low, high):
        """int32 (N,) from low to high, both included; they may be ints or int32 (N,)."""
        xp = self.xp
        span = _float(high - low + 1, xp)
        step = xp.minimum(xp.floor(self.uniform() * span), span - 1)  # 0.99999994 * span rounds up
        step = step.astype("int32") if xp is np else ops.cast(step, "int32")
        return low + step

    def chance(self, rate):
        """bool (N,), True with probability `rate`."""
        return self.uniform() < rate

    def normal(self, std=1.0, count=None):
        """float32 (N,), or (N, count), normal with mean 0."""
        return std * _normal(self.bits(count), self.bits(count), self.xp)


def uniform_field(keys, shape, xp):
    """Numbers in [0, 1), float32 (N, *shape); `keys` are uint32 (N,), see `Draws.bits`."""
    return _unit(_field(keys, shape, 0, xp), xp)


def normal_field(keys, shape, xp):
    """Numbers of mean 0 and deviation 1, float32 (N, *shape); `keys` are uint32 (N,)."""
    return _normal(_field(keys, shape, 0, xp), _field(keys, shape, 1, xp), xp)


def _field(keys, shape, number, xp):
    size = math.prod(shape)
    places = (np.arange(size, dtype=np.uint32) * 2 + number) * np.uint32(_GOLDEN)
    starts = keys.reshape(-1, 1) if xp is np else ops.reshape(keys, (-1, 1))
    return xp.reshape(_mix(starts + places[None], xp), (-1, *shape))


def _hash(seeds, counters, xp):
    """uint32 (N, len(counters)) of seeds (N, 2)."""
    places = np.asarray(counters, np.uint64) * _GOLDEN & 0xFFFFFFFF
    first = _mix(seeds[:, :1] + places.astype(np.uint32)[None], xp)
    return _mix(xp.bitwise_xor(first, seeds[:, 1:]), xp)


def _mix(h, xp):
    """The 32 bits, each of which changes about half of the result's."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = xp.bitwise_xor(h, xp.right_shift(h, np.array(shift, np.uint32)))
        h = h * np.array(factor, np.uint32)
    return xp.bitwise_xor(h, xp.right_shift(h, np.array(16, np.uint32)))


def _unit(bits, xp):
    """Floats in [0, 1) of the upper 24 bits, which float32 holds exactly."""
    upper = xp.right_shift(bits, np.array(8, np.uint32))
    return _float(upper, xp) * np.float32(2**-24)


def _normal(bits, others, xp):
    """Box and Muller 1958."""
    radius = xp.sqrt(-2 * xp.log(1 - _unit(bits, xp)))
    return radius * xp.cos(np.float32(2 * math.pi) * _unit(others, xp))


def _float(values, xp):
    return np.asarray(values, np.float32) if xp is np else ops.cast(values, "float32")
