"""Disjoint stratified splits that depend on the seed and the photos alone."""

import hashlib

from kerascnn._errors import InputError

__all__ = ["stratified_split"]

SPLITS = ("train", "validation", "test")


def stratified_split(labels, groups, fractions=(0.8, 0.1, 0.1), seed=0):
    """Assign each item to "train", "validation" or "test", class by class.

    Items of one group never fall into different splits: pass a photo's content hash and equal
    files stay together, or a patient's number. The order in which groups are dealt is a hash of
    (seed, group), so the same photos are split alike on every machine and in any order of files.
    Every class of three or more groups has at least one group in each split whose fraction is
    above 0; a class of one or two groups trains only.

    Args:
        labels: sequence of class names or numbers, one per item.
        groups: sequence of strs, one per item. All items of a group should have one label; the
            label of a group's first item decides.
        fractions: three floats >= 0 that sum to 1: training, validation, test.
        seed: int.

    Returns:
        List of split names, one per item.

    Raises:
        InputError: the fractions are not three shares that sum to 1.

    >>> parts = stratified_split(["cat"] * 10 + ["dog"] * 10, [f"photo{i}" for i in range(20)])
    >>> parts[:10].count("train"), parts[10:].count("validation"), parts.count("test")
    (8, 1, 2)
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise InputError(
            f"fractions must be three shares >= 0 that sum to 1, e.g. (0.8, 0.1, 0.1). "
            f"Received: {tuple(fractions)}."
        )
    label_of = {}
    for label, group in zip(labels, groups):
        label_of.setdefault(group, label)
    by_class = {}
    for group, label in label_of.items():
        by_class.setdefault(label, []).append(group)
    split_of = {}
    for members in by_class.values():
        members.sort(key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest())
        validation, test = _held_out(len(members), fractions)
        for i, group in enumerate(members):
            split_of[group] = SPLITS[1 if i < validation else 2 if i < validation + test else 0]
    return [split_of[group] for group in groups]


def _held_out(count, fractions):
    """How many of a class's `count` groups are held out for (validation, test)."""
    if count < 3:
        return 0, 0
    return tuple(max(1, round(count * share)) if share else 0 for share in fractions[1:])
