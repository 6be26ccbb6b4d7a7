"""The same model in another precision."""

import keras

from kerascnn._calls import follow
from kerascnn._errors import InputError, one_of
from kerascnn._kernels import compilation, compile_like, with_handle
from kerascnn._state import clone, finalize
from kerascnn.compute.batch_norm import fuse_batch_norm, is_fused
from kerascnn.layers import LearnedLossWeight
from kerascnn.schedules import Stretched

__all__ = ["PRECISIONS", "copied", "precision_of", "to_precision"]

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")  # the simplest first
_CHANGED = (*PRECISIONS, "bfloat16", "float16")  # others (float64, quantised) are left alone
_AFTER_HEAD = (
    keras.layers.Activation,
    keras.layers.Softmax,
    keras.layers.ReLU,
    LearnedLossWeight,  # passes predictions on as they are
)


def to_precision(model, precision):
    """A copy of a model that computes in another precision, with the same weights.

    Weights stay float32, so nothing is lost on the way there and back. In half precision these
    layers go on in float32, as in the networks of `kerascnn.models`: what comes before the first
    kernel (preprocessing: a half cannot tell all grey values from one another), the last layer and,
    where that is an activation or the weight of a loss, the one before it. Batch normalisation is
    float32 inside anyway.

    The copy is compiled like the model, with a new optimizer (its moments are zero, its steps begin
    at 0). For mixed_float16 it scales the loss: `keras.optimizers.LossScaleOptimizer`.

    Source: Micikevicius et al. 2018, arXiv:1710.03740, Sec. 3. Differs: in what precision products
    are added up is the device's choice.

    Args:
        model: functional or `Sequential` `keras.Model`; models in it may be nested.
        precision: "float32", "mixed_bfloat16" or "mixed_float16".

    Returns:
        A new `keras.Model`. `model` and its state stay as they are.

    Raises:
        InputError: the model is no graph of layers, or its compilation cannot be repeated.

    >>> import kerascnn as kc
    >>> half = to_precision(kc.models.LeNet5(), "mixed_bfloat16")
    >>> [layer.compute_dtype for layer in (half.get_layer("c1"), half.layers[-1])]
    ['bfloat16', 'float32']
    """
    return copied(model, precision)


def copied(model, precision, accumulation_steps=1, **settings):
    """A copy of `model` with its weights and random state, compiled like it but for `settings`.

    Args:
        model: functional or `Sequential` `keras.Model`.
        precision: one of PRECISIONS.
        accumulation_steps: int >= 1. Steps whose gradients make one update; a schedule counts
            updates then, as it did before.
        **settings: arguments of `compile` that differ.
    """
    one_of(precision, PRECISIONS, "precision")
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise InputError(
            "A functional or Sequential keras.Model with an Input is needed, whose layers can be "
            f"copied. Received: {type(model).__name__}."
        )
    kept = _kept_in_float32(model)

    def twin(layer):
        policy = "float32" if id(layer) in kept else precision
        config = _with_policy(layer.get_config(), policy)
        return with_handle(type(layer).from_config(config), layer)

    arguments = _arguments(model, precision, accumulation_steps)
    copy = clone(model, _inputs(model), twin, recursive=True)
    copy.name = model.name
    _give_state(model, copy)
    if is_fused(model):
        fuse_batch_norm(copy)
    if arguments:
        compile_like(copy, model, {**arguments, **settings})
    return copy


def precision_of(model):
    """Which of PRECISIONS the model has: that of any layer which computes in half precision.

    >>> precision_of(keras.Sequential([keras.layers.Dense(1)]))
    'float32'
    """
    found = {layer.compute_dtype for layer in _layers(model)}
    halves = [name for name in PRECISIONS[1:] if name.removeprefix("mixed_") in found]
    return halves[0] if halves else "float32"


def _kept_in_float32(model):
    """The ids of the layers that compute in float32 in half precision too."""
    kept, learnt, makers = set(), {}, {}

    def look(name, layer, args, kwargs):
        outputs = layer.compute_output_spec(*args, **kwargs)
        read = [x for x in keras.tree.flatten((args, kwargs)) if keras.utils.is_keras_tensor(x)]
        given = keras.tree.flatten(outputs)
        if _has_kernel(layer) or any(id(tensor) in learnt for tensor in read):
            learnt.update({id(tensor): tensor for tensor in given})
        else:
            kept.add(id(layer))
        makers.update({id(tensor): (layer, read, tensor) for tensor in given})
        return outputs

    ends = follow(model, model.inputs, look)
    while ends:
        layer, read, _ = makers.get(id(ends.pop()), (None, [], None))
        kept.add(id(layer))
        if isinstance(layer, _AFTER_HEAD):
            ends += read
    return kept


def _has_kernel(layer):
    return any("kernel" in weight.name for weight in getattr(layer, "weights", []))


def _with_policy(config, policy):
    """A layer's config, those of layers in it included, with another dtype policy."""
    if isinstance(config, dict):
        is_policy = config.get("class_name") == "DTypePolicy"
        if is_policy and config["config"]["name"] in _CHANGED:
            return policy
        return {key: _with_policy(value, policy) for key, value in config.items()}
    if isinstance(config, list):
        return [_with_policy(value, policy) for value in config]
    return config


def _inputs(model):
    """New inputs of the same names, which `clone_model` alone would not keep."""
    if isinstance(model, keras.Sequential):
        return None
    names = {id(x.output): x.name for x in model.layers if isinstance(x, keras.layers.InputLayer)}
    return keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=names.get(id(x))),
        model.input,
    )


def _give_state(model, copy):
    """Weights, states of random draws, and what is frozen."""
    for layer, twin in zip(_layers(model), _layers(copy)):
        if twin.trainable != layer.trainable:
            twin.trainable = layer.trainable
    for new, old in zip(copy.variables, model.variables):
        new.assign(keras.ops.copy(old))  # JAX gives the arrays of a model away when it trains
    finalize(copy)


def _layers(model):
    """The model and all layers in it, from the outside inwards."""
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _arguments(model, precision, accumulation_steps):
    """The arguments that compile a copy of `model` like it; none if it is not compiled."""
    arguments = compilation(model)
    if not arguments:
        return {}
    optimizer = _optimizer(model.optimizer, accumulation_steps)
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return arguments | {"optimizer": optimizer}


def _optimizer(optimizer, accumulation_steps):
    """A new one of the same settings, which makes an update of so many steps."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    config = optimizer.get_config()
    if accumulation_steps > 1:
        if "gradient_accumulation_steps" not in config or config.get("use_ema"):
            raise InputError(
                f"{type(optimizer).__name__} cannot add up gradients of several batches to the "
                "same update (it has none of Keras's gradient_accumulation_steps, or use_ema). "
                "Use a batch that fits the memory."
            )
        before = config["gradient_accumulation_steps"] or 1
        config["gradient_accumulation_steps"] = before * accumulation_steps
        rate = config["learning_rate"]
        if isinstance(rate, dict):  # Keras's own count is that of the steps
            schedule = Stretched(keras.optimizers.schedules.deserialize(rate), accumulation_steps)
            config["learning_rate"] = keras.optimizers.schedules.serialize(schedule)
    return type(optimizer).from_config(config)
