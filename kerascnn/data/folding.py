"""Cross-validation: photos dealt into folds, each of which validates once."""

import collections

from kerascnn._errors import InputError, whole
from kerascnn.data.pipeline import ImageData
from kerascnn.data.splits import dealt_order

__all__ = ["folds", "stratified_folds"]


def folds(data, count=5, seed=0):
    """The same photos `count` times, each time with another part of them for validation.

    The photos of `data.train` and `data.validation` are dealt by `stratified_folds`; the test
    photos stay what they are, and unseen. Equal photos stay in one fold, and so do those that look
    the same or are of one of the `groups` that were given (`data.inventory.together`).

    Args:
        data: `ImageData`.
        count: int >= 2. Folds; 5 and 10 are usual (Kohavi 1995, "A Study of Cross-Validation and
            Bootstrap for Accuracy Estimation and Model Selection").
        seed: int. Which photos share a fold.

    Returns:
        List of `count` `ImageData`. Fold i validates the photos of part i and trains on the rest.

    Raises:
        InputError: `data` is no `ImageData`, `count` is no int >= 2, or a fold would be empty.

    >>> import numpy as np
    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> parts = folds(from_arrays(images, [0, 1] * 20), count=4)
    >>> [(part.train.num_photos, part.validation.num_photos) for part in parts]
    [(27, 9), (27, 9), (27, 9), (27, 9)]
    """
    if not isinstance(data, ImageData):
        raise InputError(
            "Folds are made of ImageData (from_directory, from_tfds, from_arrays). "
            f"Received: {type(data).__name__}."
        )
    photos = [photo for photo in data.inventory.photos if photo.split != "test"]
    leader = {digest: group[0] for group in data.inventory.together for digest in group}
    groups = [leader.get(photo.digest, photo.digest) for photo in photos]
    fold = stratified_folds([photo.label for photo in photos], groups, count, seed)
    if len(set(fold) - {None}) < count:
        raise InputError(
            f"{len(photos)} photos for training and validation are too few for {count} folds. "
            "Take fewer folds, or more photos."
        )
    paths = [photo.path for photo in photos]
    return [data.with_splits(dict(zip(paths, _parts(fold, i)))) for i in range(count)]


def stratified_folds(labels, groups, count=5, seed=0):
    """Deal items into folds, class by class, as evenly as their groups allow.

    Items of one group are in one fold. Each group, the largest first, goes to the fold with the
    fewest items of its class; where every item is its own group, the folds' numbers of a class
    differ by at most one. Ties are broken as in `stratified_split`, by a hash of (seed, group): the
    same items are dealt alike on every machine and in any order. A class of one group has nothing
    to validate with: it is in no fold, and always trains.

    Args:
        labels: sequence of class names or numbers, one per item.
        groups: sequence of strs, one per item. The label of a group's first item counts.
        count: int >= 2.
        seed: int.

    Returns:
        List of ints from 0 to `count` - 1, one per item; None for the items of such a class.

    Raises:
        InputError: `count` is no int >= 2, or there is not one group for each label.

    >>> fold = stratified_folds(["cat"] * 6 + ["dog"], [f"photo{i}" for i in range(7)], 3)
    >>> sorted(fold[:6]), fold[6]
    ([0, 0, 1, 1, 2, 2], None)
    """
    count = whole(count, "The number of folds", 2)
    if len(labels) != len(groups):
        raise InputError(
            f"Expected one group for each label. Received: {len(labels)} labels, "
            f"{len(groups)} groups."
        )
    label_of, by_class = {}, collections.defaultdict(list)
    for label, group in zip(labels, groups):
        label_of.setdefault(group, label)
    for group, label in label_of.items():
        by_class[label].append(group)
    sizes, totals, fold_of = collections.Counter(groups), [0] * count, {}
    for label in sorted(by_class, key=str):
        own = [0] * count
        members = by_class[label] if len(by_class[label]) > 1 else []
        for group in sorted(members, key=lambda g: (-sizes[g], dealt_order(seed, g))):
            fold = min(range(count), key=lambda i: (own[i], totals[i]))
            own[fold] += sizes[group]
            totals[fold] += sizes[group]
            fold_of[group] = fold
    return [fold_of.get(group) for group in groups]


def _parts(fold, number):
    """The split of each photo: that of fold `number` validates."""
    return ["validation" if one == number else "train" for one in fold]
