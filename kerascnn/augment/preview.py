"""The grid of augmented photos that a person looks at before training."""

import numpy as np

from kerascnn._errors import InputError
from kerascnn._random import child_seeds, image_seeds
from kerascnn.data.augmented import as_layers

__all__ = ["preview"]

_INCHES = 1.3


def preview(layer, data, path=None, *, photos=4, draws=7, seed=0):
    """Draw photos as they are, and as they become: one row a photo, the first column untouched.

    Ask of every picture: would I still give it the label on its left?

    Args:
        layer: a layer of `kerascnn.augment`, or a list of them, applied in turn.
        data: `ImageData` (its training photos are taken), a `Split`, or uint8 array (N, H, W, C)
            with values 0-255.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).
        photos, draws: ints >= 1. Rows, and augmented columns.
        seed: int. Chooses the photos and decides what is drawn.

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: a layer is not one of `kerascnn.augment`, or the data hold no photo.

    >>> from kerascnn.augment import RandomAffine
    >>> images = np.random.default_rng(0).integers(256, size=(9, 8, 8, 3), dtype="uint8")
    >>> len(preview(RandomAffine(rotation=30), images, photos=3, draws=2).axes)
    9
    """
    from matplotlib.figure import Figure

    images, names = _chosen(data, photos, seed)
    columns = [images, *(_drawn(layer, images, seed, number) for number in range(draws))]
    size = _INCHES * len(columns) + 0.6, _INCHES * len(images) + 0.2
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.subplots(len(images), len(columns), squeeze=False)
    for column, pictures in enumerate(columns):
        for axes, picture in zip(grid[:, column], pictures):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[], frame_on=False)
    for axes, name in zip(grid[:, 0], names):
        axes.set_ylabel(name, fontsize=9)
    grid[0, 0].set_title("as it is", fontsize=9)
    if path is not None:
        figure.savefig(path)
    return figure


def _chosen(data, count, seed):
    """(uint8 images, class names) of some photos."""
    split = getattr(data, "train", data)
    total = len(split) if isinstance(split, np.ndarray) else split.num_photos
    if not total:
        raise InputError("There are no photos to draw: the data are empty.")
    numbers = np.sort(np.random.default_rng(seed).permutation(total)[:count])
    if isinstance(split, np.ndarray):
        return split[numbers], [""] * len(numbers)
    return split.images(numbers), [split.class_names[split.labels[i]] for i in numbers]


def _drawn(layer, images, seed, number):
    seeds = image_seeds(seed, number, range(len(images)))
    for place, one in enumerate(as_layers(layer, draws_for_each=True)):  # as `split.augment`
        images = one.augment_numpy(images, child_seeds(seeds, place))
    return images
