"""What a network computes on its way, nested models opened, and gradients of it.

The model is only read: nothing is added to its graph, nothing is copied. Calls are those of
`kerascnn._calls`; layers of a model within a model are named "backbone/conv", and "conv" will do
where no other layer has this name.
"""

import contextlib
import inspect
import itertools

import keras
import numpy as np
from keras import ops

from kerascnn._calls import calls, follow
from kerascnn._derivatives import substituted, value_and_gradient
from kerascnn._errors import InputError, one_of
from kerascnn.visualize._paths import makers

_SQUASHING = ("Sigmoid", "Softmax")
BATCH = 32  # images at a time
# Gradients of half-precision networks would be lost below 6e-5, as in training.
_SCALE = 1024.0


def opened(model, images):
    """(list of `Call`, the position of the one that gives the scores), at the images' size."""
    if len(getattr(model, "inputs", None) or ()) != 1 or len(model.outputs) != 1:
        raise InputError(
            "The model must be functional with one input and one output; of several outputs take "
            f"one: keras.Model(model.inputs, model.outputs[0]). Received: {model!r}."
        )
    shape = np.shape(images)
    expected = model.inputs[0].shape
    if len(shape) != len(expected) or any(a not in (None, b) for a, b in zip(expected, shape)):
        raise InputError(
            f"The model reads images of shape (N, {', '.join(map(str, expected[1:]))}). "
            f"Received: {shape}."
        )
    if not shape[0]:
        raise InputError("There are no images.")
    found, outputs = calls(model, shape[1:])
    return found, max(makers(found, outputs))


def position(found, layer):
    """Where in the calls this layer is; the last of its calls if it is shared."""
    names = [call.name for call in found]
    alike = [name for name in names if name == layer or name.endswith(f"/{layer}")]
    chosen = layer if layer in names else (alike or [layer])[0]
    if chosen != layer and len(set(alike)) > 1:
        raise InputError(f"Several layers are named {layer!r}: {', '.join(sorted(set(alike)))}.")
    one_of(chosen, names, "layer")
    return max(i for i, name in enumerate(names) if name == chosen)


def forward(model, images, watched=(), shifts=None, scores=None, run=None):
    """Send images through the model in inference mode, as far as needed.

    Args:
        model: `keras.Model`.
        images: tensor.
        watched: positions of calls whose outputs to give.
        shifts: {position: tensor} to add to outputs, or None.
        scores: position of the call that gives the scores. A softmax or sigmoid that ends it is
            left out. None stops behind the last call that is watched.
        run: function(layer, args, kwargs) that computes a layer, `infer` by default.

    Returns:
        (output of the model, or None if it was not needed, [output of each watched call]).
    """
    positions, seen, run = itertools.count(1), {}, run or infer  # 0 is the input

    def apply(name, layer, args, kwargs):
        number = next(positions)
        y = unsquashed(layer, args, kwargs, run) if number == scores else run(layer, args, kwargs)
        if shifts and number in shifts:
            y = y + ops.cast(shifts[number], y.dtype)
        if number in watched:
            seen[number] = y
        if scores is None and watched and number >= max(watched):
            raise _Enough
        return y

    output = None
    with contextlib.suppress(_Enough):
        (output,) = follow(model, [ops.cast(images, "float32")], apply)
    return output, [images if number == 0 else seen[number] for number in watched]


class _Enough(Exception):
    """What is behind need not be computed, and may not work at this size of the images."""


def infer(layer, args, kwargs):
    """What a layer gives when it predicts; by itself, a layer of augmentation would augment."""
    if "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": False}
    return layer(*args, **kwargs)


def unsquashed(layer, args, kwargs, run=infer):
    """The same without the softmax or sigmoid at its end."""
    if type(layer).__name__ in _SQUASHING:
        return args[0]
    activation = getattr(layer, "activation", None)
    if getattr(activation, "__name__", "").title() not in _SQUASHING:
        return run(layer, args, kwargs)
    with linear(layer):
        return run(layer, args, kwargs)


@contextlib.contextmanager
def linear(layer):
    """Inside this scope the layer has no activation."""
    activation, layer.activation = layer.activation, keras.activations.linear
    try:
        yield
    finally:
        layer.activation = activation


def gradient_of(model, measure, once=False):
    """Compile a measure of what is inside a model, and its gradient.

    Args:
        model: `keras.Model`. Its weights are those at the time of each call.
        measure: function(tensors, *more) -> (scalar, more results).
        once: bool. Whether it is called a single time, for which tracing would take longer.

    Returns:
        Function(tensors, *more) -> (more results, [gradient of the scalar by each tensor]).
    """

    def scaled(tensors, weights, rest, *more):
        with substituted(model, weights, rest):
            value, results = measure(tensors, *more)
        return _SCALE * ops.cast(value, "float32"), results

    step = value_and_gradient(scaled, has_aux=True, once=once)

    def compute(tensors, *more):
        weights = [variable.value for variable in model.trainable_variables]
        rest = [variable.value for variable in model.non_trainable_variables]
        (_, results), gradients = step(tensors, weights, rest, *more)
        return results, [gradient / _SCALE for gradient in gradients]

    return compute


def as_targets(targets, scores, count):
    """int32 (N,): the class of each image, -1 for the one that the model predicts."""
    shape = scores.outputs[0].shape
    if len(shape) != 2:
        raise InputError(f"The model must give class scores (N, classes). It gives {shape}.")
    if targets is None:
        return np.full(count, -1, "int32")
    given = np.asarray(targets)
    fits = given.dtype.kind in "iu" and given.shape in ((), (count,))
    if not fits or given.min() < 0 or given.max() >= shape[1]:
        raise InputError(
            f"`targets` must be class indices, ints from 0 to {shape[1] - 1}, one for each of the "
            f"{count} images, or one for all. Received: {targets!r}."
        )
    return np.broadcast_to(given, count).astype("int32")


def chosen(scores, targets):
    """Sum over the images of the scores (N, classes) of their targets, as `as_targets` gives."""
    scores = ops.cast(scores, "float32")
    predicted = ops.cast(ops.argmax(scores, axis=-1), "int32")
    targets = ops.where(targets < 0, predicted, targets)
    return ops.sum(ops.take_along_axis(scores, targets[:, None], axis=1))


def in_batches(compute, *arrays):
    """What a function of some samples gives for all, as one NumPy array.

    All batches have one shape, so that it is traced once: the last one may repeat its last sample.
    """
    count = len(arrays[0])
    size = -(-count // -(-count // BATCH))  # of the fewest batches, as even as can be
    parts = []
    for start in range(0, count, size):
        batch = np.minimum(np.arange(start, start + size), count - 1)
        parts.append(ops.convert_to_numpy(compute(*(array[batch] for array in arrays))))
    return np.concatenate(parts)[:count]
