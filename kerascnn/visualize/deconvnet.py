"""What a unit saw in a photo: its activation sent back to the pixels."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError
from kerascnn.visualize._inside import (
    BATCH,
    forward,
    gradient_of,
    in_batches,
    infer,
    linear,
    opened,
    position,
)
from kerascnn.visualize._paths import between, inputs, sources_of

__all__ = ["deconvnet"]

_RELU = ("relu", "relu6")  # activations, and in capitals layers and operations
# Whose gradient is the transposed filter, the switch or the copy of Zeiler and Fergus.
_LINEAR = (
    "Activation",
    "Add",
    "Average",
    "AveragePooling2D",
    "BatchNormalization",
    "CenterCrop",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "DropPath",
    "Dropout",
    "Flatten",
    "FractalJoin",
    "GaussianDropout",
    "GaussianNoise",
    "GetItem",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Identity",
    "InputLayer",
    "LocalResponseNormalization",
    "MaxPooling2D",
    "MeanImage",
    "MinMaxScaling",
    "Normalization",
    "PartiallyConnectedConv2D",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "SpatialDropout2D",
    "StochasticDepthAdd",
    "TrainableSubsampling",
    "UpSampling2D",
    "Whitening",
    "ZeroPadding2D",
)
_LINEAR_BY_A_NUMBER = ("Divide", "Multiply", "Subtract", "TrueDivide")


def deconvnet(model, images, layer, channel=None):
    """What in each photo made a feature map respond most, as a picture of the photo's size.

    The strongest place of the map starts with 1, all others with 0. On the way back maximum pooling
    puts a value where the maximum was (its switch), a ReLU keeps what is positive, and a
    convolution uses its own filters, transposed. Joins give each branch its part (Concatenate) or
    all of it (Add). Batch normalisation multiplies by its scale: transposed, like the filters, not
    inverted. Response normalisation divides by the same numbers as on the way there. Without a ReLU
    all this is the gradient of the unit by the pixels.

    Source: Zeiler and Fergus 2014, arXiv:1311.2901, Sec. 2.1. Differs: the unit starts with 1
    instead of its activation, which scales the picture; average pooling and normalisations, which
    their network has not or of which they say nothing, are as above.

    Args:
        model, images: as for `grad_cam`; the model may give anything.
        layer: str. Name of a layer, or "backbone/conv" of one in a nested model. A softmax at the
            end of the model is left out.
        channel: int, which of its feature maps or units, or None: in each photo the strongest.

    Returns:
        float32 array (N, H, W, C). Positive is what brighter pixels would strengthen; to show it,
        `np.clip(0.5 + 0.5 * picture / np.percentile(abs(picture), 99), 0, 1)`. All 0 where the map
        is 0 everywhere.

    Raises:
        InputError: there is no such layer or channel, or the unit is behind a layer that has no way
            back, such as one with tanh.

    >>> pool = keras.layers.MaxPooling2D(2, name="pool")
    >>> model = keras.Sequential([keras.Input((4, 4, 1)), pool])
    >>> image = np.arange(16).reshape(1, 4, 4, 1)
    >>> print(deconvnet(model, image, "pool")[0, ..., 0])
    [[0. 0. 0. 0.]
     [0. 0. 0. 0.]
     [0. 0. 0. 0.]
     [0. 0. 0. 1.]]
    """
    found, last = opened(model, images)
    number = position(found, layer)
    channels = found[number].outputs[0].shape[-1]
    if channel is not None and not 0 <= channel < channels:
        raise InputError(f"`channel` must be 0 to {channels - 1}. Received: channel={channel}.")
    for i in between(sources_of(found), inputs(found), {number}):
        _check(found[i].layer, found[i], is_end=i == number == last)

    def measure(tensors):
        scores = last if number == last else None
        _, (maps,) = forward(model, tensors[0], [number], scores=scores, run=_run)
        places = ops.reshape(ops.cast(maps, "float32"), (maps.shape[0], -1, channels))
        units = places if channel is None else places[..., channel : channel + 1]
        units = ops.reshape(units, (maps.shape[0], -1))
        strongest = ops.argmax(units, axis=1)[:, None]  # one place, where several are equal
        value = ops.take_along_axis(units, strongest, axis=1)
        return ops.sum(ops.where(value == 0, 0.0, value)), ()

    step = gradient_of(model, measure, once=len(images) <= BATCH)
    images = np.asarray(images, "float32")
    return in_batches(lambda x: step([ops.convert_to_tensor(x)])[1][0], images)


def _check(layer, call, is_end):
    if isinstance(layer, keras.layers.Pipeline):
        for part in layer.layers:
            _check(part, call, is_end)
        return
    kind, activation = type(layer).__name__, _activation(layer)
    is_known = kind in _LINEAR or (kind in _LINEAR_BY_A_NUMBER and len(call.inputs) == 1)
    is_known |= kind.startswith("Random") and kind != "RandomizedReLU"  # rests at inference
    is_known |= is_end and kind == "Softmax"  # which is left out
    if not (is_known and (activation in ("linear", *_RELU) or is_end)) and not _is_relu(layer):
        raise InputError(
            f"deconvnet knows no way back through {call.name!r} ({kind}"
            f"{'' if activation == 'linear' else f', {activation}'}). Take an earlier layer, or "
            "`saliency`, which goes through every network."
        )


def _activation(layer):
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _is_relu(layer):
    return type(layer).__name__.lower() in _RELU and not getattr(layer, "negative_slope", 0)


def _run(layer, args, kwargs):
    """What the layer gives, with the way back of a deconvnet in place of its gradient."""
    if isinstance(layer, keras.layers.Pipeline):
        for part in layer.layers:
            args = (_run(part, args, {}),)
        return args[0]
    if _is_relu(layer):
        return _rectified(layer)(args[0])
    if type(layer).__name__ == "LocalResponseNormalization":
        not_zero = ops.where(args[0] == 0, 1e-4, args[0])  # small to its neighbours
        return args[0] * ops.stop_gradient(infer(layer, (not_zero,), kwargs) / not_zero)
    if _activation(layer) not in _RELU:
        return infer(layer, args, kwargs)
    activation = layer.activation
    with linear(layer):
        return _rectified(activation)(infer(layer, args, kwargs))


def _rectified(activation):
    """The activation; on the way back what is positive passes, whatever there was on the way in."""

    @ops.custom_gradient
    def rectified(x):
        def back(*args, upstream=None):
            return ops.relu(args[0] if upstream is None else upstream)

        return activation(x), back

    return rectified
