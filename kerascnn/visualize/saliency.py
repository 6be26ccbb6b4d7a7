"""Which pixels a class score hangs on: its gradient by the image, plain and averaged over noise."""

import numpy as np
from keras import ops
from tqdm import tqdm

from kerascnn._errors import InputError
from kerascnn.visualize._inside import (
    BATCH,
    as_targets,
    chosen,
    forward,
    gradient_of,
    in_batches,
    opened,
)

__all__ = ["saliency", "smooth_grad"]


def saliency(model, images, targets=None):
    """How much each pixel would change a class score: |gradient|, the largest of its channels.

    The score is the logit: a softmax or sigmoid at the end of the model is left out. One backward
    pass a photo. What it shows is noisy; `smooth_grad` shows it more clearly.

    Source: Simonyan, Vedaldi and Zisserman 2014, arXiv:1312.6034, Sec. 3. Differs: each map is
    divided by its largest value.

    Args:
        model, images, targets: as for `grad_cam`.

    Returns:
        float32 array (N, H, W) in [0, 1].

    Raises:
        InputError: the images or targets do not fit the model.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(1, "sigmoid", use_bias=False)])
    >>> model.set_weights([np.array([[1.0], [-4.0], [0.0], [2.0]])])
    >>> print(saliency(model, np.ones((1, 2, 2, 1)))[0])
    [[0.25 1.  ]
     [0.   0.5 ]]
    """
    return smooth_grad(model, images, targets, noise=0.0, samples=1, progress=False)


def smooth_grad(model, images, targets=None, *, noise=0.15, samples=50, seed=0, progress=True):
    """Saliency of the mean gradient over noisy copies of each photo: clearer to the eye.

    Source: Smilkov et al. 2017, arXiv:1706.03825, Sec. 3; its Fig. 3 and 4 advise 10 to 20 % of
    noise and about 50 samples. Differs: each map is divided by its largest value; the target of
    `None` is the class that is predicted for the photo without noise.

    Args:
        model, images, targets: as for `grad_cam`.
        noise: float >= 0. Standard deviation of the Gaussian noise as a share of the range of each
            photo, its largest value minus its smallest; 0 gives `saliency`.
        samples: int >= 1. Noisy copies of each photo: backward passes.
        seed: int. Decides the noise, of each photo in its place alone.
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        float32 array (N, H, W) in [0, 1].

    Raises:
        InputError: as `saliency`, or `noise` or `samples` is out of range.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3),
    ...     keras.layers.ReLU(), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    >>> images = np.random.default_rng(0).uniform(size=(5, 8, 8, 3))
    >>> smooth_grad(model, images, samples=2).shape
    (5, 8, 8)
    """
    if not noise >= 0 or samples < 1:
        raise InputError(
            f"`noise` must be >= 0 and `samples` >= 1. Received: noise={noise}, samples={samples}."
        )
    found, last = opened(model, images)
    targets = as_targets(targets, found[last], len(images))
    images = np.asarray(images, "float32")
    if noise and targets.min() < 0:
        targets = in_batches(lambda x: np.argmax(model.predict_on_batch(x), -1), images)
        targets = targets.astype("int32")

    def measure(tensors, targets):
        scores, _ = forward(model, tensors[0], scores=last)
        return chosen(scores, targets), ()

    step = gradient_of(model, measure, once=samples == 1 and len(images) <= BATCH)
    total = np.zeros(images.shape, "float32")
    for sample in tqdm(range(samples), "SmoothGrad", disable=None if progress else True):
        noisy = _with_noise(images, noise, seed, sample)
        total += in_batches(lambda x, t: step([ops.convert_to_tensor(x)], t)[1][0], noisy, targets)
    maps = np.abs(total).max(axis=-1)
    largest = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)


def _with_noise(images, noise, seed, sample):
    if not noise:
        return images
    ranges = images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3))
    draws = [
        np.random.default_rng((seed, number, sample)).standard_normal(images.shape[1:], "float32")
        for number in range(len(images))
    ]
    return images + noise * ranges[:, None, None, None] * np.stack(draws)
