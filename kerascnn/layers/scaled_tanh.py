"""The squashing function of LeNet-5."""

import keras
from keras import ops

__all__ = ["scaled_tanh"]

AMPLITUDE, SLOPE = 1.7159, 2 / 3  # A and S of the paper


@keras.saving.register_keras_serializable(package="kerascnn")
def scaled_tanh(x):
    """A * tanh(S * x) with A = 1.7159 and S = 2/3, so that f(1) = 1 and f(-1) = -1.

    The targets +1 and -1 lie where the second derivative is largest, not on the asymptotes at
    -1.7159 and 1.7159: units are not driven into saturation. Use it as the `activation` of a layer.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), eq. 6 and Appendix A. Differs from the paper: no.

    Args:
        x: float tensor of any shape.

    Returns:
        Float tensor of the same shape and dtype, in (-1.7159, 1.7159).

    >>> keras.ops.convert_to_numpy(scaled_tanh(keras.ops.array([-1.0, 0.0, 1.0]))).round(4)
    array([-1.,  0.,  1.], dtype=float32)
    """
    return AMPLITUDE * ops.tanh(SLOPE * x)
