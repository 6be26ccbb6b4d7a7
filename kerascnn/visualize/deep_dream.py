"""Photos in which a network sees more of what it sees in them."""

import numpy as np
from keras import ops
from tqdm import tqdm

from kerascnn._calls import calls
from kerascnn._errors import InputError
from kerascnn.visualize._inside import forward, gradient_of, position

__all__ = ["deep_dream"]

_JITTER = 32  # pixels
_SMALLEST = 8  # pixels of an octave's shorter side


def deep_dream(
    model,
    images,
    layers=None,
    *,
    octaves=4,
    octave_scale=1.4,
    steps=10,
    rate=1.5,
    seed=0,
    progress=True,
):
    """Strengthen what the layers of a network respond to in photos, from coarse to fine.

    Each octave is the photo at a larger size, the last one its own, with the details found so far
    added; in each, ascent of the mean square of the layers' outputs.

    Source: Mordvintsev, Olah and Tyka 2015, "Inceptionism" and the notebook beside it, whose
    strengths are the defaults. Differs: several layers count the same, whatever their size.

    Args:
        model: functional or Sequential `keras.Model` of images of 0-255, its preprocessing inside.
            A backbone inside it is opened; up to the layers it must work at any size.
        images: array (N, H, W, C) of 0-255, of any size.
        layers: name of a layer, list of names, or None: the last one before the smallest maps.
            Early layers give strokes, late ones eyes and animals.
        octaves: int >= 1. Sizes.
        octave_scale: float > 1, between neighbouring sizes.
        steps: int >= 1, in each octave.
        rate: float > 0. Mean magnitude of a step, in grey levels.
        seed: int. Decides by how much the photo is moved before each step.
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        float32 array (N, H, W, C) of 0-255.

    Raises:
        InputError: there is no such layer, or the photos are too small for so many octaves.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> photos = np.random.default_rng(0).uniform(0, 255, size=(2, 20, 16, 3))
    >>> deep_dream(model, photos, "conv", octaves=2, steps=2).shape
    (2, 20, 16, 3)
    """
    images = np.asarray(images, "float32")
    if images.ndim != 4 or images.shape[-1] != model.inputs[0].shape[-1]:
        raise InputError(
            f"Photos are (N, H, W, {model.inputs[0].shape[-1]}). Received: {images.shape}."
        )
    is_open = None in model.inputs[0].shape[1:]
    found, _ = calls(model, images.shape[1:] if is_open else None)
    names = [layers] if isinstance(layers, str) else layers
    numbers = _before_the_smallest(found) if layers is None else [position(found, x) for x in names]
    sizes = _sizes(images.shape[1:3], octaves, octave_scale)

    def measure(tensors):
        _, outputs = forward(model, tensors[0], numbers)
        squares = [ops.mean(ops.square(ops.cast(y, "float32"))) for y in outputs]
        return sum(squares) * images.shape[0], ()

    step, rng = gradient_of(model, measure), np.random.default_rng(seed)
    detail = np.zeros((1, 1, 1, images.shape[-1]), "float32")
    total, hidden = octaves * steps, None if progress else True
    with tqdm(total=total, desc="Dreaming", disable=hidden) as bar:
        for size in sizes:
            photo = _resized(images, size)
            dream = photo + _resized(detail, size)
            for _ in range(steps):
                dream = _climbed(dream, step, rate, rng)
                bar.update()
            detail = dream - photo
    return dream


def _climbed(dream, step, rate, rng):
    move = rng.integers(-_JITTER, _JITTER + 1, size=2)
    moved = np.roll(dream, move, axis=(1, 2))
    _, (slope,) = step([ops.convert_to_tensor(moved)])
    slope = ops.convert_to_numpy(slope)
    size = np.abs(slope).mean(axis=(1, 2, 3), keepdims=True)
    moved = moved + rate * slope / np.maximum(size, 1e-12)
    return np.clip(np.roll(moved, -move, axis=(1, 2)), 0, 255)


def _before_the_smallest(found):
    """The last call whose maps are larger than the smallest; the input is none of them."""
    areas = {
        i: call.outputs[0].shape[1] * call.outputs[0].shape[2]
        for i, call in enumerate(found)
        if call.inputs and len(call.outputs[0].shape) == 4
    }
    if not areas:
        raise InputError("The model has no layer with a spatial output (N, H, W, C).")
    larger = [i for i, area in areas.items() if area > min(areas.values())]
    return (larger or list(areas))[-1:]


def _sizes(size, octaves, scale):
    """(height, width) of the octaves, smallest first."""
    sizes = [
        tuple(round(side / scale**octave) for side in size) for octave in reversed(range(octaves))
    ]
    if octaves < 1 or not scale > 1 or min(sizes[0]) < _SMALLEST:
        raise InputError(
            f"`octaves` must be >= 1 and `octave_scale` > 1, and the smallest octave {_SMALLEST} "
            f"pixels. Received: {octaves} and {scale} for photos of {size[0]} x {size[1]}."
        )
    return sizes


def _resized(images, size):
    resized = ops.image.resize(images, size, "bilinear", data_format="channels_last")
    return ops.convert_to_numpy(resized)
