"""Random numbers as a pure function of an image's seed, the same in NumPy and in `keras.ops`.

Keras's own random functions take a seed for a whole batch, and differ between backends. Here every
number is a hash of (the image's seed, the place of the draw).
"""

import math

import numpy as np
from keras import ops

from kerascnn._random import field_bits, hash_bits


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
        drawn = hash_bits(self.seeds, counters, self.xp)
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
    return xp.reshape(field_bits(keys, math.prod(shape), number, xp), (-1, *shape))


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
