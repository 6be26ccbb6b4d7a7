"""Weight constraints that Keras does not have."""

import keras
from keras import ops

from kerascnn._errors import InputError

__all__ = ["MaxRMS"]


@keras.saving.register_keras_serializable(package="kerascnn")
class MaxRMS(keras.constraints.Constraint):
    """Scales down each filter whose root mean square is above a limit, to that limit.

    w[..., f] * max_value / max(max_value, rms[f]), where rms[f] is the root of the mean of
    w[..., f]**2 over all axes but the last. Smaller filters stay as they are, to the bit. Pass it
    as `kernel_constraint` of a convolution or a dense layer: it acts after each training step.

    Source: Zeiler and Fergus 2013, arXiv:1311.2901, Sec. 3: "renormalize each filter in the
    convolutional layers whose RMS value exceeds a fixed radius of 10^-1 to this fixed radius".
    Differs from the paper: no.

    Args:
        max_value: float > 0. The largest root mean square of a filter.

    Raises:
        InputError: `max_value` is not positive.

    >>> kernel = keras.ops.array([[0.3, 0.05], [0.3, 0.05]])  # filters are columns
    >>> keras.ops.convert_to_numpy(MaxRMS(0.1)(kernel)).round(4)
    array([[0.1 , 0.05],
           [0.1 , 0.05]], dtype=float32)
    """

    def __init__(self, max_value=0.1):
        if max_value <= 0:
            raise InputError(f"`max_value` must be positive. Received: max_value={max_value}.")
        self.max_value = max_value

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        axes = tuple(range(len(w.shape) - 1))
        rms = ops.sqrt(ops.mean(ops.square(w), axis=axes, keepdims=True))
        return w * (self.max_value / ops.maximum(rms, self.max_value))

    def get_config(self):
        return {"max_value": self.max_value}
