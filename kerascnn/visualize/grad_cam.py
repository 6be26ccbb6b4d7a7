"""Where in a photo a class is seen: Grad-CAM and Grad-CAM++."""

import numpy as np
from keras import ops

from kerascnn._errors import InputError
from kerascnn.visualize._inside import (
    BATCH,
    as_targets,
    chosen,
    forward,
    gradient_of,
    in_batches,
    opened,
    position,
)

__all__ = ["grad_cam", "grad_cam_plus_plus"]


def grad_cam(model, images, targets=None, *, layer=None):
    """Where the evidence for a class is, by the feature maps of a layer and their gradients.

    L = ReLU(sum_k w_k A_k), where w_k is the mean over all places of the gradient of the class
    score by feature map A_k. The score is the logit: a softmax or sigmoid at the end of the model
    is left out, since its gradient vanishes where the model is sure.

    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2. For a network that ends in global
    average pooling and a dense layer it is CAM (Zhou et al. 2016, arXiv:1512.04150) without its
    negative part. Differs: each map is divided by its largest value.

    Args:
        model: functional or Sequential `keras.Model` of images (N, H, W, C) that gives class scores
            (N, classes). A backbone inside it is opened.
        images: array (N, H, W, C), as the model reads them; raw photos if its preprocessing is
            inside.
        targets: int array (N,) or int, the classes to look for; None is the one that each image
            scores highest. A model with one output has class 0 only.
        layer: str or None. Name of a layer, or "backbone/conv" of one in a nested model; None is
            the last layer with a spatial output. Earlier layers give finer and less telling maps.

    Returns:
        float32 array (N, H, W) in [0, 1], of the images' size (bilinear). All 0 where nothing
        speaks for the class.

    Raises:
        InputError: there is no such layer, its output is not (N, H, W, C), or the images or targets
            do not fit the model.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3),
    ...     keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, "softmax")])
    >>> maps = grad_cam(model, np.random.default_rng(0).uniform(size=(5, 8, 8, 3)))
    >>> maps.shape, maps.dtype
    ((5, 8, 8), dtype('float32'))
    """

    def weights(maps, gradients):
        return ops.mean(gradients, axis=(1, 2), keepdims=True)

    return _weighted(model, images, targets, layer, weights)


def grad_cam_plus_plus(model, images, targets=None, *, layer=None):
    """Grad-CAM whose weights count each place by how much it matters, for several objects a photo.

    w_k = sum_ij a_ijk ReLU(g_ijk) with a = g^2 / (2 g^2 + sum_ab A_abk g^3), where g is the
    gradient of the logit: the derivatives are those of its exponential.

    Source: Chattopadhay et al. 2018, arXiv:1710.11063, eq. 5, 7 and 19. Differs: each map is
    divided by its largest value, so the factor exp(score) of all weights is left out; a sum of A
    below 0, which does not occur after a ReLU, counts as 0.

    Args:
        model, images, targets, layer: as for `grad_cam`.

    Returns:
        float32 array (N, H, W) in [0, 1], as `grad_cam`.

    Raises:
        InputError: as `grad_cam`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3),
    ...     keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    >>> grad_cam_plus_plus(model, np.ones((5, 8, 8, 3)), targets=1).shape
    (5, 8, 8)
    """

    def weights(maps, gradients):
        total = ops.relu(ops.sum(maps, axis=(1, 2), keepdims=True))
        positive = ops.relu(gradients)  # where g is negative, a makes no difference
        return ops.sum(positive / (2 + total * positive), axis=(1, 2), keepdims=True)

    return _weighted(model, images, targets, layer, weights)


def _weighted(model, images, targets, layer, weights):
    """The maps of a layer, weighted by a function of them and their gradients."""
    found, last = opened(model, images)
    targets = as_targets(targets, found[last], len(images))
    number = _spatial(found, last) if layer is None else position(found, layer)
    shape = found[number].outputs[0].shape[1:]
    if len(shape) != 3:
        raise InputError(
            f"Layer {found[number].name!r} gives {shape}; Grad-CAM needs maps of (H, W, C)."
        )

    def measure(tensors, images, targets):
        scores, maps = forward(model, images, [number], {number: tensors[0]}, scores=last)
        return chosen(scores, targets), maps

    step = gradient_of(model, measure, once=len(images) <= BATCH)

    def heat(images, targets):
        shift = np.zeros((len(images), *shape), "float32")
        (maps,), (gradients,) = step([ops.convert_to_tensor(shift)], images, targets)
        maps = ops.cast(maps, "float32")
        heat = ops.relu(ops.sum(weights(maps, gradients) * maps, axis=-1, keepdims=True))
        return ops.image.resize(heat, images.shape[1:3], "bilinear", data_format="channels_last")

    maps = in_batches(heat, np.asarray(images, "float32"), targets)[..., 0]
    largest = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)


def _spatial(found, last):
    """The last call with a spatial output."""
    for number in range(last, 0, -1):
        shape = found[number].outputs[0].shape
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            return number
    raise InputError("The model has no layer with a spatial output (N, H, W, C).")
