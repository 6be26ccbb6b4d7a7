"""What covering a part of a photo does to a class score."""

import itertools

import numpy as np
from tqdm import tqdm

from kerascnn._errors import InputError
from kerascnn.visualize._inside import as_targets, opened

__all__ = ["occlusion"]


def occlusion(
    model, images, targets=None, *, size=None, stride=None, fill=None, batch_size=64, progress=True
):
    """How far the score of a class falls when a square covers a part of the photo.

    A square slides over the photo; each pixel gets the mean fall of the score over all squares that
    cover it. It needs no gradients, so it is the referee for maps that do, and it is slow: some
    200 forward passes a photo.

    Source: Zeiler and Fergus 2014, arXiv:1311.2901, Sec. 4.2 and Fig. 7d. Differs: falls are shown
    by pixel instead of the score by the square's place, and the square has the photo's mean colour.

    Args:
        model, images, targets: as for `grad_cam`. The score is the output of the model, a
            probability where it ends in a softmax.
        size: int, side of the square in pixels, or None: a fifth of the shorter side.
        stride: int, its steps in pixels, or None: a third of its side. The last step ends at the
            edge.
        fill: float, the value of the square, or None: the mean colour of each photo.
        batch_size: int >= 1. Covered photos at a time; changes memory and time only.
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        float32 array (N, H, W) in units of the score: 0.4 is a probability that fell by 0.4;
        negative where the score rose.

    Raises:
        InputError: the images or targets do not fit the model, or `size` or `stride` not the image.

    >>> import keras
    >>> mean = keras.layers.GlobalAveragePooling2D()
    >>> model = keras.Sequential([keras.Input((2, 4, 1)), mean])
    >>> image = np.zeros((1, 2, 4, 1))
    >>> image[0, :, 2:] = 1
    >>> print(occlusion(model, image, size=2, stride=2, fill=0)[0])
    [[0.  0.  0.5 0.5]
     [0.  0.  0.5 0.5]]
    """
    found, last = opened(model, images)
    targets = as_targets(targets, found[last], len(images))
    images = np.asarray(images, "float32")
    height, width = images.shape[1:3]
    size = max(1, round(min(height, width) / 5)) if size is None else size
    stride = max(1, size // 3) if stride is None else stride
    if not (1 <= size <= min(height, width) and stride >= 1):
        raise InputError(
            f"`size` must be 1 to {min(height, width)}, the shorter side, and `stride` >= 1. "
            f"Received: size={size}, stride={stride}."
        )
    corners = list(itertools.product(_starts(height, size, stride), _starts(width, size, stride)))
    total, hidden = len(images) * (1 + len(corners)), None if progress else True
    maps = []
    with tqdm(total=total, desc="Covering", unit="photo", disable=hidden) as bar:
        for image, target in zip(images, targets):
            colour = image.mean(axis=(0, 1)) if fill is None else fill
            covered = _covered(image, corners, size, colour)
            scores = _scores(model, itertools.chain([image], covered), batch_size, bar)
            target = scores[0].argmax() if target < 0 else target
            maps.append(_by_pixel(scores[0, target] - scores[1:, target], corners, size, image))
    return np.stack(maps)


def _starts(length, size, stride):
    return sorted({*range(0, length - size, stride), length - size})


def _covered(image, corners, size, colour):
    for top, left in corners:
        copy = image.copy()
        copy[top : top + size, left : left + size] = colour
        yield copy


def _scores(model, images, batch_size, bar):
    scores = []
    while batch := list(itertools.islice(images, batch_size)):
        scores.append(np.asarray(model.predict_on_batch(np.stack(batch)), "float32"))
        bar.update(len(batch))
    return np.concatenate(scores)


def _by_pixel(falls, corners, size, image):
    """The mean of the falls of all squares that cover a pixel."""
    total, count = np.zeros((2, *image.shape[:2]))
    for fall, (top, left) in zip(falls, corners):
        total[top : top + size, left : left + size] += fall
        count[top : top + size, left : left + size] += 1
    return (total / np.maximum(count, 1)).astype("float32")
