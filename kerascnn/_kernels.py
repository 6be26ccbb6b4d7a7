"""The kernels of a model: which weights they are, and a copy of the model with other options."""

import warnings
from fnmatch import fnmatchcase

import keras

from kerascnn._errors import InputError
from kerascnn._state import clone, set_weights

_KINDS = ("kernel", "depthwise", "pointwise", "recurrent")  # as Keras names a layer's options
_SHOWN = 12  # names that an error lists


def kernels(model):
    """{"layer/kernel": variable} of all kernels, those of nested models included, in their order.

    The names do not depend on the name of the model, nor on how many were built before it.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")])
    >>> list(kernels(model))
    ['last/kernel']
    """
    return {
        f"{path}/{_within(weight, layer)}": weight
        for path, layer in _layers(model)
        for weight in layer.weights
        if _is_kernel(weight)
    }


def _is_kernel(weight):
    return weight.name.endswith("kernel")


def _within(weight, layer):
    """The name of a weight below its layer: "kernel", or "query/kernel" in a composed layer."""
    return weight.path.rpartition(f"{layer.name}/")[2] or weight.name


def _layers(model, above=""):
    """(path, layer) of the layers with kernels, nested models opened."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer, f"{above}{layer.name}/")
        elif any(map(_is_kernel, layer.weights)):
            yield above + layer.name, layer


def chosen(choice, names):
    """{name: value} for a value for all names, or for {pattern: value} where the first one counts.

    >>> chosen({"conv*": 1, "*": 2}, ["conv1", "fc"])
    {'conv1': 1, 'fc': 2}

    Raises:
        InputError: a pattern fits no name.
    """
    choice = choice if isinstance(choice, dict) else {"*": choice}
    for pattern in choice:
        if not any(fnmatchcase(name, pattern) for name in names):
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise InputError(
                f"No layer with a kernel has a name like {pattern!r}. "
                f"There are: {', '.join(names[:_SHOWN]) or 'none'}{more}."
            )
    first = {name: [p for p in choice if fnmatchcase(name, p)][:1] for name in names}
    return {name: choice[patterns[0]] for name, patterns in first.items() if patterns}


def with_option(model, option, choice, fitted=lambda value, layer, kind: value):
    """A copy of `model`, weights included, whose kernels have another regulariser or constraint.

    Only a new layer takes such an option for certain: set on a layer that has its weights already
    it does nothing, and set on the weights it is forgotten by `save`.

    Args:
        model: functional or Sequential `keras.Model`.
        option: "regularizer" or "constraint".
        choice: an object of Keras, its name, None, or {pattern of layer names: one of these}.
        fitted: function (object, layer, kind of kernel) -> the object for this kernel.

    Raises:
        InputError: a pattern fits no layer, a layer has no such option, the model is no graph, or
            its compilation cannot be repeated.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise InputError(
            "A functional or Sequential keras.Model with an Input is needed, whose layers can be "
            f"copied. Received: {type(model).__name__}."
        )
    names = list(dict.fromkeys(layer.name for _, layer in _layers(model)))
    values = {name: _object(value, option) for name, value in chosen(choice, names).items()}

    def twin(layer):
        config = layer.get_config()
        if layer.name in values:
            _put(config, layer, option, values[layer.name], fitted)
        return with_handle(layer.__class__.from_config(config), layer)

    inputs = None if isinstance(model, keras.Sequential) else _inputs(model)
    arguments = compilation(model)
    copy = clone(model, inputs, twin, recursive=True)
    set_weights(copy, model.get_weights())
    if arguments:
        compile_like(copy, model, arguments)
    return copy


def with_handle(copy, original):
    """The copy of a layer or a loss; if it has a handle of a layer, with that of the original.

    So a loss with a learned weight finds its `LearnedLossWeight` in a copy of the model too.
    """
    if hasattr(getattr(original, "handle", None), "layer"):
        copy.handle = original.handle
    return copy


def compilation(model):
    """The arguments that compile a copy of `model` like it; none if it is not compiled.

    Raises:
        InputError: losses or metrics cannot be made anew.
    """
    if not model.compiled:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*includes a `lambda`")  # the error says what to do
            arguments = keras.saving.deserialize_keras_object(model.get_compile_config())
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The compilation of {model.name!r} cannot be repeated: register losses and metrics of "
            "your own with keras.saving.register_keras_serializable(). "
            f"({str(error).splitlines()[0]})"
        ) from error
    losses = (keras.tree.flatten(losses) for losses in (arguments.get("loss"), model.loss))
    for copy, loss in zip(*losses):
        while isinstance(loss, keras.losses.Loss):
            with_handle(copy, loss)
            copy, loss = (getattr(around, "loss", None) for around in (copy, loss))
    return arguments


def compile_like(copy, model, arguments):
    """Compiles a copy of `model` with `arguments`; the optimiser leaves the same weights out.

    Which ones weight decay leaves out (`exclude_from_weight_decay`), Keras neither saves nor tells.
    """
    copy.compile(**arguments)
    for old, new in zip(_parts(model.optimizer), _parts(copy.optimizer)):
        if old.weight_decay is not None:
            twins = zip(model.variables, copy.variables)
            left_out = [twin for v, twin in twins if not old._use_weight_decay(v)]
            new.exclude_from_weight_decay(left_out)
    copy.optimizer.build(copy.trainable_variables)


def _parts(optimizer):
    """The optimisers of which one is made: it, or those of parts of a model."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return getattr(optimizer, "optimizers", [optimizer])


def _inputs(model):
    """New inputs of the same names, which `clone_model` alone would not keep."""
    names = {id(x.output): x.name for x in model.layers if isinstance(x, keras.layers.InputLayer)}
    return keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=names[id(x)]), model.input
    )


def _object(value, option):
    try:
        return getattr(keras, f"{option}s").get(value)
    except ValueError:
        raise InputError(
            f"No {option} of Keras or registered with it. Received: {value!r}."
        ) from None


def _put(config, layer, option, value, fitted):
    """Write the option into a layer's config, or into that of the layer which it wraps."""
    inner = config["layer"]["config"] if isinstance(layer, keras.layers.Wrapper) else config
    kinds = [kind for kind in _KINDS if f"{kind}_{option}" in inner]
    if not kinds and value is not None:
        raise InputError(
            f"Layer {layer.name!r} ({type(layer).__name__}) has a kernel but takes no "
            f"kernel_{option}. Leave it out: {{{layer.name!r}: None, '*': ...}}."
        )
    for kind in kinds:
        own = None if value is None else fitted(value, getattr(layer, "layer", layer), kind)
        inner[f"{kind}_{option}"] = keras.saving.serialize_keras_object(own)
