"""Compiled functions and derivatives of a compiled model's loss, on TensorFlow and JAX."""

import functools

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError, whole


class Objective:
    """The loss over all the data, regularisers included, as a function of one flat vector.

    The data goes through the model in inference mode: dropout is off, batch normalisation uses its
    moving statistics. The model's own weights are only read, at the beginning, and by `weights`.

    Args:
        model: built and compiled `keras.Model`, whose losses are means over the samples.
        x, y, sample_weight: arrays, or lists and dicts of arrays, as for `fit`.
        batch_size: int >= 1. Samples at a time; changes memory and time, not the result.

    Raises:
        InputError: the model is not built or not compiled, or the data does not fit together.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile("sgd", "mse")
    >>> objective = Objective(model, np.array([[1.0], [3.0]]), np.zeros((2, 1)))
    >>> loss, gradient = objective.loss_and_gradient(np.array([2.0]))  # of 5 w^2
    >>> loss, gradient, objective.hessian_product(np.array([2.0]), np.array([1.0]))
    (20.0, array([20.]), array([10.]))
    """

    def __init__(self, model, x, y, sample_weight=None, batch_size=256):
        check_model(model)
        self._data = (x, y, sample_weight)
        self._samples = count_samples(self._data)
        self._batch_size = whole(batch_size, "batch_size", 1)
        self._model = model
        self._shapes = [tuple(variable.shape) for variable in model.trainable_variables]
        self._rest = [variable.value for variable in model.non_trainable_variables]
        build_loss(model, self._data)
        self._gradient = value_and_gradient(self._loss)
        self._product = hessian_product(self._loss)

    def _loss(self, weights, rest, x, y, sample_weight):
        with substituted(self._model, weights, rest):
            y_pred = self._model(x, training=False)
            return self._model.compute_loss(x, y, y_pred, sample_weight)

    def loss_and_gradient(self, w):
        """(loss, gradient) at `w`: float, and float64 like `w`."""
        loss, gradient, weights = 0.0, np.zeros(len(w)), self._split(w)
        for share, batch in self._batches():
            value, slopes = self._gradient(weights, self._rest, *batch)
            loss += share * float(value)
            gradient += share * joined(slopes)
        return loss, gradient

    def hessian_product(self, w, direction):
        """The Hessian at `w` times `direction`: float64 like `w`."""
        product, weights, directions = np.zeros(len(w)), self._split(w), self._split(direction)
        for share, batch in self._batches():
            product += share * joined(self._product(weights, directions, self._rest, *batch))
        return product

    def weights(self):
        """The model's trainable weights, float64 (n,)."""
        return joined([variable.value for variable in self._model.trainable_variables])

    def assign(self, w):
        """Give the model the weights `w`."""
        for variable, value in zip(self._model.trainable_variables, self._split(w)):
            variable.assign(value)

    def _batches(self):
        """(share of all samples, batch), so that means of batches add up to the mean."""
        for start in range(0, self._samples, self._batch_size):
            stop = min(start + self._batch_size, self._samples)
            yield (stop - start) / self._samples, part(self._data, slice(start, stop))

    def _split(self, w):
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        pieces = zip(np.split(w, ends[:-1]), self._shapes, self._model.trainable_variables)
        return [
            ops.convert_to_tensor(piece.reshape(shape), variable.dtype)
            for piece, shape, variable in pieces
        ]


def check_model(model):
    """Refuse what has no weights yet, or no mean loss."""
    if not model.built or not model.trainable_variables:
        raise InputError("The model has no trainable weights. Give it keras.Input(shape) or data.")
    if not getattr(model, "compiled", False) or model.loss is None:
        raise InputError('The model needs a loss: model.compile(loss="mse"), for instance.')
    for loss in keras.tree.flatten(model.loss):
        if getattr(loss, "reduction", "sum_over_batch_size") != "sum_over_batch_size":
            raise InputError(
                "The loss must be a mean over the samples, so that batches add up: "
                f'reduction="sum_over_batch_size". Received: reduction={loss.reduction!r}.'
            )


def count_samples(data):
    """How many samples there are: of all arrays the same number, and at least one."""
    lengths = {len(array) for array in keras.tree.flatten(data) if array is not None}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(
            "x, y and sample_weight must have the same number of samples, at least 1. "
            f"Received: {', '.join(map(str, sorted(lengths)))}."
        )
    return lengths.pop()


def build_loss(model, data):
    """Make what Keras makes at the first loss: later it would belong to a graph."""
    x, y, sample_weight = part(data, slice(0, 1))
    model.compute_loss(x, y, model(x, training=False), sample_weight)


def part(data, samples):
    """The tensors of the samples that a slice tells."""

    def cut(array):
        return None if array is None else ops.convert_to_tensor(np.asarray(array[samples]))

    return keras.tree.map_structure(cut, data)


def substituted(model, weights, rest):
    """A scope in which the model has other weights, and its losses are those of one call."""
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    mapping = list(zip(variables, [*weights, *rest]))
    return keras.StatelessScope(mapping, collect_losses=True)


def joined(tensors):
    """One float64 vector of all tensors."""
    return np.concatenate([np.asarray(ops.convert_to_numpy(t), "f8").ravel() for t in tensors])


def compiled(function):
    """Compile a function of tensors.

    >>> float(compiled(lambda x: 2 * x)(ops.ones(())))
    2.0
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    # TensorFlow warns of functions that are traced often, which it knows by their code.
    return tf.function(functools.partial(function), autograph=False)


def value_and_gradient(function, has_aux=False, once=False):
    """Compile function(tensors, *more), a scalar, to one of (scalar, [gradient of each tensor]).

    With `has_aux` it gives (scalar, what else there is to know), and so does the compiled one.
    What is called `once` TensorFlow runs as it is, for tracing it would take longer.
    """
    if keras.backend.backend() == "jax":
        import jax

        return compiled(jax.value_and_grad(function, has_aux=has_aux))
    step = functools.partial(_value_and_gradient, function, has_aux)
    return step if once else compiled(step)


def hessian_product(function):
    """Compile function(tensors, *more) to one of (tensors, directions, *more): Hessian products."""
    if keras.backend.backend() == "jax":
        import jax

        def product(tensors, directions, *more):
            gradient = jax.grad(lambda moved: function(moved, *more))
            return jax.jvp(gradient, (tensors,), (directions,))[1]

        return compiled(product)
    import tensorflow as tf

    def product(tensors, directions, *more):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            _, gradients = _value_and_gradient(function, False, tensors, *more)
            slope = sum(tf.reduce_sum(g * d) for g, d in zip(gradients, directions))
        return tape.gradient(slope, tensors, unconnected_gradients="zero")

    return compiled(product)


def _value_and_gradient(function, has_aux, tensors, *more):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(tensors, *more)
        scalar = value[0] if has_aux else value
    return value, tape.gradient(scalar, tensors, unconnected_gradients="zero")
