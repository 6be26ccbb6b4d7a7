"""What all builders share: the image input, the end of the network, variants and documentation."""

import functools
import inspect
import operator
import re

import keras

from kerascnn._errors import InputError, one_of
from kerascnn.weights import load

__all__ = ["documented", "finish", "image_input", "named_variant", "output_dtype"]

# What a file may hold besides the layers of a network without its top.
TOPS = ("f6", "fc6", "fc7", "output", "aux*")

COMMON_ARGUMENTS = """
Arguments in common with every builder, in the order of `keras.applications`:
    include_top: bool. Whether the network ends in its classifier, or in its last feature map.
    weights: None (random start), a name such as "imagenet" (`kerascnn.weights.names`; downloaded
        once), or the path of a `.weights.h5`, `.h5` or `.safetensors` file. What does not fit is an
        error that names the call of `kerascnn.weights.load` that mends it, where there is one.
    input_tensor: Keras tensor (N, H, W, C) or None. Continue from it: with
        `keras.layers.Rescaling(...)(keras.Input(...))` the preprocessing becomes part of the model.
    input_shape: (H, W, C) or None for the paper's. Any number of channels.
    pooling: None, "avg" or "max", used without the top only: (N, H, W, C) features as they are, or
        their global average or maximum, (N, C).
    classes: int >= 1 of Python or NumPy, used with the top only.
    classifier_activation: activation of the last layer; None returns its linear output (logits).
        Under mixed precision the last layer computes in float32.
    name: str. Name of the model.

Returns a plain functional `keras.Model`. Raises `kerascnn.InputError` for arguments that cannot be.
"""


def documented(builder):
    """Decorator: append the description of the common arguments to the docstring."""
    builder.__doc__ = f"{inspect.cleandoc(builder.__doc__ or '')}\n{COMMON_ARGUMENTS}"
    return builder


def named_variant(builder, variant_name, summary, **options):
    """A builder with some keyword-only options fixed, and a name, docstring and signature to match.

    Args:
        builder: a family's builder.
        variant_name: str, CamelCase. In lower case it is the default name of the model.
        summary: str. First line of the docstring. The rest is the family's, without its examples
            and the options that are fixed.
        **options: the options that are fixed.
    """
    name = variant_name.lower()

    @functools.wraps(builder)
    def variant(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        return builder(**{"name": name, **bound.arguments}, **options)

    parameters = inspect.signature(builder).parameters
    signature = inspect.Signature(
        p.replace(default=name) if p.name == "name" else p
        for p in parameters.values()
        if p.name not in options
    )
    variant.__name__ = variant.__qualname__ = variant_name
    variant.__signature__ = signature
    variant.__doc__ = f"{summary}\n{_family_doc(builder, options)}"
    return documented(variant)


def _family_doc(builder, fixed_options):
    """What a family's docstring says that is true of its variant too."""
    doc = builder.__doc__.removesuffix(COMMON_ARGUMENTS).partition(">>>")[0]
    doc = doc.partition("\n")[2]  # without the family's first line
    for option in fixed_options:
        doc = re.sub(rf"^    {option}: .*\n(?:        .*\n)*", "", doc, flags=re.MULTILINE)
    return doc.rstrip().removesuffix("Args:").rstrip()


def image_input(input_tensor, input_shape, *, default, minimum, fixed_size=False):
    """The checked image input of a network: a Keras tensor (N, H, W, C).

    Args:
        input_tensor, input_shape: as every builder has them.
        default: (H, W, C), the paper's.
        minimum: int. The smallest H and W that leave a feature map.
        fixed_size: bool. Whether H and W must be known (a dense layer follows).
    """
    if keras.config.image_data_format() != "channels_last":
        raise InputError(
            "kerascnn's networks read (N, H, W, C) images. "
            'Call keras.config.set_image_data_format("channels_last") first.'
        )
    if input_tensor is None:
        shape = default if input_shape is None else input_shape
        return keras.Input(_checked_shape(shape, minimum, fixed_size), name="image")
    if not keras.utils.is_keras_tensor(input_tensor):
        raise InputError(
            "`input_tensor` must be a Keras tensor, such as keras.Input((32, 32, 1)). "
            f"Received: {type(input_tensor).__name__}."
        )
    shape = _checked_shape(input_tensor.shape[1:], minimum, fixed_size)
    if input_shape is not None and tuple(input_shape) != shape:
        raise InputError(
            f"`input_shape` must be None or the shape of `input_tensor`, {shape}. "
            f"Received: input_shape={tuple(input_shape)}."
        )
    return input_tensor


def _checked_shape(shape, minimum, fixed_size):
    try:
        height, width, channels = (n if n is None else operator.index(n) for n in shape)
    except (TypeError, ValueError):
        height = width = channels = None
    sizes = [n for n in (height, width) if n is not None]
    if channels is None or channels < 1 or any(n < minimum for n in sizes):
        raise InputError(
            f"`input_shape` must be (H, W, C) with H and W at least {minimum} and C at least 1. "
            f"Received: {shape}. Pad or resize smaller images."
        )
    if fixed_size and len(sizes) < 2:
        raise InputError(
            "With its top this network needs a known H and W. "
            f"Received: {shape}. Pass include_top=False, or sizes."
        )
    return (height, width, channels)


def output_dtype():
    """The dtype policy of a last layer: float32 where the global policy computes in 16 bits."""
    policy = keras.config.dtype_policy()
    return "float32" if policy.compute_dtype in ("float16", "bfloat16") else policy


def finish(image, x, top, builder, include_top, weights, pooling, classes, name):
    """The model from `image` to the classifier or the features, with its weights loaded.

    Args:
        image: what `image_input` returned.
        x: Keras tensor (N, H, W, C), the last feature map.
        top: function of `x` and `classes` that returns the classifier's output.
        builder: str. Name of the builder in the manifest of weights.
        include_top, weights, pooling, classes, name: as every builder has them.
    """
    one_of(pooling, [None, "avg", "max"], "pooling")
    if isinstance(classes, bool) or not hasattr(classes, "__index__") or classes < 1:
        raise InputError(f"`classes` must be an int of at least 1. Received: classes={classes!r}.")
    if include_top:
        x = top(x, operator.index(classes))
    elif pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    elif pooling == "max":
        x = keras.layers.GlobalMaxPooling2D(name="max_pool")(x)
    inputs = keras.utils.get_source_inputs(image)
    model = keras.Model(inputs[0] if len(inputs) == 1 else inputs, x, name=name)
    load(model, weights, builder=builder, skip=() if include_top else TOPS)
    return model
