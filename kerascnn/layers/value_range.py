"""Are images of the scale that a model is made for?"""

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn.layers._fitted import Fitted, warn_of_other_range

__all__ = ["check_value_range"]


def check_value_range(model, images):
    """Give a `UserWarning` if the images are of another scale than those a model is made for.

    Images of 0-1 in a model made for 0-255, or the reverse, give no error, only poor predictions.
    The scale is known from the beginning of the model, up to the first layer that learns. A layer
    that was fitted (`MeanImage`, `MinMaxScaling`, `Whitening`) keeps the range of its training
    images. Stock layers (`Rescaling`, `Normalization`) and operations (`preprocess_input`) that
    scale the input, as in several of `keras.applications`, are made for values that they take to
    about -1 to 1, or 0 to 1; this is measured on constant images, so other layers may stand
    between.

    `fit`, `evaluate` and `predict` give no warning: they are compiled, and nothing compiled can
    warn on every backend, in XLA and in exported models. Call this before, with a batch. It does
    not see scales that differ by less than ten times and by no negative values (0-1 where -1 to 1
    is expected), the order of the channels, or any scale where the model does not scale its input.

    Args:
        model: functional or sequential `keras.Model` with one input, of images.
        images: array (N, H, W, C), one batch as `fit` or `predict` gets it.

    Returns:
        (low, high), around which values the model is made for, or None if nothing tells: the
        range that was fitted, what becomes -1 to 1, or one deviation around a mean.

    Raises:
        InputError: the model has not one input of images.

    >>> model = keras.Sequential([
    ...     keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 127.5, -1), keras.layers.Flatten(),
    ...     keras.layers.Dense(2)])
    >>> photos = np.random.default_rng(0).integers(256, size=(4, 8, 8, 3))
    >>> check_value_range(model, photos)
    (0.0, 255.0)
    """
    images = np.asarray(images)
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or images.ndim != 4:
        raise InputError(
            "The range is checked of one batch of images (N, H, W, C) for a built model with one "
            f"such input. Received: images of shape {images.shape}, {len(inputs)} inputs "
            f"{[tuple(x.shape) for x in inputs]}."
        )
    shape = [fixed or size for fixed, size in zip(inputs[0].shape[1:], images.shape[1:])]
    expected = _expected(model, shape)
    if expected is not None:
        warn_of_other_range(expected, images, f"{model.name!r} is made for values around")
    return expected


def _expected(model, shape):
    try:
        arriving, layer = _arriving(model, np.stack([np.full(shape, v, "float32") for v in (0, 1)]))
    except (ValueError, AttributeError, TypeError):  # a graph that is no chain at its beginning
        return None
    channels = arriving.shape[-1] if arriving.ndim == 4 else 1
    # The middle: borders may be padded.
    offset, at_one = np.median(arriving.reshape(2, -1, channels), axis=1)
    scale = at_one - offset
    if isinstance(layer, Fitted):
        low, high = layer.value_range
    elif (offset == 0).all():
        low, high = 0.0, 1.0
    else:  # a mean that is only subtracted is in the middle of the values
        high = np.where(scale == 1, abs(offset), 1.0)
        low = -high
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [(low - offset) / scale, (high - offset) / scale]
    scaled = isinstance(layer, Fitted) or (scale != 1).any() or (offset != 0).any()
    if not scaled or not np.isfinite(ends).all():
        return None
    return round(float(np.min(ends)), 3), round(float(np.max(ends)), 3)


def _arriving(model, images):
    """(what arrives of images at the first layer that learns or was fitted, that layer or None)."""
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs)
    x = images
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if _has_weights(operation):
            nested = isinstance(operation, keras.Model)
            return _arriving(operation, x) if nested else (x, operation)
        if isinstance(operation, keras.Model):
            x = operation(x, training=False)  # layers of augmentation draw, if not told otherwise
        else:
            x = keras.Model(model.inputs[0], operation.output)(images, training=False)
        x = keras.ops.convert_to_numpy(x)
    return x, None


def _has_weights(operation):
    if isinstance(operation, keras.layers.Normalization):
        return False
    return bool(getattr(operation, "weights", ()))
