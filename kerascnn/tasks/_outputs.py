"""The outputs of a model: which layers end them."""

import dataclasses

import keras

from kerascnn._errors import InputError
from kerascnn.layers import LearnedLossWeight

_LAYERS = keras.layers
_PASSING = (LearnedLossWeight, _LAYERS.Identity, _LAYERS.Dropout, _LAYERS.Flatten, _LAYERS.Reshape)
_ACTIVATIONS = (_LAYERS.Activation, _LAYERS.Softmax, _LAYERS.ReLU, _LAYERS.LeakyReLU)
SQUASHING = {"sigmoid", "hard_sigmoid", "softmax"}


@dataclasses.dataclass
class Output:
    """An output: its name, its units, and the activations that end it, the last one first.

    `activations` are pairs (name of the activation, name of its layer); "linear" ones are left out.
    """

    name: str
    shape: tuple  # without the batch axis
    activations: list
    layer: str  # the last one that computes something

    @property
    def units(self):
        """The outputs a sample has, or each place of its map."""
        return self.shape[-1] if self.shape else 1

    @property
    def activation(self):
        """The last activation, or None."""
        return self.activations[0][0] if self.activations else None

    def problems(self):
        """What is wrong with any loss."""
        found = []
        squashed = [(a, layer) for a, layer in self.activations if a in SQUASHING]
        if len(squashed) > 1:
            (last, end), (first, start) = squashed[:2]
            found.append(
                f"{last} of layer {end!r} is applied to what {first} of layer {start!r} returned. "
                "Leave out one of them."
            )
        if self.activation == "softmax" and self.units == 1:
            found.append(
                f"softmax over 1 unit is always 1 (layer {self.layer!r}). Take a sigmoid for two "
                "classes, or one unit per class."
            )
        return found


def outputs_of(model):
    """The `Output`s of a functional or sequential model, in the order of `model.outputs`."""
    try:
        flat = model.outputs
    except (AttributeError, ValueError):
        flat = None
    if not flat:
        raise InputError(
            f"{model.name!r} is no functional or sequential model, so its outputs cannot be read."
        )
    tensors = {id(layer.output): layer for layer in _computing(model)}
    given = None if isinstance(model, keras.Sequential) else model.output
    if not isinstance(given, dict):
        names = [model.layers[-1].name] if given is None else model.output_names
        given = dict(zip(names, flat))
    return [_output(name, tensor, model, tensors) for name, tensor in given.items()]


def _computing(model):
    """The layers that were called once, so that they have one output."""
    for layer in model.layers:
        try:
            layer.output  # noqa: B018
        except (AttributeError, ValueError):
            continue
        yield layer


def _output(name, tensor, model, tensors):
    layer = tensors.get(id(tensor))
    if layer is None and name in [layer.name for layer in model.layers]:
        layer = model.get_layer(name)
    activations, last = _end(layer, tensors)
    return Output(name, tuple(tensor.shape[1:]), activations, last or name)


def _end(layer, tensors):
    """The activations from `layer` back to the last one that computes, and the name of that."""
    activations = []
    while layer is not None and not isinstance(layer, keras.Model):
        activation = _activation(layer)
        if activation not in (None, "linear"):
            activations.append((activation, layer.name))
        if not isinstance(layer, _PASSING + _ACTIVATIONS):
            return activations, layer.name
        layer = tensors.get(id(layer.input))
    if layer is None:
        return activations, None
    (inner, *_) = outputs_of(layer)
    return activations + inner.activations, inner.layer


def _activation(layer):
    """The name of a layer's activation, or None."""
    if isinstance(layer, _LAYERS.Softmax):
        return "softmax"
    if isinstance(layer, _LAYERS.ReLU):
        return "relu"
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", None)
