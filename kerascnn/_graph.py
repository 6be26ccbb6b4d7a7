"""The graph of a functional model: where it can be cut, what stays frozen, what its weights are."""

import hashlib
from dataclasses import dataclass

import keras
import numpy as np

from kerascnn._calls import follow
from kerascnn._errors import InputError, one_of
from kerascnn._state import set_weights


def flatten(model):
    """The same network without nested models: the layers and weights stay, in new objects.

    A backbone inside a classifier, or the `Sequential` models of ConvNeXt: what looks for a layer
    by its name or cuts the graph wants to see the layers themselves.

    Args:
        model: functional or `Sequential` `keras.Model`, possibly with such models in it.

    Returns:
        `model` itself if nothing is nested in it, else a new flat `keras.Model`. Its layers have
        their names, but where two are alike, the inner is named after its model: "backbone_conv".
    """
    if not any(isinstance(layer, keras.Model) for layer in model.layers):
        return model
    copies, names = {}, {layer.name for layer in model.layers}

    def apply(path, layer, args, kwargs):
        if id(layer) not in copies:
            is_taken = "/" in path and layer.name in names
            name = path.replace("/", "_") if is_taken else layer.name
            names.add(name)
            copy = type(layer).from_config(layer.get_config() | {"name": name})
            copies[id(layer)] = layer, copy
        return copies[id(layer)][1](*args, **kwargs)

    inputs = [
        keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    ]
    outputs = follow(model, inputs, apply)
    if isinstance(model, keras.Sequential):
        (inputs,), (outputs,) = inputs, outputs
    else:  # lists and dicts stay what they are
        inputs = keras.tree.pack_sequence_as(model.input, inputs)
        outputs = keras.tree.pack_sequence_as(model.output, outputs)
    flat = keras.Model(inputs, outputs, name=model.name)
    for layer, copy in copies.values():
        if getattr(layer, "weights", None):
            set_weights(copy, layer.get_weights())
    return flat


def output_of(model, layer_name):
    """The output tensor of a named layer: what `keras.Model(_input_of(model), tensor)` needs.

    Args:
        model: functional `keras.Model`.
        layer_name: str. The name of a layer at the top level of the graph.

    Returns:
        A `KerasTensor`.

    Raises:
        InputError: no layer has this name, it is inside a nested model, or `model` is itself a
            part that was cut from another model.

    >>> import keras
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    >>> model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    >>> output_of(model, "conv").shape
    (None, 6, 6, 4)
    """
    names = [layer.name for layer in model.layers]
    if layer_name not in names:
        for holder in model.layers:
            if any(layer.name == layer_name for layer in getattr(holder, "layers", [])):
                raise InputError(
                    f"Layer {layer_name!r} is inside the nested model {holder.name!r}, whose graph "
                    f"is its own. Build one flat model: backbone(...) or input_tensor=... does."
                )
        one_of(layer_name, names, f"layer of model {model.name!r}:")
    tensor = model.get_layer(layer_name).output
    try:
        keras.Model(_input_of(model), tensor)
    except ValueError:
        raise InputError(
            f"{model.name!r} was cut from another model, so its layer {layer_name!r} has no output "
            "of its own here. Take the layer's output from the whole model."
        ) from None
    return tensor


def cut_points(model):
    """Layers after which the network can be cut in two, first to last.

    The output of such a layer is an articulation of the graph: everything after it depends on the
    input only through this one tensor. A layer inside a block with a shortcut around it is none.
    The input layers and the layer of the model's output are left out: nothing is before or after.

    Args:
        model: functional `keras.Model` with one output.

    Returns:
        List of str, names of layers in the order of computation.

    >>> import keras
    >>> inputs = keras.Input((8, 8, 3))
    >>> x = keras.layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    >>> y = keras.layers.Conv2D(4, 3, padding="same", name="branch")(x)
    >>> x = keras.layers.Add(name="join")([x, y])
    >>> cut_points(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x)))
    ['stem', 'join']
    """
    return [cut.name for cut in _cuts(model) if not cut.is_output]


def freeze_boundary(model, num_stages=1):
    """The cut for partial fine-tuning: what is before the last stage or stages is frozen.

    The last stage begins with the first layer with weights that works at the network's smallest
    resolution. Of the cut points before it, those with at most one convolution in between stand at
    the same place; the one with the fewest values is chosen, of equals the last. So the boundary of
    MobileNetV2 is `block_12_add` (14, 14, 96), not the six times wider tensor one layer on; that of
    VGG16 is `block4_pool`.

    A network whose stages are joined by more than one tensor (NASNet) has no cut between them; its
    boundary is in the stem, and nearly all of it trains. The preprocessing alone is no boundary.

    Args:
        model: functional `keras.Model` over images, with or without pooling and top.
        num_stages: int >= 1. How many of the last stages train; a stage is what works at one size.

    Returns:
        str, the name of a layer for `split`.

    Raises:
        InputError: the model has no stage before these.
    """
    boundaries = stage_boundaries(model)
    if len(boundaries) < num_stages:
        stages = "its last one" if num_stages == 1 else f"its last {num_stages}"
        raise InputError(f"{model.name!r} has no stage to freeze before {stages}.")
    return boundaries[num_stages - 1]


def stage_boundaries(model):
    """The cuts before the last stage, the last two stages, ...: names of layers, maybe none.

    Raises:
        InputError: the size of the images is not fixed.
    """
    cuts = _cuts(model)
    worked = [i for i, cut in enumerate(cuts) if cut.resolution and cut.kernels + cut.norms]
    if any(None in cuts[i].resolution for i in worked):
        raise InputError(f"{model.name!r} needs a fixed image size, for its stages to be known.")
    start = next((i for i in worked if cuts[i].kernels), len(cuts))  # before it is preprocessing
    firsts = {cuts[i].area: i for i in reversed(worked)}  # where each size is worked at first
    stages = [firsts[area] for area in sorted(firsts) if firsts[area] > start]
    return list(dict.fromkeys(_before(cuts, start, stage) for stage in stages))


def _before(cuts, first, stage):
    """The smallest cut at the place before a stage: with at most one convolution in between."""
    candidates, crossed = [], 0
    for cut in reversed(cuts[first:stage]):
        candidates.append(cut)
        crossed += cut.kernels
        if crossed > 1:
            break
    return min(candidates, key=lambda cut: cut.num_values).name


def stage_ends(model):
    """The last cut point at each spatial resolution, first to last.

    For linear classifiers on several stages of one network. What comes before the first weights
    (preprocessing) and what only pads is no stage.

    Args:
        model: functional `keras.Model` over images.

    Returns:
        List of str, names of layers.
    """
    cuts = _cuts(model)
    first = next((i for i, cut in enumerate(cuts) if cut.kernels), len(cuts))
    last_at = {}
    for cut in cuts[first:]:
        if (
            cut.resolution
            and not cut.is_output
            and not isinstance(cut.layer, keras.layers.ZeroPadding2D)
        ):
            last_at.pop(cut.resolution, None)
            last_at[cut.resolution] = cut.name
    return list(last_at.values())


def split(model, layer_name):
    """Cut `model` after a layer into two models that share its layers and weights.

    `tail(trunk(x))` equals `model(x)`; training the tail trains those layers of `model`.

    Args:
        model: functional `keras.Model` with one output.
        layer_name: str, one of `cut_points(model)`.

    Returns:
        `(trunk, tail)`, two flat `keras.Model`s.

    Raises:
        InputError: there is no such layer, or something goes around it.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="features"),
    ...                           keras.layers.Dense(2)])
    >>> trunk, tail = split(model, "features")
    >>> trunk.output_shape, tail.input_shape, tail.output_shape
    ((None, 3), (None, 3), (None, 2))
    """
    tensor = output_of(model, layer_name)
    if layer_name not in cut_points(model):
        raise InputError(
            f"{model.name!r} cannot be cut after {layer_name!r}: it is the last layer, or another "
            f"path goes around it. Choose one of: {', '.join(cut_points(model))}."
        )
    trunk = keras.Model(_input_of(model), tensor, name=f"{model.name}_trunk")
    tail = keras.Model(tensor, result_of(model), name=f"{model.name}_tail")
    return trunk, tail


def freeze_batch_norm(model):
    """Freeze every `BatchNormalization` of `model`, also in nested models: in place.

    Only `trainable=False` keeps the moving statistics still under `fit`: in Keras 3.15 the
    `training=True` of `fit` overrides a `training=False` of the call. Compile after it.

    Args:
        model: `keras.Model`.

    Returns:
        int, how many there are.
    """
    frozen = [x for x in leaves(model) if isinstance(x, keras.layers.BatchNormalization)]
    for layer in frozen:
        layer.trainable = False
    return len(frozen)


def weights_digest(model):
    """SHA-256 of all weights of `model` (moving statistics included, optimizer not).

    It covers their order, shapes, dtypes and bytes, and not their names: a model that is built
    twice and given the same weights has the same digest.

    Args:
        model: `keras.Model` or `keras.Layer`.

    Returns:
        str, 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        digest.update(f"{value.dtype} {value.shape};".encode())
        digest.update(value.reshape(-1).view(np.uint8))
    return digest.hexdigest()


@dataclass
class _Cut:
    """A cut point, and the layers with weights between the one before it and it."""

    layer: keras.Layer
    shape: tuple
    resolution: tuple | None  # (H, W), None after the image is pooled away
    kernels: int  # layers with a matrix or convolution kernel
    norms: int  # the other layers with weights
    is_output: bool

    @property
    def name(self):
        return self.layer.name

    @property
    def num_values(self):
        return int(np.prod([size or 1 for size in self.shape[1:]]))

    @property
    def area(self):
        return self.resolution[0] * self.resolution[1]


_GLOBAL_POOLING = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)


def _cuts(model):
    """One pass over the graph in topological order.

    A tensor is a cut when no edge leads from before its operation to after it. This is exact:
    every operation of a functional model lies between its inputs and its outputs, so a path
    around an articulation would have to be such an edge.
    """
    if isinstance(model, keras.Sequential):
        model = keras.Model(_input_of(model), result_of(model))
    last_use, calls = _uses(model)
    cuts, reach, pooled, kernels, norms = [], -1, False, 0, 0
    for i, operation in enumerate(model.operations):
        name, kind = operation.name, _kind(operation)
        kernels, norms = kernels + (kind == "kernel"), norms + (kind == "norm")
        if reach <= i and len(calls[name]) == 1 and _is_inner_layer(operation):
            pooled = pooled or isinstance(operation, _GLOBAL_POOLING)
            (shape,) = calls[name].values()
            resolution = None if pooled or len(shape) != 4 else _height_and_width(shape)
            is_output = last_use[name] == len(last_use)
            cuts.append(_Cut(operation, shape, resolution, kernels, norms, is_output))
            kernels = norms = 0
        reach = max(reach, last_use[name])
    return cuts


def _input_of(model):
    # A Sequential has no `input` before it is called; a list of one would ask for a list later.
    return model.inputs[0] if len(model.inputs) == 1 else model.input


def result_of(model):
    return model.outputs[0] if len(model.outputs) == 1 else model.output


def _uses(model):
    """Per operation, the index of its last consumer, and the shape of each tensor it gives.

    Read from the public `get_config`, which names every edge. The model's output is consumed
    after the last operation.
    """
    config = model.get_config()
    index = {operation.name: i for i, operation in enumerate(model.operations)}
    last_use, calls = dict.fromkeys(index, -1), {name: {} for name in index}
    for layer in config["layers"]:
        for (name, *which), shape in _tensors(layer["inbound_nodes"]):
            last_use[name] = max(last_use[name], index[layer["name"]])
            calls[name][tuple(which)] = tuple(shape)
    for (name, *which), output in zip(_histories(config["output_layers"]), model.outputs):
        last_use[name] = len(index)
        calls[name][tuple(which)] = tuple(output.shape)
    return last_use, calls


def _tensors(node):
    """([layer name, call, tensor], shape) of every tensor in the serialised arguments of a call."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield node["config"]["keras_history"], node["config"]["shape"]
    elif isinstance(node, dict | list | tuple):
        for part in node.values() if isinstance(node, dict) else node:
            yield from _tensors(part)


def _histories(outputs):
    """The [layer name, call, tensor] of each output, however they are nested."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs[0], str):
        return [outputs]
    return [history for output in outputs for history in _histories(output)]


def _is_inner_layer(operation):
    is_input = isinstance(operation, keras.layers.InputLayer)
    return isinstance(operation, keras.Layer) and not is_input


def _height_and_width(shape):
    return shape[1:3] if keras.config.image_data_format() == "channels_last" else shape[2:4]


def _kind(operation):
    """ "kernel", "norm" (a layer with vectors only) or None (no weights)."""
    weights = getattr(operation, "weights", [])
    if any(len(weight.shape) > 1 for weight in weights):
        return "kernel"
    return "norm" if weights else None


def leaves(model):
    """All layers, those of nested models and wrappers included, models excluded."""
    for layer in model.layers:
        while isinstance(layer, keras.layers.Wrapper):
            layer = layer.layer
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer
