"""Checks of what goes into a network: finite, different, of the scale and channels it expects."""

import warnings

import keras
import numpy as np

from kerascnn import _graph
from kerascnn._errors import InputError
from kerascnn.doctor._finding import Finding
from kerascnn.layers import check_value_range

__all__ = ["channel_order", "input_fit", "input_range", "input_scale", "input_values"]

_LECUN = 'LeCun et al. 1998, "Efficient BackProp", Sec. 4.3'
_IMAGES = 64


def input_values(x):
    """Whether inputs are finite and tell the samples apart.

    A problem where a value is NaN or infinite, or all samples are equal; a warning where a channel
    of images has the same value everywhere, or over 5 % of the images are of one value each. The
    limit is ours.

    Args:
        x: array (N, ...), one row a sample.

    Returns:
        `Finding`.

    >>> input_values(np.ones((8, 4))).message
    'All 8 inputs are equal.'
    """
    x, check = np.asarray(x), "input values"
    x = x.astype("uint8") if x.dtype == bool else x
    bad = x.size - np.isfinite(x).sum()
    if bad:
        message = f"{bad:,} of {x.size:,} values are NaN or infinite."
        advice = "Find the samples with np.isfinite(x), and mend or leave them out."
        return Finding(check, "problem", message, advice)
    if len(x) > 1 and (x == x[:1]).all():
        advice = "Look at how they are read: does each get its own file, and is a scale integer?"
        return Finding(check, "problem", f"All {len(x)} inputs are equal.", advice)
    flat = x.reshape(len(x), -1)
    blank = float((flat == flat[:, :1]).all(axis=1).mean()) if flat.shape[1] > 1 else 0.0
    still = np.flatnonzero(np.ptp(x, axis=tuple(range(x.ndim - 1))) == 0) if x.ndim == 4 else []
    if blank > 0.05 or len(still):
        message = f"{100 * blank:.0f} % of the images are of one value each"
        if len(still):
            message = f"Channel {still[0]} has the value {x[..., still[0]].flat[0]:g} everywhere"
        return Finding(check, "warning", f"{message}.", "Look at the images as they are read.")
    return Finding(check, "fine", f"Values from {x.min():.3g} to {x.max():.3g}, all finite.")


def input_range(model, images):
    """Whether images are of the scale that the beginning of the model is made for.

    What `kerascnn.layers.check_value_range` tells, as a finding: a problem where it warns.

    Args:
        model: functional or Sequential `keras.Model` with one input, of images.
        images: array (N, H, W, C), as `fit` gets it.

    Returns:
        `Finding`.

    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(1 / 255),
    ...     keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> input_range(model, np.random.default_rng(0).random((4, 2, 2, 1))).severity
    'problem'
    """
    check = "input range"
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        made_for = check_value_range(model, images)
    if made_for is None:
        return Finding(check, "skipped", "The model does not scale its inputs.")
    for warning in given:
        message, _, advice = str(warning.message).partition(". ")
        advice = advice or "Give it images as it is made for."
        return Finding(check, "problem", f"{message}.", advice)
    low, high = made_for
    message = f"The model is made for values around {low:g} to {high:g}, as the images have."
    return Finding(check, "fine", message)


def input_scale(values, is_normalised=False):
    """Whether what arrives at the first layer that learns is of the size that it is made for.

    Weights start so that inputs of about 1 stay about 1. A problem where their root mean square is
    over 10 or under 0.01; a warning where the mean is over 10 times the standard deviation. The
    limits are ours. Source: LeCun et al. 1998, "Efficient BackProp", Sec. 4.3.

    Args:
        values: array, of any shape, what arrives there.
        is_normalised: bool. The layer is a normalisation, or one follows at once: then the scale
            does not matter.

    Returns:
        `Finding`.

    >>> input_scale(np.arange(256.0)).message
    'The first layer gets values of 147 (root mean square), about 1 is good.'
    """
    values, check = np.asarray(values, "float64"), "input scale"
    size, mean, std = np.sqrt(np.mean(values**2)), values.mean(), values.std()
    if not np.isfinite(size):
        return Finding(check, "skipped", "The first layer gets values that are NaN or infinite.")
    if is_normalised:
        message = f"The first layer gets values of {size:.3g}, a normalisation follows."
        return Finding(check, "fine", message, source=_LECUN)
    message = f"The first layer gets values of {size:.3g} (root mean square), about 1 is good."
    if not 0.01 <= size <= 10:
        advice = "Scale them: keras.layers.Rescaling or kerascnn.data.normalization before it."
        if size < 1:
            advice = f"Are they scaled twice? {advice}"
        return Finding(check, "problem", message, advice, _LECUN)
    if abs(mean) > 10 * std:
        message = f"The first layer gets values of {mean:.3g} +- {std:.2g}, far from 0 in the mean."
        return Finding(check, "warning", message, "Subtract the mean.", _LECUN)
    return Finding(check, "fine", message, source=_LECUN)


def input_fit(model, images):
    """Whether images look to a trained network as those that it was trained on.

    The moving statistics of its first batch normalisation say how what arrives there was
    distributed in training. Compared are the mean and variance of each channel for these images:
    the mean over channels of the Kullback-Leibler divergence of the two normal distributions.

    With MobileNet and MobileNetV2 of ImageNet it was 0.01-0.19 for photos of ImageNet and clothing
    and CIFAR-10, 0.7-1.3 for digits; 0.5-0.9 for photos of 0-1 where -1 to 1 belongs, over 2 for
    photos divided twice, over 4000 for 0-255. A problem over 1.5; a warning over 0.4 if images are
    not grey: another scale, or quite another kind of pictures.

    Args:
        model: `keras.Model`, perhaps trained.
        images: array (N, H, W, C), of which the first 64 are used.

    Returns:
        `Finding`; skipped if no batch normalisation has seen anything yet.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization()])
    >>> input_fit(model, np.ones((4, 8, 8, 3))).severity
    'skipped'
    """
    check = "input statistics"
    images = np.asarray(images)[:_IMAGES]
    distance = _distance_from_training(model, images)
    if distance is None:
        return Finding(check, "skipped", "No batch normalisation has statistics of images yet.")
    message = (
        f"At the first batch normalisation the images are {distance:.2g} (divergence) from those "
        "the network was trained on; photos have up to 0.2."
    )
    advice = (
        "Scale them as the network expects: its preprocess_input, or kerascnn.transfer.backbone."
    )
    if distance > 1.5:
        return Finding(check, "problem", message, advice)
    if distance > 0.4 and not _are_grey(images):
        return Finding(check, "warning", message, advice)
    return Finding(check, "fine", message)


def channel_order(model, images):
    """Whether the colours of photos are in the order (RGB, BGR) that a trained network expects.

    The divergence of `input_fit` is compared with that of the images in reversed order: a problem
    where it is over 1.3 times as large, fine where it is under 1 / 1.3, skipped in between.

    Measured with MobileNet 0.25 and MobileNetV2 of ImageNet, 32-64 photos: the right order fitted
    better in all of 26 sets, by 3.6 to 8 times for ImageNet, 1.6 to 3.4 for clothing of ten kinds,
    1.2 to 3.4 for one kind alone, 1.1 for CIFAR-10 enlarged.

    It cannot tell for grey images, few or small ones, where one colour rules them all for a reason
    of their own, nor for networks without a trained batch normalisation (VGG, SqueezeNet): a new
    network learns from either order.

    Args:
        model: `keras.Model` with a trained batch normalisation, e.g. in its backbone.
        images: array (N, H, W, 3), of which the first 64 are used; 32 or more are good.

    Returns:
        `Finding`.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization()])
    >>> channel_order(model, np.ones((4, 8, 8, 3))).message
    'Grey images have no order of colours.'
    """
    check = "channel order"
    images = np.asarray(images)[:_IMAGES]
    if images.ndim != 4 or images.shape[-1] != 3 or _are_grey(images):
        return Finding(check, "skipped", "Grey images have no order of colours.")
    as_given = _distance_from_training(model, images)
    if as_given is None:
        return Finding(check, "skipped", "No batch normalisation has statistics of images yet.")
    reversed_ = _distance_from_training(model, images[..., ::-1])
    message = (
        f"The colours fit what the network was trained on by {as_given:.2g} (divergence), in "
        f"reversed order by {reversed_:.2g}"
    )
    if as_given > 1.3 * reversed_:
        advice = "RGB and BGR are mixed up (OpenCV reads BGR): pass images[..., ::-1]."
        return Finding(check, "problem", f"{message}: it fits better.", advice)
    if reversed_ > 1.3 * as_given:
        return Finding(check, "fine", f"{message}.")
    return Finding(check, "skipped", f"{message}: too near to tell.")


def _distance_from_training(model, images):
    """Mean divergence of what arrives at the first batch normalisation with statistics, or None."""
    flat = _graph.flatten(model)
    seen = (x for x in flat.layers if isinstance(x, keras.layers.BatchNormalization))
    layer = next((x for x in seen if np.any(keras.ops.convert_to_numpy(x.moving_mean))), None)
    if layer is None or len(flat.inputs) != 1:
        return None
    y = keras.Model(flat.inputs[0], layer.input)(images.astype("float32"), training=False)
    axes = tuple(range(y.ndim - 1)) if layer.axis in (-1, y.ndim - 1) else (0, 2, 3)
    y = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
    mean, variance = y.mean(axis=axes), y.var(axis=axes) + layer.epsilon
    moving = keras.ops.convert_to_numpy(layer.moving_variance) + layer.epsilon
    shift = mean - keras.ops.convert_to_numpy(layer.moving_mean)
    divergences = np.log(moving / variance) + (variance + shift**2) / moving - 1
    return float(divergences.mean() / 2)


def _are_grey(images):
    return images.shape[-1] != 3 or bool((images == images[..., :1]).all())


def arriving(model, images):
    """(what arrives at the first layer with weights, whether it is or meets a normalisation).

    Raises:
        InputError: the graph is no chain up to there.
    """
    flat = _graph.flatten(model)
    layer = next((x for x in flat.layers if x.weights and not _only_scales(x)), None)
    try:
        x = keras.Model(flat.inputs[0], layer.input)(images, training=False)
    except (AttributeError, ValueError) as error:
        raise InputError("What the first layer gets cannot be read from this model.") from error
    norms = (
        keras.layers.BatchNormalization,
        keras.layers.GroupNormalization,
        keras.layers.LayerNormalization,
    )
    followers = {id(norm.input) for norm in flat.layers if isinstance(norm, norms)}
    return keras.ops.convert_to_numpy(x), isinstance(layer, norms) or id(layer.output) in followers


def _only_scales(layer):
    return isinstance(layer, keras.layers.Normalization)
