"""What a model's start does to signals on their way forward and to gradients on their way back."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from kerascnn import _graph
from kerascnn._errors import InputError

__all__ = ["LayerStart", "audit_initialization"]

_BOUNDS = {  # name of an activation: its smallest and largest value
    "tanh": (-1, 1),
    "hard_tanh": (-1, 1),
    "ramp": (-1, 1),
    "scaled_tanh": (-1.7159, 1.7159),
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
}
_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.PReLU,
)
_NORMS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)
_NUM_BINS = 50


@dataclass(frozen=True)
class LayerStart:
    """How one layer starts: a row of `audit_initialization`.

    Attributes:
        layer: str, its name.
        verdict: "fine", or what is wrong with it, as `audit_initialization` tells.
        mean, std: floats, of its outputs over all images, places and units.
        signal: float, the part of std that comes from the images: the root mean square over units
            of each one's standard deviation over images and places.
        saturated: float in [0, 1], the share of outputs in the outer 0.5 % of the range of a
            bounded activation at either end; 0 for others.
        zero: float in [0, 1], the share of outputs that are exactly 0.
        dead: float in [0, 1], the share of units (channels) that are 0 for all images and places.
        gradient_std: float, the root mean square of the gradient of the loss by its kernel, or None
            for a layer without one.
        activations, gradients: (counts, edges) of their histograms of 50 bins; the latter None
            without a kernel.

    >>> row = LayerStart("fc", "fine", 0.0, 1.0, 0.9, 0.0, 0.0, 0.0, None, ([1], [0, 1]), None)
    >>> print(row)
    fc: fine; outputs 0 +- 1, 0 % saturated, 0 % zero
    """

    layer: str
    verdict: str
    mean: float
    std: float
    signal: float
    saturated: float
    zero: float
    dead: float
    gradient_std: float | None
    activations: tuple
    gradients: tuple | None

    def __str__(self):
        gradient = "" if self.gradient_std is None else f"; gradient {self.gradient_std:.2g}"
        return (
            f"{self.layer}: {self.verdict}; outputs {self.mean:.2g} +- {self.std:.2g}, "
            f"{self.saturated:.0%} saturated, {self.zero:.0%} zero{gradient}"
        ).replace("%", " %")


def audit_initialization(model, images, labels=None):
    """Put a batch through a model as it starts, and judge layer by layer what becomes of it.

    | verdict      | meaning                                                                     |
    |--------------|-----------------------------------------------------------------------------|
    | "symmetric"  | all units have equal weights: they compute the same and will learn the same |
    | "dead"       | over half of the units are 0 for every image                                |
    | "saturated"  | over 20 % of the outputs of a bounded activation are at its ends            |
    | "exploding"  | outputs differ between images over 10 times as much as the input does (that |
    |              | of the first layer with a kernel), or are not finite; or the gradient by    |
    |              | the kernel is over 1e4 times that by the last kernel                        |
    | "vanishing"  | outputs differ less than a tenth as much; or the gradient is less than 1e-4 |
    |              | times that                                                                  |
    | "fine"       | none of these; the first that holds counts                                  |

    Judged are the layers with kernels, whose outputs include their activation, and activations that
    are layers. How large outputs are does not count for the last layer with a kernel, nor where a
    normalisation follows at once. Layers work as in a training step, batch normalisation with the
    batch's statistics; the model is not changed.

    Source: the histograms of Glorot and Bengio 2010, Fig. 6 and 7, in the form of the CS231n notes;
    limits are ours. Differs: gradients are those by the kernels, not by the outputs.

    Args:
        model: functional or Sequential `keras.Model`, compiled if `labels` are given.
        images: array, a batch of inputs, some 16 to 256 of them.
        labels: what its loss compares with, or None: then the gradients are those of a random
            linear function of the output, the mean over the batch.

    Returns:
        List of `LayerStart`, first layer first. `kerascnn.visualize.plot_initialization` draws it.

    Raises:
        InputError: the model has no layer with a kernel, or there are labels and no loss.

    >>> small = keras.initializers.RandomNormal(stddev=0.01, seed=0)
    >>> hidden = [keras.layers.Dense(64, "tanh", kernel_initializer=small) for _ in range(3)]
    >>> model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(2)])
    >>> images = np.random.default_rng(0).normal(size=(32, 64))
    >>> [row.verdict for row in audit_initialization(model, images)]
    ['vanishing', 'vanishing', 'vanishing', 'fine']
    """
    if labels is not None and not model.compiled:
        raise InputError("With labels the model must be compiled: its loss is needed.")
    loss = _loss(model, images, labels)
    model = _graph.flatten(model)
    with_kernel = [layer for layer in model.layers if _kernel(layer) is not None]
    judged = [x for x in model.layers if x in with_kernel or isinstance(x, _ACTIVATIONS)]
    if not with_kernel:
        raise InputError(f"{model.name!r} has no layer with a kernel at its top level.")
    tensors = [with_kernel[0].input, *(layer.output for layer in judged), *model.outputs]
    outputs, by_kernel = _step(keras.Model(model.inputs, tensors), images, loss)
    last = with_kernel[-1]
    scale = _signal(outputs[0]), _size(by_kernel[_kernel(last).path])
    normalised = {id(layer.input) for layer in model.layers if isinstance(layer, _NORMS)}
    rows = []
    for layer, y in zip(judged, outputs[1:]):
        gradient = by_kernel.get(_kernel(layer).path) if layer in with_kernel else None
        figures = _figures(layer, y, gradient)
        is_free = layer is last or id(layer.output) in normalised
        verdict = _verdict(figures, None if layer is last else _kernel(layer), *scale, is_free)
        histograms = _histogram(y), None if gradient is None else _histogram(gradient)
        rows.append(LayerStart(layer.name, verdict, *figures.values(), *histograms))
    return rows


def _kernel(layer):
    """The layer's first kernel, or None."""
    if isinstance(layer, keras.Model):
        return None
    return next((w for w in layer.trainable_weights if w.name.endswith("kernel")), None)


def _loss(model, images, labels):
    """Function of the output: the loss, or a random linear function of it."""
    if labels is not None:
        return lambda y: model.compute_loss(x=images, y=ops.convert_to_tensor(labels), y_pred=y)

    def projection(y):
        y = ops.cast(y, "float32")
        return ops.sum(y * keras.random.normal(y.shape, seed=0)) / y.shape[0]

    return projection


def _step(inner, images, loss):
    """(outputs, {path: gradient} of the kernels) of a training step that changes nothing."""
    images = ops.convert_to_tensor(images, inner.inputs[0].dtype)
    others = [variable.value for variable in inner.non_trainable_variables]
    weights = [ops.convert_to_tensor(variable.value) for variable in inner.trainable_variables]

    def forward(weights):
        outputs, _ = inner.stateless_call(weights, others, images, training=True)
        return loss(outputs[-1]), outputs

    outputs, gradients = _gradients(forward, weights)
    kernels = {
        variable.path: np.zeros(variable.shape) if gradient is None else _array(gradient)
        for variable, gradient in zip(inner.trainable_variables, gradients)
        if variable.name.endswith("kernel")
    }
    return [_array(y) for y in outputs], kernels


def _gradients(forward, weights):
    if keras.backend.backend() == "jax":
        import jax

        (_, outputs), gradients = jax.value_and_grad(forward, has_aux=True)(weights)
        return outputs, gradients
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        value, outputs = forward(weights)
    return outputs, tape.gradient(value, weights)


def _array(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def _figures(layer, y, gradient):
    """{name: number} of a layer's outputs and the gradient by its kernel."""
    low, high = _bounds(layer)
    margin = 0.005 * (high - low) if np.isfinite(high) else 0
    units = y.reshape(-1, y.shape[-1])
    return {
        "mean": float(y.mean()),
        "std": float(y.std()),
        "signal": _signal(y),
        "saturated": float(((y < low + margin) | (y > high - margin)).mean()),
        "zero": float((y == 0).mean()),
        "dead": float((units == 0).all(axis=0).mean()),
        "gradient_std": None if gradient is None else _size(gradient),
    }


def _signal(y):
    return float(np.sqrt(y.reshape(-1, y.shape[-1]).var(axis=0, dtype="float64").mean()))


def _bounds(layer):
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return _BOUNDS.get(name, (-np.inf, np.inf))


def _verdict(figures, kernel, signal, gradient, is_free):
    """By the signal of the input and the gradient by the last kernel.

    `is_free` says that the size of the outputs does not matter.
    """
    ratio = figures["signal"] / max(signal, 1e-30)
    own = gradient if figures["gradient_std"] is None else figures["gradient_std"]
    if kernel is not None and _is_symmetric(kernel.numpy()):
        return "symmetric"
    if figures["dead"] > 0.5:
        return "dead"
    if figures["saturated"] > 0.2:
        return "saturated"
    if not (np.isfinite(ratio) and (is_free or ratio <= 10) and own <= 1e4 * gradient):
        return "exploding"
    if own < 1e-4 * gradient or (ratio < 0.1 and not is_free):
        return "vanishing"
    return "fine"


def _is_symmetric(kernel):
    """Whether all columns, one a unit, are the same; for depthwise kernels, all filters."""
    columns = kernel.reshape(-1, kernel.shape[-1])
    if columns.shape[1] == 1:
        return kernel.size > 1 and bool((kernel == kernel.flat[0]).all())
    return bool((columns == columns[:, :1]).all())


def _size(gradient):
    return float(np.sqrt(np.square(gradient, dtype="float64").mean()))


def _histogram(values):
    finite = values[np.isfinite(values)].astype("float64")  # whose bins can be as small as needed
    return np.histogram(finite, bins=_NUM_BINS)
