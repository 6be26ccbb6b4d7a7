"""The piecewise linear stand-in for tanh."""

import keras
from keras import ops

__all__ = ["ramp"]


@keras.saving.register_keras_serializable(package="kerascnn")
def ramp(x):
    """max(-1, min(1, x)): linear between -1 and 1, where it saturates. Also called hard tanh.

    The gradient is 1 inside and 0 outside. `keras.activations.hard_tanh` is the same function.

    Source: Collobert et al. 2011, JMLR 12, "HardTanh" layer. Differs from the paper: no.

    Args:
        x: float tensor of any shape.

    Returns:
        Float tensor of the same shape and dtype, in [-1, 1].

    >>> keras.ops.convert_to_numpy(ramp(keras.ops.array([-3.0, 0.5, 2.0])))
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return ops.clip(x, -1.0, 1.0)
