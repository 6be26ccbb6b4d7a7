"""Dense evaluation at several scales: a classifier that reads whole photos of any shape."""

import operator

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._graph import flatten
from kerascnn._state import set_weights
from kerascnn.augment import _photos
from kerascnn.augment.views import _checked
from kerascnn.models import to_fully_convolutional

__all__ = ["predict_dense"]

_MAX_ASPECT = 10  # a photo longer than that may be an error, and its maps fill the memory


def predict_dense(model, photos, scales=None):
    """A classifier's mean probabilities over scales and mirror images of whole photos, as VGG's.

    The photo is resized so that its shorter side is Q. The network reads all of it: its class
    scores (what enters the softmax) are averaged over the map, and softmax is applied. The
    probabilities are averaged over the photo and its mirror image, and over the scales. Networks
    that end in Flatten and dense layers become fully convolutional first
    (`kerascnn.models.to_fully_convolutional`); those with global average pooling read any size as
    they are (so He et al. 2016, Sec. 4.1, test ResNet at 5 scales).

    Two images go through the network at a time, 2 * len(scales) for a photo. On JAX each new shape
    is compiled anew: crop the photos to a few.

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, Sec. 3.2 and 4.2. Differs from the paper:
    no.

    Args:
        model: functional or Sequential `keras.Model` (N, H, W, C) -> (N, classes), that ends in
            Flatten and dense layers or in global pooling and what follows it.
        photos: list of paths, or of uint8 arrays (H, W, C), or one array (N, H, W, C), 0-255; or
            one path.
        scales: ints, Q in pixels, not below the larger side of the model's input. None is the
            paper's {S - 32, S, S + 32} for a network of 224 trained at S = 256, in proportion: 1,
            8/7 and 9/7 of the input's size.

    Returns:
        float32 array (N, classes).

    Raises:
        InputError: the model has no such end, a scale is too small, or a photo cannot be read or
            is more than 10 times as long as it is wide.

    >>> import kerascnn as kc
    >>> model = kc.models.LeNet5(variant="modern")
    >>> predict_dense(model, [np.zeros((40, 60, 1), "uint8")], scales=[32, 48]).shape
    (1, 10)
    """
    network, size = _checked(model)
    photos = _photos.listed(photos)
    scales = _scales(scales, max(size))
    dense = _at_any_size(network)
    total = np.zeros((len(photos), network.output_shape[-1]))
    for number, photo in enumerate(photos):
        pixels = _photos.read(photo, network.input_shape[-1])
        for scale in scales:
            image = _shorter_side(pixels, scale, number)
            both = np.stack([image, image[:, ::-1]])
            total[number] += np.asarray(dense.predict_on_batch(both), "float64").mean(axis=0)
    return (total / len(scales)).astype("float32")


def _scales(scales, smallest):
    if scales is None:
        return [round(smallest * scale / 224) for scale in (224, 256, 288)]
    try:
        scales = [operator.index(scale) for scale in scales]
    except TypeError:
        scales = []
    if not scales or min(scales) < smallest:
        raise InputError(
            f"`scales` must be ints of at least {smallest}, the model's own size. "
            f"Received: {scales}."
        )
    return scales


def _at_any_size(network):
    """The same network for images of any size, with copies of its weights."""
    network = flatten(network)
    if any(isinstance(layer, keras.layers.Flatten) for layer in network.layers):
        return to_fully_convolutional(network)
    first = network.inputs[0]
    images = keras.Input((None, None, first.shape[-1]), dtype=first.dtype, name=first.name)
    try:
        dense = keras.models.clone_model(network, input_tensors=images)
        larger = [2 * side for side in first.shape[1:3]]
        dense(keras.KerasTensor((1, *larger, first.shape[-1]), dtype=first.dtype))
    except Exception as error:  # a layer of fixed size raises almost anything
        raise _fixed(network) from error
    if dense.output_shape != network.output_shape or len(dense.output_shape) != 2:
        raise _fixed(network)
    set_weights(dense, network.get_weights())
    return dense


def _fixed(network):
    return InputError(
        f"{network.name!r} cannot read images of other sizes: dense evaluation needs a "
        "model that ends in Flatten and dense layers, or in global pooling and what follows it."
    )


def _shorter_side(pixels, scale, number):
    height, width = pixels.shape[:2]
    short, long = sorted((height, width))
    if long > _MAX_ASPECT * short:
        raise InputError(
            f"Photo {number} is {width} x {height} pixels, more than {_MAX_ASPECT} times as long "
            "as it is wide. Crop it first."
        )
    return _photos.resized(pixels, (round(height * scale / short), round(width * scale / short)))
