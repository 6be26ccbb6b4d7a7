"""The photos on which a classifier is most wrong."""

from dataclasses import dataclass

import keras
import numpy as np

from kerascnn._errors import InputError, whole
from kerascnn.data import Split
from kerascnn.visualize.calibration import as_predictions
from kerascnn.visualize.pictures import plot_images

__all__ = ["TopLoss", "plot_top_losses", "top_losses"]


@dataclass(frozen=True)
class TopLoss:
    """A row of `top_losses`.

    Attributes:
        index: int, of the photo in the data.
        loss: float, -log of the probability of its label.
        label, predicted: ints, its class and the most probable one.
        probability: float, of the predicted class.
    """

    index: int
    loss: float
    label: int
    predicted: int
    probability: float


def top_losses(model, data, count=9):
    """The samples with the largest cross-entropy, worst first: look at them.

    They are wrong labels, photos that show something else, and what the network does not know yet.

    Args:
        model: `keras.Model` that gives probabilities, or the probabilities themselves: float array
            (N, classes), or (N,) or (N, 1) for two classes.
        data: a `Split`, or a pair (images (N, H, W, C), labels), N >= 1; with probabilities the
            labels alone are enough. Labels are whole numbers (N,) or one-hot rows.
        count: int >= 1. All samples if there are fewer.

    Returns:
        List of `TopLoss`.

    Raises:
        InputError: the model gives no probabilities, a label is not of one class, there are no
            samples or their numbers differ, or `data` is something else.

    >>> probabilities = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]
    >>> [(row.index, row.predicted) for row in top_losses(probabilities, [1, 1, 0], count=2)]
    [(0, 0), (2, 1)]
    """
    count = whole(count, "`count`", 1)
    labels = _labels(model, data)
    if not np.size(labels):
        raise InputError("There are no samples: the data are empty.")
    probabilities = _predicted(model, data) if isinstance(model, keras.Model) else model
    probabilities, labels = as_predictions(probabilities, labels)
    chances = probabilities[np.arange(len(labels)), labels]
    losses = -np.log(np.maximum(chances, np.finfo("float32").tiny))
    return [
        TopLoss(
            int(i),
            float(losses[i]),
            int(labels[i]),
            int(probabilities[i].argmax()),
            float(probabilities[i].max()),
        )
        for i in np.argsort(-losses, kind="stable")[:count]
    ]


def plot_top_losses(rows, images, class_names=None, path=None):
    """Draw the photos of `top_losses`, each with what it was taken for and what it is.

    Args:
        rows: list of `TopLoss`.
        images: the `Split`, or the array (N, H, W, C) of all photos.
        class_names: list of str, or None for those of the split, or the classes' numbers.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: `rows` is empty.

    >>> rows = top_losses([[0.9, 0.1], [0.2, 0.8]], [1, 1], count=1)
    >>> figure = plot_top_losses(rows, np.zeros((2, 8, 8)), ["cat", "dog"])
    >>> figure.axes[0].get_title().splitlines()
    ['cat 90 %', 'is dog']
    """
    if not rows:
        raise InputError("There are no rows to draw. Pass what `top_losses` returned.")
    if class_names is None:
        class_names = getattr(images, "class_names", None)
    chosen = np.array([row.index for row in rows])
    photos = images.images(chosen) if isinstance(images, Split) else np.asarray(images)[chosen]

    def name(label):
        return str(label if class_names is None else class_names[label])

    titles = [
        f"{name(row.predicted)} {100 * row.probability:.0f} %\nis {name(row.label)}" for row in rows
    ]
    return plot_images(photos, titles, path=path)


def _labels(model, data):
    if isinstance(data, Split):
        return data.labels
    if not isinstance(model, keras.Model):  # with probabilities labels are enough
        return data[1] if isinstance(data, tuple) else data
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise InputError(
            "`data` must be a Split, such as data.validation, or a pair (images, labels). "
            f"Received: {type(data).__name__}."
        )
    return data[1]


def _predicted(model, data):
    if not isinstance(data, Split):
        return model.predict(data[0], verbose=0)
    numbers = np.array_split(np.arange(data.num_photos), data.num_batches)
    batches = (data.images(chosen).astype("float32") for chosen in numbers)
    return np.concatenate([model.predict_on_batch(batch) for batch in batches])
