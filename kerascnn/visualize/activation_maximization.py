"""The picture that a class or a feature map responds to most, by gradient ascent."""

import numpy as np
from keras import ops
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from kerascnn._errors import InputError
from kerascnn.visualize._inside import chosen, forward, gradient_of, opened, position

__all__ = ["maximize_activation"]

_GREY = 127.5
_BLURS = (1, 2, 4)  # pixels


def maximize_activation(
    model,
    channels,
    layer=None,
    *,
    steps=200,
    rate=4.0,
    blur=1.0,
    decay=0.02,
    image_size=None,
    seed=0,
    progress=True,
):
    """Pictures that classes, feature maps or units respond to most: what they look for.

    From grey noise the picture climbs the class's logit or the mean of the feature map. What makes
    it a picture and no noise: it moves by a few pixels at random before each step, its gradient is
    the sum of three blurred ones of the same strength, and it is drawn back to grey.

    Source: Simonyan, Vedaldi and Zisserman 2014, arXiv:1312.6034, Sec. 2 (the logit, L2);
    Mordvintsev, Olah and Tyka 2015, "Inceptionism" (jitter, gradients of one size at each scale).
    Differs: the strengths are ours.

    Args:
        model: functional or Sequential `keras.Model` of images (N, H, W, C) of 0-255, its
            preprocessing inside. A backbone inside it is opened.
        channels: int or list of K ints: classes, feature maps or units of the layer.
        layer: str or None. Name of a layer, or "backbone/conv" of one in a nested model; None is
            the output of the model, a softmax or sigmoid at its end left out.
        steps: int >= 1.
        rate: float > 0. Root mean square of a step, in grey levels.
        blur: float >= 0. The gradient is blurred by 1, 2 and 4 times as many pixels; 0 leaves it.
        decay: float in [0, 1), by how much each step draws back to grey.
        image_size: int or None. Side of the pictures where the model takes any.
        seed: int. Decides the noise and the moves.
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        float32 array (K, H, W, C) of 0-255.

    Raises:
        InputError: there is no such layer or channel, or the size of the pictures is not known.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(5, "softmax")])
    >>> pictures = maximize_activation(model, [0, 3], steps=2)
    >>> pictures.shape, pictures.dtype
    ((2, 8, 8, 3), dtype('float32'))
    """
    channels = np.atleast_1d(channels)
    pictures = _noise(model, len(channels), image_size, seed)
    found, last = opened(model, pictures)
    number = last if layer is None else position(found, layer)
    count = found[number].outputs[0].shape[-1]
    if channels.dtype.kind not in "iu" or channels.min() < 0 or channels.max() >= count:
        raise InputError(
            f"`channels` must be ints from 0 to {count - 1}. Received: {channels.tolist()}."
        )

    def measure(tensors, channels):
        _, (y,) = forward(model, tensors[0], [number], scores=last if number == last else None)
        means = ops.mean(ops.reshape(ops.cast(y, "float32"), (y.shape[0], -1, count)), axis=1)
        return chosen(means, channels), ()

    step, channels = gradient_of(model, measure), channels.astype("int32")
    rng = np.random.default_rng((seed, 1))
    for _ in tqdm(range(steps), "Climbing", disable=None if progress else True):
        move = rng.integers(-(pictures.shape[1] // 16), pictures.shape[1] // 16 + 1, size=2)
        moved = np.roll(pictures, move, axis=(1, 2))
        _, (slope,) = step([ops.convert_to_tensor(moved)], channels)
        slope = np.roll(_smoothed(ops.convert_to_numpy(slope), blur), -move, axis=(1, 2))
        pictures += rate * slope + decay * (_GREY - pictures)
        pictures = np.clip(pictures, 0, 255)
    return pictures


def _noise(model, count, image_size, seed):
    *_, height, width, depth = (None, None, *model.inputs[0].shape)
    height, width = height or image_size, width or image_size
    if not height or not width:
        raise InputError("The model takes pictures of any size. Pass image_size=224, for instance.")
    noise = np.random.default_rng(seed).standard_normal((count, height, width, depth), "float32")
    return np.clip(_GREY + 8 * noise, 0, 255)


def _smoothed(slopes, blur):
    """The gradients at several scales, each of the same strength, and that of all as well."""
    if not blur:
        return _of_one_size(slopes)
    widths = [blur * width for width in _BLURS]
    return _of_one_size(
        sum(_of_one_size(gaussian_filter(slopes, (0, width, width, 0))) for width in widths)
    )


def _of_one_size(slopes):
    """Each picture's gradient, divided by its root mean square."""
    size = np.sqrt(np.mean(np.square(slopes), axis=(1, 2, 3), keepdims=True))
    return slopes / np.maximum(size, 1e-12)
