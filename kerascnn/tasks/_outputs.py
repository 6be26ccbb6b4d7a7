"""The outputs of a model: which layers end them."""

import dataclasses

import keras

from kerascnn._errors import InputError
from kerascnn.layers import LearnedLossWeight, MeanOverViews

_LAYERS = keras.layers
_PASSING = (LearnedLossWeight, _LAYERS.Identity, _LAYERS.Dropout, _LAYERS.Flatten, _LAYERS.Reshape)
_MEANS = (
    _LAYERS.Average,
    _LAYERS.GlobalAveragePooling1D,
    _LAYERS.GlobalAveragePooling2D,
    _LAYERS.GlobalAveragePooling3D,
)
_SUMS = (_LAYERS.Add, _LAYERS.Rescaling)
_NAMES = {  # of activations that are layers or operations, by class
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "ReLU": "relu",
    "Relu": "relu",
    "LeakyReLU": "leaky_relu",
}
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
    known: bool  # whether it could be told what ends the output

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
    makers = {id(operation.output): operation for operation in _computing(model)}
    given = None if isinstance(model, keras.Sequential) else model.output
    if not isinstance(given, dict):
        names = [model.layers[-1].name] if given is None else model.output_names
        given = dict(zip(names, flat))
    return [_output(name, tensor, model, makers) for name, tensor in given.items()]


def _computing(model):
    """The layers and operations that were called once, so that they have one output."""
    for operation in getattr(model, "operations", model.layers):  # Sequential has layers alone
        try:
            operation.output  # noqa: B018
        except (AttributeError, ValueError):
            continue
        yield operation


def _output(name, tensor, model, makers):
    maker = makers.get(id(tensor))
    if maker is None and name in [layer.name for layer in model.layers]:
        maker = model.get_layer(name)
    activations, last, known = _end(maker, makers)
    return Output(name, tuple(tensor.shape[1:]), activations, last or name, known)


def _end(maker, makers):
    """What ends the output of a layer or operation.

    Returns:
        (the activations back to what computes before them, the name of that or None, whether it is
        known: if not, there may be more activations).
    """
    if maker is None:
        return [], None, False
    network = maker.layer if isinstance(maker, MeanOverViews) else maker
    if isinstance(network, keras.Model):
        return _end_of_network(network)
    if isinstance(maker, _MEANS + _SUMS):
        return _end_of_merged(maker, makers)
    activation = _activation(maker)
    if activation is None:
        return [], maker.name, False
    found = [] if activation == "linear" else [(activation, maker.name)]
    computes = not isinstance(maker, (*_PASSING, _LAYERS.Activation))
    if computes and type(maker).__name__ not in _NAMES:
        return found, maker.name, True
    before, last, known = _end(makers.get(id(_input(maker))), makers)
    return found + before, last, known


def _end_of_network(network):
    try:
        (output,) = outputs_of(network)
    except (InputError, ValueError):  # no graph, or several outputs
        return [], network.name, False
    return output.activations, output.layer, output.known


def _end_of_merged(maker, makers):
    """A mean ends as what it reads, if that is the same for all; a sum only if it is of logits."""
    ends = [_end(makers.get(id(x)), makers) for x in keras.tree.flatten(_input(maker))]
    names = {tuple(name for name, _ in activations) for activations, _, _ in ends}
    known = len(names) == 1 and all(known for _, _, known in ends)
    if not known or (isinstance(maker, _SUMS) and names != {()}):
        return [], maker.name, False
    return ends[0][0], maker.name, True


def _input(maker):
    """What a layer or operation reads, or None if it was called several times."""
    try:
        return maker.input
    except (AttributeError, ValueError):
        return None


def _activation(maker):
    """The name of the activation, "linear" where there is none, None if it is not known."""
    if isinstance(maker, _PASSING):
        return "linear"
    activation = getattr(maker, "activation", maker)  # an operation may be one itself
    if activation is None:
        return "linear"
    if type(activation).__name__ in _NAMES:
        return _NAMES[type(activation).__name__]
    name = getattr(activation, "__name__", "")
    return name if hasattr(keras.activations, name) else None
