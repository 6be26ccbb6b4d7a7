"""The kernels of the first convolution as pictures, and whether they are noise."""

import keras
import numpy as np
from keras import ops

from kerascnn import _graph
from kerascnn._errors import InputError

__all__ = ["first_layer_filters", "first_layer_noise", "first_layer_smoothness"]


def first_layer_filters(model):
    """Pictures of the first convolution's kernels: what each filter wants to see in a photo.

    Grey stands for a weight of 0, and each filter is scaled so that its largest weight, whatever
    its sign, is black, white or a full colour. Preprocessing in the model is undone: where it swaps
    red and blue or scales them differently, the colours are still those of the photos. A model that
    is fed with images of swapped channels gives pictures of swapped channels.

    Source: the form of Krizhevsky et al. 2012, Fig. 3; the scaling is ours.

    Args:
        model: functional or `Sequential` `keras.Model` over images (H, W, C); models may be nested
            in it. `kerascnn.visualize.plot_images` draws the pictures.

    Returns:
        float32 (F, h, w, C), values 0-1, for images of C = 1 or 3 channels. For others one grey
        picture for each channel of each filter: (F * C, h, w, 1).

    Raises:
        InputError: the model is not functional, or has no convolution.

    >>> import kerascnn as kc
    >>> pictures = first_layer_filters(kc.models.LeNet5(weights="mnist"))
    >>> pictures.shape, float(pictures.min()) >= 0, float(pictures.max()) <= 1
    ((6, 5, 5, 1), True, True)
    """
    model, layer = _first_convolution(model)
    kernels = np.moveaxis(_kernel(layer), -1, 0)
    if model.inputs[0].shape[-1] == kernels.shape[-1] == 3:
        kernels = kernels @ _channels(model, layer).T
    if kernels.shape[-1] not in (1, 3):
        kernels = np.moveaxis(kernels, -1, 1).reshape(-1, *kernels.shape[1:3], 1)
    largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
    return (0.5 + 0.5 * kernels / np.maximum(largest, 1e-30)).astype("float32")


def first_layer_noise(model):
    """The share of first filters that look like noise: about 0.95 before training, 0 to 0.5 after.

    A filter looks like noise if chance explains its smoothness (`first_layer_smoothness`): if that
    is within 2 / sqrt(n) of 0, n its pairs of neighbours, as for 95 % of filters whose weights are
    independent. Filters with less than 1 % of the strongest one's energy do not count.

    After a training, much noise says that the layer has hardly moved, or that the rate was too high
    or the regularisation too weak. It is a coarse measure for 3x3 filters, of which some that are
    clean have no such correlation: trained SqueezeNet 1.1 has 0.41, MobileNetV2 0.50.

    Source: the advice on noisy and clean first filters is that of the CS231n notes; the measure is
    ours.

    Args:
        model: as for `first_layer_filters`.

    Returns:
        float in [0, 1].

    Raises:
        InputError: as for `first_layer_smoothness`.

    >>> import kerascnn as kc
    >>> first_layer_noise(kc.models.LeNet5(weights="mnist"))
    0.0
    """
    kernel = _kernel(_first_convolution(model)[1])
    height, width, channels, _ = kernel.shape
    pairs = channels * (height * (width - 1) + width * (height - 1))
    energy = np.square(kernel).sum(axis=(0, 1, 2))
    alive = energy >= 0.01 * energy.max()
    return float(np.mean(np.abs(first_layer_smoothness(model)[alive]) <= 2 / np.sqrt(pairs)))


def first_layer_smoothness(model):
    """How alike neighbouring weights of each first filter are: 1 is flat, 0 noise, -1 a chequer.

    Of each filter the cosine between its weights and those one place to the right or below:
    sum(a b) / sqrt(sum(a^2) sum(b^2)) over all such pairs, in all channels. Independent weights of
    mean 0 give 0 in the mean, and 1 / sqrt(n) for n pairs by chance: 0.17 for 3x3x3.

    Args:
        model: as for `first_layer_filters`.

    Returns:
        float32 (F,), values from -1 to 1; 0 for a filter of zeros.

    Raises:
        InputError: the model is not functional, has no convolution, or the first is 1x1.

    >>> model = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(1, 3)])
    >>> model.set_weights([np.reshape([-1.0, 0, 1] * 3, (3, 3, 1, 1)), np.zeros(1)])
    >>> first_layer_smoothness(model).round(2)  # 4 / sqrt(7 * 7)
    array([0.57], dtype=float32)
    """
    _, layer = _first_convolution(model)
    kernel = _kernel(layer).astype("float64")
    if kernel.shape[:2] == (1, 1):
        raise InputError(f"The filters of {layer.name!r} are 1x1: they have no neighbours.")
    pairs = (kernel[:, :-1], kernel[:, 1:]), (kernel[:-1], kernel[1:])

    def over_pairs(term):
        return sum(term(a, b).sum(axis=(0, 1, 2)) for a, b in pairs)

    sizes = over_pairs(lambda a, b: a * a) * over_pairs(lambda a, b: b * b)
    return (over_pairs(lambda a, b: a * b) / np.maximum(np.sqrt(sizes), 1e-30)).astype("float32")


def _first_convolution(model):
    """The model without models in it, and the layer."""
    if not getattr(model, "inputs", None):
        raise InputError(
            "The model must be functional, or Sequential and begin with keras.Input(shape). "
            f"Received: {model!r}."
        )
    flat = _graph.flatten(model)
    for layer in flat.layers:
        if isinstance(layer, keras.layers.Conv2D):
            return flat, layer
    raise InputError(f"{model.name!r} has no 2-D convolution.")


def _kernel(layer):
    """(h, w, C, F), float32."""
    return ops.convert_to_numpy(ops.cast(layer.kernel, "float32"))


def _channels(model, layer):
    """How much of each colour of a photo is in each channel that the layer reads: (3, 3)."""
    size = [side or 32 for side in model.inputs[0].shape[1:3]]
    photos = np.full((4, *size, 3), 64, "float32")  # one grey, one more red, one green, one blue
    photos[1:] += 128 * np.eye(3, dtype="float32")[:, None, None]
    reads = keras.Model(model.inputs[0], layer.input)(photos, training=False)
    middle = ops.convert_to_numpy(ops.cast(reads, "float32"))[:, size[0] // 2, size[1] // 2]
    slopes = middle[1:] - middle[:1]
    return slopes if np.isfinite(slopes).all() and np.abs(slopes).max() > 0 else np.eye(3)
