"""Penalties: KL sparsity, and a helper that puts any penalty on the kernels of a model."""

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn._kernels import with_option

__all__ = ["KLSparsity", "regularize"]


def regularize(model, regularizer):
    """A copy of `model` with a penalty on its kernels: never on biases or normalisation.

    The weights are the same, layers and names too. Penalties that other weights or the activations
    have stay. A compiled model is compiled anew, its optimizer starts afresh.

    Keras's `L2(l)` adds l * sum(w**2) to the loss, without the half that papers often have: their
    weight decay of 5e-4 is `L2(2.5e-4)`. The decoupled weight decay of `AdamW` is another thing.

    Args:
        model: functional or Sequential `keras.Model`.
        regularizer: a `keras.regularizers.Regularizer`, its name, or None, which takes penalties
            away; or {pattern of layer names: one of these}, of which the first that fits counts and
            layers that no pattern fits stay as they are.

    Returns:
        A new `keras.Model`.

    Raises:
        InputError: a pattern fits no layer with a kernel, a layer takes no penalty, the model is no
            graph of layers, or it is compiled with what Keras cannot save.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="hidden"),
    ...                           keras.layers.Dense(2, name="output")])
    >>> model = regularize(model, {"hidden": keras.regularizers.L1(0.01), "*": "l2"})
    >>> [type(layer.kernel_regularizer).__name__ for layer in model.layers]
    ['L1', 'L2']
    """
    return with_option(model, "regularizer", regularizer)


_NEAREST = 1e-3  # of a mean activation to 0 and 1


@keras.saving.register_keras_serializable(package="kerascnn")
class KLSparsity(keras.regularizers.Regularizer):
    """Keeps units off most of the time: pulls each one's mean activation to a small target.

    strength * sum over units of KL(target || mean), where KL(p || q) is p log(p / q) +
    (1 - p) log((1 - p) / (1 - q)) and the mean is taken over the batch; for maps also over their
    places, so that a unit is a channel. Pass it as `activity_regularizer` of a layer. The penalty
    does not depend on the batch's size: Keras divides by it, this multiplies by it.

    A mean must be in (0, 1), as sigmoid's is. What a layer gives otherwise is squashed first by
    `activation`: "tanh" for ReLU, whose outputs have no upper end, "sigmoid" for logits. Means
    nearer to 0 or 1 than 0.001 (or a tenth of the target, if that is less) are set to that
    distance, where the penalty has no gradient: it would grow without bound, and a ReLU that is
    barely on in one example of a batch can wreck a training.

    Source: Ng 2011, CS294A lecture notes "Sparse autoencoder", eq. 7 (there for sigmoid units over
    the whole training set); the "KL-sparsity" of Srivastava et al. 2014, JMLR 15, Table 9, whose
    units are ReLU and whose treatment of them is not printed. Differs from Ng: the mean is that of
    a batch; `activation`.

    Args:
        target: float in (0, 1), the wanted mean activation.
        strength: float >= 0.
        activation: None or the name of a `keras.activations` function with values in [0, 1].

    Raises:
        InputError: `target` or `strength` is outside its range.

    >>> penalty = KLSparsity(target=0.1, strength=1.0)
    >>> outputs = keras.ops.array([[0.1, 0.5], [0.1, 0.5]])  # the second unit is on too often
    >>> round(float(penalty(outputs)) / len(outputs), 3)
    0.368
    """

    def __init__(self, target=0.05, strength=1e-3, activation=None):
        if not 0 < target < 1 or strength < 0:
            raise InputError(
                "`target` must be in (0, 1) and `strength` at least 0. "
                f"Received: target={target}, strength={strength}."
            )
        self.target = target
        self.strength = strength
        self.activation = keras.activations.get(activation)

    def __call__(self, x):
        x = ops.cast(self.activation(x), "float32")
        p = self.target
        nearest = min(_NEAREST, p / 10, (1 - p) / 10)
        mean = ops.mean(x, axis=tuple(range(len(x.shape) - 1)))
        mean = ops.clip(mean, nearest, 1 - nearest)
        divergence = p * ops.log(p / mean) + (1 - p) * ops.log((1 - p) / (1 - mean))
        return self.strength * ops.cast(ops.shape(x)[0], "float32") * ops.sum(divergence)

    def get_config(self):
        return {
            "target": self.target,
            "strength": self.strength,
            "activation": keras.activations.serialize(self.activation),
        }
