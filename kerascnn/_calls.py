"""Every call of a layer in a model, in the order of computation, with the tensors that flow."""

import heapq
from dataclasses import dataclass

import keras

from kerascnn._errors import InputError

_CHAINS = (keras.Sequential, keras.layers.Pipeline)  # one layer after the other


@dataclass(frozen=True)
class Call:
    """One call of a layer (or of an operation such as `keras.ops.relu`) in a model.

    A tensor is the same object where one call gives it and others read it.

    Attributes:
        name: str. That of the layer, after those of the nested models it is in: "stem/conv".
        layer: `keras.Layer` or `keras.Operation`.
        inputs: tuple of `keras.KerasTensor`, empty for an input of the model.
        outputs: tuple of `keras.KerasTensor`.
    """

    name: str
    layer: keras.Operation
    inputs: tuple
    outputs: tuple

    @property
    def inner_layer(self):
        """The layer, without a wrapper such as `SpectralNormalization` around it."""
        layer = self.layer
        while isinstance(layer, keras.layers.Wrapper):
            layer = layer.layer
        return layer


def calls(model, input_shape=None):
    """All calls of a functional model, and the tensors that it returns.

    Shapes are followed anew from the inputs, so that nested models and unknown sizes have those of
    this image. Nothing is computed, and nothing is added to the graph. Time is linear in the number
    of calls; only nested models recurse.

    Args:
        model: functional or `Sequential` `keras.Model`; models in it may be nested.
        input_shape: (H, W, C) that fills what `model.input_shape` leaves open, or None.

    Returns:
        `(calls, outputs)`: list of `Call`, and tuple of `keras.KerasTensor`.

    Raises:
        InputError: the model is no functional one, or its input has another or an unknown shape.

    >>> image = keras.Input((None, None, 3), name="image")
    >>> model = keras.Model(image, keras.layers.Conv2D(8, 3, name="conv")(image))
    >>> [(call.name, call.outputs[0].shape) for call in calls(model, (32, 32, 3))[0]]
    [('image', (None, 32, 32, 3)), ('conv', (None, 30, 30, 8))]
    """
    images = _inputs(model, input_shape)
    found = [Call(image.name, source, (), (image,)) for source, image in images]

    def note(name, layer, args, kwargs):
        outputs = layer.compute_output_spec(*args, **kwargs)
        found.append(Call(name, layer, tuple(_tensors((args, kwargs))), tuple(_tensors(outputs))))
        return outputs

    return found, tuple(follow(model, [image for _, image in images], note))


def follow(model, tensors, apply, prefix=""):
    """Send tensors through a functional model, call by call, into nested models too.

    Args:
        model: functional or `Sequential` `keras.Model`.
        tensors: list of Keras tensors or of the backend's own, one for each input.
        apply: function(name, layer, args, kwargs) of each call, in the order of `calls`, that gives
            what the call gives: the layer's output, or something in its place.
        prefix: str, put before the names.

    Returns:
        List of tensors, the outputs.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.ReLU(), keras.layers.ReLU()])
    >>> follow(model, [3.0], lambda name, layer, args, kwargs: args[0] + 1)
    [5.0]
    """
    if isinstance(model, _CHAINS):
        for layer in model.layers:
            tensors = _call(layer, (_single(tensors),), {}, apply, prefix)
        return tensors
    config = model.get_config()
    if "layers" not in config:  # a subclass, with a config of its own
        config = keras.Model(model.inputs, model.outputs).get_config()
    known = dict(zip(_histories(config["input_layers"]), tensors))
    operations = {operation.name: operation for operation in model.operations}
    for name, index, arguments in _in_order(config["layers"], known):
        args, kwargs = _filled_in(arguments["args"], known), _filled_in(arguments["kwargs"], known)
        outputs = _call(operations[name], args, kwargs, apply, prefix)
        known |= {(name, index, i): tensor for i, tensor in enumerate(outputs)}
    # In this one place `get_config` counts the calls of a nested functional model from 1.
    first = {name: int(isinstance(layer, keras.Function)) for name, layer in operations.items()}
    outputs = _histories(config["output_layers"])
    return [known[name, index - first[name], i] for name, index, i in outputs]


def _call(layer, args, kwargs, apply, prefix):
    name = f"{prefix}{layer.name}"
    # A pipeline of layers without weights is one step, such as addition and ReLU.
    has_parts = layer.weights if isinstance(layer, keras.layers.Pipeline) else _is_graph(layer)
    if has_parts:
        return follow(layer, _tensors((args, kwargs)), apply, f"{name}/")
    return keras.tree.flatten(apply(name, layer, args, kwargs))


def _inputs(model, input_shape):
    """(the layer, a tensor of the shape asked for) of each input."""
    if not _is_graph(model):
        raise InputError(
            "The layers of a model are known when it is functional, or Sequential and begins with "
            f"keras.Input(shape). Received: {type(model).__name__} "
            f"{getattr(model, 'name', model)!r}."
        )
    if input_shape is not None and len(model.inputs) > 1:
        raise InputError(
            f"`input_shape` is for models with one input; {model.name!r} has {len(model.inputs)}. "
            "Build it with known sizes."
        )
    return [
        (
            keras.layers.InputLayer(batch_shape=tensor.shape, name=name),
            keras.KerasTensor(_filled(tensor.shape, input_shape), tensor.dtype, name=name),
        )
        for tensor, name in zip(model.inputs, _input_names(model))
    ]


def _input_names(model):
    """The names of the input layers; where `keras.Input` got none, their tensors have others."""
    if isinstance(model, keras.Sequential):  # which hides its input layer
        model = keras.Model(model.inputs, model.outputs)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.InputLayer)]
    names = {id(layer.output): layer.name for layer in layers}
    return [names.get(id(tensor), tensor.name) for tensor in model.inputs]


def _is_graph(model):
    """Whether it is a functional model, or a Sequential that knows its input."""
    return isinstance(model, keras.Model) and bool(getattr(model, "inputs", None))


def _filled(shape, input_shape):
    batch, *own = shape
    sizes = own if input_shape is None else list(input_shape)
    if len(sizes) != len(own) or any(a not in (None, b) for a, b in zip(own, sizes)):
        raise InputError(
            f"`input_shape` can fill only what the model leaves open: its input is {tuple(own)}. "
            f"Received: input_shape={input_shape}."
        )
    if None in sizes:
        raise InputError(
            f"The model's input is {tuple(own)}, so its sizes are not known. "
            "Pass input_shape=(H, W, C)."
        )
    return (batch, *sizes)


def _in_order(layers, known):
    """(name, index of the call, arguments) of each call, as early in the list as its inputs allow.

    A layer that is called twice stands once in the list, and its second call may need layers that
    stand behind it.
    """
    nodes = [
        (layer["name"], index, arguments)
        for layer in layers
        for index, arguments in enumerate(layer["inbound_nodes"])
    ]
    readers, missing = {}, []
    for position, (_, _, arguments) in enumerate(nodes):
        sources = {history[:2] for history in _sources(arguments)} - {key[:2] for key in known}
        missing.append(len(sources))
        for source in sources:
            readers.setdefault(source, []).append(position)
    ready = [position for position, number in enumerate(missing) if not number]
    while ready:
        name, index, arguments = nodes[heapq.heappop(ready)]
        yield name, index, arguments
        for position in readers.get((name, index), ()):
            missing[position] -= 1
            if not missing[position]:
                heapq.heappush(ready, position)


def _histories(structure):
    """(layer, call, tensor) of each input or output, however `get_config` nests them."""
    flat = keras.tree.flatten(structure)
    return list(zip(flat[::3], flat[1::3], flat[2::3]))


def _is_tensor(node):
    return isinstance(node, dict) and node.get("class_name") == "__keras_tensor__"


def _sources(node):
    """The history of every tensor in the serialised arguments of a call."""
    if _is_tensor(node):
        yield tuple(node["config"]["keras_history"])
    elif isinstance(node, dict | list | tuple):
        for part in node.values() if isinstance(node, dict) else node:
            yield from _sources(part)


def _filled_in(node, known):
    """The arguments of a call, with our tensors in the places of the model's."""
    if _is_tensor(node):
        return known[tuple(node["config"]["keras_history"])]
    if isinstance(node, dict):
        if "class_name" in node:
            return keras.saving.deserialize_keras_object(node)
        return {key: _filled_in(part, known) for key, part in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_filled_in(part, known) for part in node)
    return node


def _tensors(structure):
    flat = keras.tree.flatten(structure)
    return [x for x in flat if keras.utils.is_keras_tensor(x) or keras.ops.is_tensor(x)]


def _single(tensors):
    return tensors[0] if len(tensors) == 1 else tensors
