"""What a batch tells of a model in training, without changing it: loss, gradients, activations."""

import contextlib

import keras
import numpy as np
from keras import ops

from kerascnn import _graph
from kerascnn._derivatives import compiled, substituted
from kerascnn.doctor.initialization import _bounds, _gradients

_RELUS = ("relu", "relu6")


class Look:
    """Measures one batch in a model, as a training step would see it; compiled at the first call.

    Args:
        model: built `keras.Model`, compiled with a loss; nested models are looked into.
        batch: (x, y) or (x, y, sample_weight), of arrays.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu", name="hidden"),
    ...     keras.layers.Dense(1, name="last")])
    >>> model.compile("sgd", "mse")
    >>> look = Look(model, (np.ones((4, 2)), np.ones(4)))()
    >>> sorted(look), list(look["dead"]), list(look["gradients"])[-1]
    (['dead', 'gradients', 'loss', 'saturated'], ['hidden'], 'last/kernel')
    """

    def __init__(self, model, batch):
        self._model = model
        self._batch = [keras.tree.map_structure(ops.convert_to_tensor, part) for part in batch]
        self._batch += [None] * (3 - len(batch))
        self._names = {"dead": [], "saturated": []}
        self._step = compiled(self._measured)

    def __call__(self):
        """Dict: "loss", a float, and by name "gradients" (the root mean square of a kernel's),
        "dead" (a layer's share of units that are 0 for the whole batch), "saturated" (its share of
        outputs at the ends of a bounded activation)."""
        model = self._model
        weights = [ops.convert_to_tensor(v.value) for v in model.trainable_variables]
        rest = [ops.convert_to_tensor(v.value) for v in model.non_trainable_variables]
        loss, shares, sizes = self._step(weights, rest, *self._batch)
        named = {name: _named(self._names[name], values) for name, values in shares.items()}
        kernels = [weight_name(v) for v in kernels_of(model)]
        return {
            "loss": float(loss),
            "gradients": _named(kernels, sizes),
            **named,
        }

    def _measured(self, weights, rest, x, y, sample_weight):
        def forward(weights):
            with substituted(self._model, weights, rest), _recorded(_judged(self._model)) as seen:
                y_pred = self._model(x, training=True)
                loss = self._model.compute_loss(x, y, y_pred, sample_weight)
            return loss, (loss, self._shares(seen, y_pred))

        (loss, shares), slopes = _gradients(forward, weights)
        trained = zip(self._model.trainable_variables, slopes)
        return loss, shares, [_root_mean_square(g) for v, g in trained if is_kernel(v)]

    def _shares(self, seen, y_pred):
        """{"dead": [share], "saturated": [share]}; whose they are is noted aside."""
        ends = [id(tensor) for tensor in keras.tree.flatten(y_pred)]
        inner = [(layer, y) for layer, y in seen if id(y) not in ends]
        found = {
            "dead": [(layer.name, _dead(y)) for layer, y in inner if _is_relu(layer)],
            "saturated": [
                (layer.name, _saturated(y, *_bounds(layer)))
                for layer, y in inner
                if np.isfinite(_bounds(layer)[1])
            ],
        }
        self._names = {kind: [name for name, _ in rows] for kind, rows in found.items()}
        return {kind: [share for _, share in rows] for kind, rows in found.items()}


def kernels_of(model):
    """The trained variables that are matrices or convolution kernels."""
    return [variable for variable in model.trainable_variables if is_kernel(variable)]


def is_kernel(variable):
    """Whether it is a matrix or a convolution kernel, no vector."""
    return len(variable.shape) > 1


def weight_name(variable):
    """The variable's name with that of its layer: "conv1/kernel"."""
    return "/".join(variable.path.split("/")[-2:])


def _named(names, values):
    return dict(zip(names, [float(ops.convert_to_numpy(value)) for value in values]))


def _judged(model):
    layers = _graph.leaves(model)
    return [layer for layer in layers if _is_relu(layer) or np.isfinite(_bounds(layer)[1])]


def _is_relu(layer):
    if isinstance(layer, keras.layers.ReLU):
        return not layer.negative_slope
    return getattr(getattr(layer, "activation", None), "__name__", None) in _RELUS


@contextlib.contextmanager
def _recorded(layers):
    """Collects (layer, output) of the calls, also those within nested models."""
    seen = []

    def recording(layer, call):
        def record(*args, **kwargs):
            y = call(*args, **kwargs)
            seen.append((layer, y))
            return y

        return record

    layers = list({id(layer): layer for layer in layers}.values())  # a shared one once
    for layer in layers:
        layer.call = recording(layer, layer.call)
    try:
        yield seen
    finally:
        for layer in layers:
            del layer.call


def _dead(y):
    channels_first = len(y.shape) > 2 and keras.config.image_data_format() == "channels_first"
    unit = 1 if channels_first else len(y.shape) - 1
    others = [axis for axis in range(len(y.shape)) if axis != unit]
    return ops.mean(ops.cast(ops.all(y == 0, axis=others), "float32"))


def _saturated(y, low, high):
    margin = 0.005 * (high - low)
    return ops.mean(ops.cast((y < low + margin) | (y > high - margin), "float32"))


def _root_mean_square(gradient):
    return (
        0.0 if gradient is None else ops.sqrt(ops.mean(ops.square(ops.cast(gradient, "float32"))))
    )
