"""Limits of weights that Keras does not have, and a helper that puts any on a model's kernels."""

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn._kernels import with_option

__all__ = ["MaxRMS", "constrain"]

_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


def constrain(model, constraint):
    """A copy of `model` with a constraint on its kernels: never on biases or normalisation.

    The weights are the same, layers and names too; they come to obey after the first training step.
    A compiled model is compiled anew, its optimizer starts afresh.

    `MaxNorm`, `MinMaxNorm` and `UnitNorm` of Keras hold the norm of what enters a unit only if
    their `axis` fits the kernel: their default, 0, is right for dense layers and leaves filters of
    convolutions far too large. Here each kernel gets its own: all axes but that of the outputs.

    Source of max-norm: Srivastava et al. 2014, JMLR 15, Sec. 5.1: ||w|| <= c for the incoming
    weights of each hidden unit, c typically 3 to 4 (2 in Appendix B.1).

    Args:
        model: functional or Sequential `keras.Model`.
        constraint: a `keras.constraints.Constraint`, its name, or None, which takes constraints
            away; or {pattern of layer names: one of these}, of which the first that fits counts and
            layers that no pattern fits stay as they are.

    Returns:
        A new `keras.Model`.

    Raises:
        InputError: a pattern fits no layer with a kernel, a layer takes no constraint, the model is
            no graph of layers, or it is compiled with what Keras cannot save.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3),
    ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model = constrain(model, keras.constraints.MaxNorm(3.0))
    >>> [model.layers[i].kernel_constraint.axis for i in (0, 2)]
    [[0, 1, 2], [0]]
    """
    return with_option(model, "constraint", constraint, _with_axes)


def _with_axes(constraint, layer, kind):
    """The constraint with the axes over which a unit's incoming weights lie, if it names any."""
    config = constraint.get_config()
    if config.get("axis", None) != 0:
        return constraint
    rank = len(getattr(layer, "kernel_size", ())) + 2
    output = {rank - 1}
    if kind == "depthwise" or isinstance(layer, _TRANSPOSED):
        output = {rank - 2, rank - 1} if kind == "depthwise" else {rank - 2}
    return type(constraint).from_config(config | {"axis": sorted({*range(rank)} - output)})


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
