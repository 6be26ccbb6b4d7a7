"""Disjoint stratified splits that depend on the seed and the photos alone."""

import collections
import hashlib
import itertools

from kerascnn._errors import InputError

__all__ = ["stratified_split"]

SPLITS = ("train", "validation", "test")
_LOOKS = {  # what two photos that look the same differ in: what is said
    "split": "looks the same as a photo in another split",
    "label": "looks the same as a photo of another class",
    "digest": "looks the same as another photo of its class",
}


def stratified_split(labels, groups, fractions=(0.8, 0.1, 0.1), seed=0):
    """Assign each item to "train", "validation" or "test", class by class.

    Items of one group never fall into different splits: pass a photo's content hash and equal
    files stay together, or a patient's number. The order in which groups are dealt is a hash of
    (seed, group), so the same photos are split alike on every machine and in any order of files.
    Every class of three or more groups has at least one group in each split whose fraction is
    above 0; a class of one or two groups trains only. Groups of more than a tenth of their class
    train if others can be held out.

    Args:
        labels: sequence of class names or numbers, one per item.
        groups: sequence of strs, one per item. All items of a group should have one label; the
            label of a group's first item decides.
        fractions: three floats >= 0 that sum to 1: training, validation, test.
        seed: int.

    Returns:
        List of split names, one per item.

    Raises:
        InputError: the fractions are not three shares that sum to 1, or there is not one group
            for each label.

    >>> parts = stratified_split(["cat"] * 10 + ["dog"] * 10, [f"photo{i}" for i in range(20)])
    >>> parts[:10].count("train"), parts[10:].count("validation"), parts.count("test")
    (8, 1, 2)
    """
    fractions = checked_fractions(fractions)
    if len(labels) != len(groups):
        raise InputError(
            f"Expected one group for each label. Received: {len(labels)} labels, "
            f"{len(groups)} groups."
        )
    label_of = {}
    for label, group in zip(labels, groups):
        label_of.setdefault(group, label)
    by_class = collections.defaultdict(list)
    for group, label in label_of.items():
        by_class[label].append(group)
    split_of = {}
    sizes = collections.Counter(groups)
    for members in by_class.values():
        large = sum(sizes[group] for group in members) / 10
        members.sort(key=lambda group: (sizes[group] > large, dealt_order(seed, group)))
        validation, test = _held_out(len(members), fractions)
        for i, group in enumerate(members):
            split_of[group] = SPLITS[1 if i < validation else 2 if i < validation + test else 0]
    return [split_of[group] for group in groups]


def dealt_order(seed, group):
    """What groups are sorted by before they are dealt: a hash, alike on every machine."""
    return hashlib.sha256(f"{seed}:{group}".encode()).digest()


def _held_out(count, fractions):
    """How many of a class's `count` groups are held out for (validation, test)."""
    if count < 3:
        return 0, 0
    held = [max(1, round(count * share)) if share else 0 for share in fractions[1:]]
    while sum(held) > count - (fractions[0] > 0):  # rounded up together
        held[held.index(max(held))] -= 1
    if not fractions[0]:  # rounded down together
        held[held.index(max(held))] += count - sum(held)
    return held


def checked_fractions(fractions):
    """`fractions` as a tuple, or an `InputError`."""
    try:
        shares = tuple(map(float, fractions))
    except (TypeError, ValueError):
        shares = ()
    if len(shares) != 3 or not min(shares) >= 0 or not abs(sum(shares) - 1) <= 1e-6:
        raise InputError(
            "Splits must be three shares >= 0 for training, validation and test that sum to 1, "
            f"e.g. (0.8, 0.1, 0.1). Received: {str(fractions)[:80]}."
        )
    return shares


def is_missing(value):
    """Whether it is None, NaN or pandas' NA: what tables have for nothing.

    >>> [is_missing(value) for value in (None, float("nan"), "", 0)]
    [True, True, False, False]
    """
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA is neither true nor false
        return True


def named_groups(photos, groups):
    """Lists of digests of the photos that have one name, each name that there is.

    Args:
        photos: list of `Photo`.
        groups: function (path) -> name, or None or NaN for a photo of its own; or None.

    Raises:
        InputError: `groups` is no function, or it fails or gives no name for a photo.
    """
    if groups is None:
        return []
    if not callable(groups):
        raise InputError(
            "`groups` must be a function from a photo's path to the name of its patient, scene, "
            f"..., or None. Received: {groups!r}."
        )
    found = collections.defaultdict(list)
    for photo in photos:
        try:
            name = groups(photo.path)
            if not is_missing(name):
                found[name].append(photo.digest)
        except Exception as error:  # of the function, or of a name such as a list
            raise InputError(
                f"`groups` fails for the photo {photo.path!r}: {type(error).__name__}: {error}."
            ) from error
    return list(found.values())


def joined(*groupings):
    """Lists of the digests that are connected in any of these lists of lists.

    >>> joined([["a", "b"], ["c", "d"]], [["b", "e"], ["f"]])
    [['a', 'b', 'e'], ['c', 'd']]
    """
    parent = {}

    def leader(digest):
        while parent.setdefault(digest, digest) != digest:
            digest = parent[digest]
        return digest

    for group in itertools.chain(*groupings):
        for digest in group:
            parent[leader(digest)] = leader(group[0])
    members = collections.defaultdict(list)
    for digest in parent:
        members[leader(digest)].append(digest)
    return [group for group in members.values() if len(group) > 1]


def assign_splits(photos, fractions, seed, findings, similar=(), named=()):
    """Give every photo a split, so that equal files never cross; the photos that are left.

    Nor do photos that look the same or are of one name, except between splits that are given: there
    they are named.

    Args:
        photos: list of `Photo`; `split` is None where it is free, else it is kept. What has no
            photos of its own is taken from the free ones and those of "train".
        fractions: three shares. seed: int.
        findings: {(problem, action): paths}; what is noticed is added.
        similar: lists of digests, see `similar_digests`.
        named: lists of digests, see `named_groups`.
    """
    leader = {digest: group[0] for group in joined(similar, named) for digest in group}
    fractions = checked_fractions(fractions)
    given = {photo.split for photo in photos} - {None}
    if given:
        photos = _without_leaks(photos, findings)
        _, *held = (0 if part in given else share for part, share in zip(SPLITS, fractions))
        fractions = (max(0.0, 1 - sum(held)), *held)
    free = [photo for photo in photos if photo.split in (None, "train")]
    groups = [leader.get(photo.digest, photo.digest) for photo in free]
    parts = stratified_split([photo.label for photo in free], groups, fractions, seed)
    for photo, part in zip(free, parts):
        photo.split = part
    _note_repeats(photos, findings)
    _note_similar(photos, {d: group[0] for group in similar for d in group}, findings)
    _note_crossing(photos, named, findings)
    _note_small_classes(photos, findings)
    return photos


def _without_leaks(photos, findings):
    """Of equal files in several splits only those in the most held-out one stay."""
    rank = {split: i for i, split in enumerate((None, *SPLITS))}
    highest = collections.defaultdict(int)
    for photo in photos:
        highest[photo.digest] = max(highest[photo.digest], rank[photo.split])
    kept = []
    for photo in photos:
        if rank[photo.split] < highest[photo.digest]:
            findings["also in a held-out split", "skipped"].append(photo.path)
        else:
            kept.append(photo)
    return kept


def _note_repeats(photos, findings):
    seen = collections.Counter((photo.digest, photo.label) for photo in photos)
    repeats = [photo.path for photo in photos if seen[photo.digest, photo.label] > 1]
    if repeats:
        findings["same photo twice in a class", "kept"] += repeats


def _note_similar(photos, leader, findings):
    """Name the photos that look the same as one in another split or class, or else as any."""
    groups = collections.defaultdict(list)
    for photo in photos:
        if photo.digest in leader:
            groups[leader[photo.digest]].append(photo)
    for group in groups.values():
        apart = [key for key in _LOOKS if len({getattr(photo, key) for photo in group}) > 1]
        for key in apart if len(apart) == 1 else apart[:-1]:
            for photo in group:
                twin = next(t for t in group if getattr(t, key) != getattr(photo, key))
                findings[_LOOKS[key], "kept"].append(f"{photo.path} (like {twin.path})")


def _note_crossing(photos, named, findings):
    """Name the photos outside training whose patient, scene, ... is in another split too."""
    split_of = {photo.digest: photo.split for photo in photos}
    crossing = set()
    for group in named:
        if len({split_of[digest] for digest in group if digest in split_of}) > 1:
            crossing.update(group)
    if paths := [p.path for p in photos if p.digest in crossing and p.split != "train"]:
        findings["its group is in another split too", "kept"] += paths


def _note_small_classes(photos, findings):
    by_class = collections.defaultdict(list)
    for photo in photos:
        by_class[photo.label].append(photo)
    for label, members in sorted(by_class.items()):
        if len({photo.digest for photo in members}) < 3:
            paths = [photo.path for photo in members]
            findings[f"class {label!r} has fewer than 3 photos", "kept"] += paths
