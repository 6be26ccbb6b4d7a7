"""Does an augmentation keep the label? Measured with a trained model on held-out photos."""

import dataclasses

import numpy as np

from kerascnn._errors import InputError
from kerascnn._random import image_seeds
from kerascnn.data.augmented import as_layers

__all__ = ["LabelSafety", "label_safety"]

_BATCH = 256


@dataclasses.dataclass
class LabelSafety:
    """How often a model changed its mind about photos that it had right.

    Attributes:
        operation: str, the layer's name.
        changed: float from 0 to 1, share of augmented photos that are now called something else.
        by_class: {class name: the same share}; only classes of which the model had a photo right.
        becomes: [(class, what it is called instead, share of that class's augmented photos)], the
            most frequent first.
        num_photos: int, photos that the model had right.
        draws: int, augmented versions of each.

    >>> found = LabelSafety("rotation", 0.5, {"6": 1.0, "8": 0.0}, [("6", "9", 1.0)], 2, 10)
    >>> print(found)
    rotation: 50.0 % of 20 augmented photos are called something else
      6 -> 9  100.0 %
    """

    operation: str
    changed: float
    by_class: dict
    becomes: list
    num_photos: int
    draws: int

    def __str__(self):
        total = self.num_photos * self.draws
        first = f"{self.operation}: {self.changed:.1%} of {total:,} augmented photos are called "
        lines = [f"  {old} -> {new}  {share:.1%}" for old, new, share in self.becomes[:5]]
        return "\n".join([first + "something else", *lines]).replace("%", " %")


def label_safety(layer, model, data, *, draws=8, seed=0):
    """Measure how often a trained model changes its mind on augmented photos.

    Only photos that the model has right as they are count. A small share is no harm: the model may
    merely not know such pictures yet, which is what augmentation is for. Look at what goes far
    beyond the others, above all at one class that becomes another: a 6 that was turned is a 9, and
    training with it teaches the model a wrong label. `preview` shows the pictures.

    Args:
        layer: a layer of `kerascnn.augment`; a list of them, each measured alone; or {name: layer}.
        model: `keras.Model` (N, H, W, C) -> (N, classes) probabilities or logits, which takes
            images with values 0-255 and was trained without the layer.
        data: `ImageData` (its validation photos are taken), a `Split`, or (images, labels): uint8
            (N, H, W, C) and N ints.
        draws: int >= 1. Augmented versions of each photo.
        seed: int.

    Returns:
        List of `LabelSafety`, one for each layer, the most harmful first.

    Raises:
        InputError: the model has no photo right, or the data do not fit, or its outputs are not one
            for each class (nor one probability of the second of two).

    >>> import keras
    >>> from kerascnn.augment import RandomAffine
    >>> left_or_right = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
    >>> images = np.array([[[[255], [0]]], [[[0], [255]]]] * 200, "uint8")  # the brighter side
    >>> for found in label_safety(
    ...     {"flip": RandomAffine("horizontal"), "none": RandomAffine()}, left_or_right,
    ...     (images, [0, 1] * 200), draws=4):
    ...     print(found.operation, round(found.changed, 1))
    flip 0.5
    none 0.0
    """
    images, labels, names = _examples(data, model.output_shape[-1])
    right = _predicted(model, images) == labels
    if not right.any():
        raise InputError(
            f"The model has none of the {len(images)} photos right. Pass a trained model that "
            "takes images with values 0-255, and the labels that it was trained with."
        )
    images, labels = images[right], labels[right]
    found = []
    for name, one in _named(layer).items():
        counts = np.zeros((len(names), len(names)))  # label, prediction
        for number in range(draws):
            changed = one.augment_numpy(images, image_seeds(seed, number, range(len(images))))
            np.add.at(counts, (labels, _predicted(model, changed)), 1)
        found.append(_summary(name, counts, names, len(images), draws))
    return sorted(found, key=lambda row: -row.changed)


def _named(layer):
    if isinstance(layer, dict):
        return {name: as_layers(one, draws_for_each=True)[0] for name, one in layer.items()}
    named = {}
    for one in as_layers(layer, draws_for_each=True):
        name = type(one).__name__
        named[name if name not in named else one.name] = one
    return named


def _examples(data, outputs):
    """(uint8 images, int labels, class names) for a model of so many outputs."""
    split = getattr(data, "validation", data)
    if isinstance(split, tuple):
        images, labels = _arrays(split)
        names = [str(i) for i in range(max(labels.max() + 1, outputs, 2))]
    else:
        images, labels = split.images(np.arange(split.num_photos)), split.labels
        names = split.class_names
    if outputs != len(names) and (outputs, len(names)) != (1, 2):
        raise InputError(
            f"The model has {outputs} output(s) for {len(names)} classes. Pass one with an output "
            "for each class, or with one for two classes."
        )
    return images, labels, names


def _arrays(split):
    images, labels = map(np.asarray, split)
    if images.ndim != 4 or images.dtype != np.uint8 or labels.shape != (len(images),):
        raise InputError(
            "Expected (images, labels): uint8 (N, H, W, C) and N ints. "
            f"Received: {images.dtype} {images.shape} and {labels.dtype} {labels.shape}."
        )
    return images, labels


def _predicted(model, images):
    batches = (images[i : i + _BATCH] for i in range(0, len(images), _BATCH))
    # `predict` would hold all images as float32, twice.
    scores = np.concatenate([model.predict_on_batch(x.astype(np.float32)) for x in batches])
    if scores.shape[-1] == 1:
        return (scores[:, 0] > 0.5).astype(int)
    return scores.argmax(axis=-1)


def _summary(name, counts, names, num_photos, draws):
    totals = counts.sum(axis=1)
    stays = np.diag(counts)
    by_class = {n: float(1 - s / t) for n, s, t in zip(names, stays, totals) if t}
    shares = counts / np.maximum(totals[:, None], 1)
    np.fill_diagonal(shares, 0)
    order = np.dstack(np.unravel_index(np.argsort(-shares, axis=None), shares.shape))[0]
    becomes = [(names[i], names[j], float(shares[i, j])) for i, j in order if shares[i, j]]
    changed = float(1 - stays.sum() / totals.sum())
    return LabelSafety(name, changed, by_class, becomes, num_photos, draws)
