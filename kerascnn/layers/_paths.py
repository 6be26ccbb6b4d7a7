"""What the layers share that drop whole paths at random."""

import keras
from keras import ops

__all__ = ["MODES", "are_shapes", "num_draws", "survival"]

MODES = ("batch", "sample")  # one draw for the whole mini-batch, or one for each sample


def num_draws(x, mode):
    """1, or the number of samples N: draws that a mode of `MODES` makes for `x`, (N, ...)."""
    return 1 if mode == "batch" else ops.shape(x)[0]


def survival(x, rate, mode, seed):
    """1 with probability `rate`, else 0: shape (draws, 1, ..., 1) and dtype to multiply `x` by."""
    shape = (num_draws(x, mode), *[1] * (len(x.shape) - 1))
    drawn = keras.random.uniform(shape, dtype="float32", seed=seed)  # in [0, 1)
    return ops.cast(drawn < rate, x.dtype)


def are_shapes(shapes, number):
    """Whether these are `number` shapes, equal but for sizes that are not known yet (None)."""
    return (
        len(shapes) == number
        and all(isinstance(shape, (list, tuple)) for shape in shapes)
        and len({len(shape) for shape in shapes}) == 1
        and all(len({*sizes} - {None}) <= 1 for sizes in zip(*shapes))
    )
