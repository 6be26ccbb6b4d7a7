"""Counts of any functional model, layer by layer."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import keras

from kerascnn._calls import calls
from kerascnn._console import table
from kerascnn._errors import InputError

__all__ = ["Analysis", "LayerCounts", "analyze"]


@dataclass(frozen=True)
class LayerCounts:
    """What one call of a layer has and does, for one image.

    Attributes:
        name: str, after the names of the nested models it is in: "stem/conv".
        kind: str, the class of the layer.
        output_shape: tuple, without the batch axis; a tuple of them if it gives several tensors.
        parameters: int, all values of its weights; 0 where the layer was counted before.
        trainable_parameters: int, those that train.
        connections: int. A unit of a layer with weights has one for each value that it reads and
            one for its bias.
        multiply_adds: int, of convolution and dense kernels. Biases, normalisation, activation,
            pooling and additions are not counted, as in the published tables.
        activations: int, the units that are new here. A layer without kernel or window that gives
            at least as many values as it reads (activation, normalisation, dropout, reshaping,
            joining, padding) makes none, so a network has one count however it is written.
        receptive_field: int, height in pixels of what a unit sees. It sees padding beyond the
            edge, so this can be larger than the image.
        jump: distance in pixels between the centres of neighbouring units, int where it is whole.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, strides=2)])
    >>> analyze(model).layers[1].activations
    36
    """

    name: str
    kind: str
    output_shape: tuple
    parameters: int
    trainable_parameters: int
    connections: int
    multiply_adds: int
    activations: int
    receptive_field: int
    jump: float


@dataclass(frozen=True)
class Analysis:
    """A model layer by layer; `print` shows it as a table.

    Attributes:
        name: str, of the model.
        layers: tuple of `LayerCounts`, in the order of computation, the input first.
        depth: int, convolution and dense layers on the longest way from an input to an output.
        shortest_path: int, the same on the shortest way. Identity shortcuts make this "effective
            depth" small.
        parameters, trainable_parameters, connections, multiply_adds, activations: int, totals.
        activation_bytes: int, of all activations of one image in float32. A training step keeps up
            to three times as much where normalisation and activation are layers of their own.

    >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, name="y")])
    >>> print(analyze(model))
    layer  kind        output  parameters  multiply-adds  activations  field
    -----  ----------  ------  ----------  -------------  -----------  -----
    x      InputLayer  4                0              0            4      1
    y      Dense       3               15             12            3      1
    total                              15             12            7
    """

    name: str
    layers: tuple
    depth: int
    shortest_path: int
    parameters: int
    trainable_parameters: int
    connections: int
    multiply_adds: int
    activations: int
    activation_bytes: int

    def __str__(self):
        shown = ("parameters", "multiply_adds", "activations")
        rows = [
            [
                layer.name,
                layer.kind,
                "x".join(map(str, layer.output_shape)),
                *(f"{getattr(layer, column):,}" for column in shown),
                layer.receptive_field,
            ]
            for layer in self.layers
        ]
        total = ["total", "", "", *(f"{getattr(self, column):,}" for column in shown), ""]
        titles = [column.replace("_", "-") for column in shown]
        return table(["layer", "kind", "output", *titles, "field"], [*rows, total])


def analyze(model, input_shape=None):
    """Parameters, connections, multiply-adds, activations and receptive fields of a model.

    For any functional or `Sequential` `keras.Model`, nested ones included; layers of your own are
    read by the names Keras uses: `kernel` (applied once at each place of the output), `bias`,
    `kernel_size`, `pool_size`, `strides`, `dilation_rate`. Nothing is computed, and the time is
    linear in the number of layers.

    A strided slice is not seen as a stride; where its output is added to that of a strided
    convolution, as in ResNet's shortcut A, the receptive field is right all the same.

    Args:
        model: `keras.Model` whose layers are known.
        input_shape: (H, W, C) for a model that takes any size, or None.

    Returns:
        `Analysis`.

    Raises:
        InputError: the model is not functional, its input size is not known, or a layer hides
            kernels inside it (recurrent and attention layers).

    >>> import kerascnn as kc
    >>> lenet = analyze(kc.models.LeNet5(output="rbf"))
    >>> {layer.name: layer.connections for layer in lenet.layers if layer.connections}
    {'c1': 122304, 's2': 5880, 'c3': 151600, 's4': 2000, 'c5': 48120, 'f6': 10164, 'output': 840}
    >>> lenet.connections, lenet.trainable_parameters, lenet.depth
    (340908, 60000, 5)
    """
    found, outputs = calls(model, input_shape)
    paths, steering, layers, known = {}, set(), [], set()
    for call in found:
        kernels, read = _kernels(call), [id(tensor) for tensor in call.inputs]
        before = [paths[i] for i in read if i not in steering] or [paths[i] for i in read]
        path = _further(before, call, bool(kernels)) if before else _Path()
        paths |= {id(tensor): path for tensor in call.outputs}
        if _chooses(call) or (read and steering.issuperset(read)):
            steering |= {id(tensor) for tensor in call.outputs}
        layers.append(_counts(call, kernels, path, is_new=id(call.layer) not in known))
        known.add(id(call.layer))
    ends = [paths[id(tensor)] for tensor in outputs]
    totals = {name: sum(getattr(layer, name) for layer in layers) for name in _TOTALS}
    return Analysis(
        name=model.name,
        layers=tuple(layers),
        depth=max(end.longest for end in ends),
        shortest_path=min(end.shortest for end in ends),
        activation_bytes=4 * totals["activations"],
        **totals,
    )


_TOTALS = ("parameters", "trainable_parameters", "connections", "multiply_adds", "activations")
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "codes")  # the last: RBFOutput's
_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
_EINSUM = keras.layers.EinsumDense
_UPSAMPLING = (keras.layers.UpSampling1D, keras.layers.UpSampling2D, keras.layers.UpSampling3D)


def _kernels(call):
    """The arrays that the layer multiplies its input with at each place."""
    layer = call.inner_layer
    own = [getattr(layer, name) for name in _KERNELS if getattr(layer, name, None) is not None]
    names = [weight.name for weight in getattr(layer, "weights", ())]
    if sum(n.endswith(_KERNELS) for n in names) > len(own) or isinstance(layer, _EINSUM):
        raise InputError(
            f"The multiply-adds of layer {call.name!r} ({type(layer).__name__}) are not known: its "
            "kernels are not applied once at each place of its output. Analyze the model without."
        )
    return own


def _counts(call, kernels, path, is_new):
    layer = call.inner_layer
    read, made = _num_values(call.inputs, call), _num_values(call.outputs, call)
    # A transposed convolution spreads its kernel from each place of its input.
    at = call.inputs if isinstance(layer, _TRANSPOSED) else call.outputs
    multiply_adds = _places(layer, at[0]) * sum(math.prod(kernel.shape) for kernel in kernels)
    weights = getattr(call.layer, "weights", ())
    has_window = hasattr(layer, "pool_size")
    has_bias = any(weight.name == "bias" for weight in weights)
    connections = multiply_adds + has_bias * made
    if has_window and weights:  # TrainableSubsampling
        connections += made * layer.pool_size**2
    is_unit = kernels or has_window or not read or (made < read and not _chooses(call))
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in call.outputs)
    return LayerCounts(
        name=call.name,
        kind=type(call.layer).__name__,
        output_shape=shapes[0] if len(shapes) == 1 else shapes,
        parameters=is_new * _num_parameters(weights),
        trainable_parameters=is_new * _num_parameters(getattr(call.layer, "trainable_weights", ())),
        connections=connections,
        multiply_adds=multiply_adds,
        activations=made if is_unit else 0,
        receptive_field=path.field,
        jump=path.jump,
    )


class _Path(NamedTuple):
    """Where a tensor stands on its ways from the input."""

    field: int = 1
    jump: float = 1
    shortest: int = 0
    longest: int = 0


def _further(before, call, has_kernel):
    """The path of what a call gives, from the paths of what it reads."""
    layer = call.inner_layer
    field, jump = max(path.field for path in before), max(path.jump for path in before)
    pool = getattr(layer, "pool_size", 1)
    size = _height(getattr(layer, "kernel_size", pool))
    stride = _height(getattr(layer, "strides", pool))
    reach = (size - 1) * _height(getattr(layer, "dilation_rate", 1)) + 1
    if isinstance(layer, _TRANSPOSED):
        field, jump = field + (math.ceil(reach / stride) - 1) * jump, _whole(jump / stride)
    elif isinstance(layer, _UPSAMPLING):
        jump = _whole(jump / _height(layer.size))
    elif reach == stride == 1 and _places(layer, call.outputs[0]) == 1:  # Flatten, global pooling
        field += (_height(_sizes(layer, call.inputs[0])) - 1) * jump
    else:
        field, jump = field + (reach - 1) * jump, jump * stride
    return _Path(
        field,
        jump,
        min(path.shortest for path in before) + has_kernel,
        max(path.longest for path in before) + has_kernel,
    )


def _sizes(layer, tensor):
    """The axes that are neither the batch nor the channels: (H, W) of a map, () of features."""
    channels_first = getattr(layer, "data_format", None) == "channels_first"
    return tensor.shape[2:] if channels_first else tensor.shape[1:-1]


def _places(layer, tensor):
    return math.prod(_sizes(layer, tensor))


def _height(sizes):
    """The first of an option or shape: of an int itself, of nothing 1."""
    return sizes if isinstance(sizes, int) else (*sizes, 1)[0]


def _whole(number):
    return int(number) if number == int(number) else number


def _chooses(call):
    """Whether integers come out of floats: they only steer, as those of `FractalPath` do.

    The ways of the signal do not lead over them.
    """

    def are_floats(tensors):
        return [keras.backend.is_float_dtype(tensor.dtype) for tensor in tensors]

    return any(are_floats(call.inputs)) and not any(are_floats(call.outputs))


def _num_values(tensors, call):
    shapes = [tensor.shape[1:] for tensor in tensors]
    if any(None in shape for shape in shapes):
        raise InputError(f"The sizes at layer {call.name!r} are not known: {shapes}.")
    return sum(map(math.prod, shapes))


def _num_parameters(weights):
    return sum(math.prod(weight.shape) for weight in weights)
