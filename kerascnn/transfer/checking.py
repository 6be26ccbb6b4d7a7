"""What is in a folder of photos and what is wrong with it, with or without a network's help."""

import collections
import csv
import dataclasses
from pathlib import Path

import numpy as np

from kerascnn._errors import InputError
from kerascnn._runs import atomic_path, said_simply, write_json
from kerascnn.data import (
    Decoder,
    Inventory,
    class_shift,
    find_suspicious_labels,
    inspect_directory,
    label_scores,
    photo_statistics,
)
from kerascnn.transfer import _check_page
from kerascnn.transfer.out_of_fold import feature_shift, out_of_fold_probabilities

__all__ = ["PhotoCheck", "check_inventory", "check_photos"]

_FEWEST = 5  # photos on each side of a feature-space test
_RARE = 0.01  # p-values below it are said to be more than chance


@dataclasses.dataclass
class PhotoCheck:
    """What `check_photos` found.

    Attributes:
        inventory: `Inventory`: photos, splits, findings, quarantine.
        decoder: `Decoder` the photos were read with.
        statistics: dict, see `photo_statistics`.
        similar: list of lists of `Photo`, which look the same.
        class_shift, feature_shift: dict split -> how it differs from the training photos, see the
            functions of these names; `feature_shift` is None without features.
        suspicious: None without features; else a list of dicts of "photo" (`Photo`), "suggested"
            (class name) and "score" (0 to 1, see `label_scores`), the worst label first.
    """

    inventory: Inventory
    decoder: Decoder
    statistics: dict
    similar: list
    class_shift: dict
    feature_shift: dict | None = None
    suspicious: list | None = None

    def imbalance(self):
        """Photos of the largest class, divided by those of the smallest."""
        sizes = collections.Counter(photo.label for photo in self.inventory.photos)
        return max(sizes.values()) / min(sizes.values())

    def differences(self):
        """Sentences about the splits that differ from the training photos by more than chance."""
        said = []
        for split, shares in self.class_shift.items():
            if shares["p_value"] < _RARE:
                share = f"{100 * shares['total_variation']:.0f} %"
                said.append(f"{split}: the shares of the classes differ by {share}")
            found = (self.feature_shift or {}).get(split)
            if found and found["p_value"] < _RARE:
                said.append(f"{split}: features tell its photos apart (AUC {found['auc']:.2f})")
        return said

    def as_dict(self):
        """Everything, in plain values, as `check.json` holds it."""
        inventory = self.inventory
        return {
            "root": str(inventory.root),
            "classes": inventory.class_names,
            "counts": inventory.counts(),
            "imbalance": self.imbalance(),
            "findings": [vars(finding) for finding in inventory.findings],
            "quarantine": [dict(zip(("path", "reason"), row)) for row in inventory.quarantine],
            "near_duplicates": [[_row(photo) for photo in group] for group in self.similar],
            "statistics": self.statistics,
            "class_shift": self.class_shift,
            "feature_shift": self.feature_shift,
            "suspicious_labels": self.suspicious
            and [{**_row(row["photo"]), **_without_photo(row)} for row in self.suspicious],
        }

    def save(self, folder):
        """Write `check.json`, `check.html` and `quarantine.csv` into a folder, each atomically."""
        folder = Path(folder)
        with said_simply(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _check_page.write(folder / "check.html", self)
        with (
            atomic_path(folder / "quarantine.csv") as partial,
            partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            rows = [("path", "reason"), *self.inventory.quarantine]
            csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
        write_json(folder / "check.json", self.as_dict())


def _row(photo):
    return {"path": photo.path, "label": photo.label, "split": photo.split}


def _without_photo(row):
    return {key: value for key, value in row.items() if key != "photo"}


def check_photos(
    directory, image_size=224, *, network=None, seed=0, on_error="skip", progress=True
):
    """Look at a folder of photos: what is there, what is wrong, what to do about it.

    Everything that `inspect_directory` finds, statistics of the photos, and whether the splits have
    the same shares of classes. With a network also which labels are probably wrong (linear
    classifiers on its features, each asked about photos it has not seen; see
    `find_suspicious_labels`), and whether features tell the splits apart (`feature_shift`). No file
    is changed; a second look costs little, since all that is slow is kept in the cache.

    Args:
        directory: str or path, as for `from_directory`.
        image_size: int or (height, width) in pixels; with a network, its own.
        network: flat functional `keras.Model` from raw photos to features, e.g.
            `kc.transfer.backbone("MobileNetV2")`, or None.
        seed: int. Decides splits and folds.
        on_error: "skip" (bad files are listed) or "raise" (at the first).
        progress: bool.

    Returns:
        `PhotoCheck`; `result.save("check/")` writes a page, JSON and the list of unused files.

    Raises:
        InputError: see `inspect_directory`.

    >>> import os, tempfile
    >>> from PIL import Image
    >>> root = Path(tempfile.mkdtemp())
    >>> os.environ["KERASCNN_CACHE"] = str(root / ".cache")  # or leave it: the user's cache folder
    >>> for i, name in enumerate(["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.jpg"]):
    ...     (root / name).parent.mkdir(exist_ok=True)
    ...     Image.new("RGB", (9, 9), (i, 0, 0)).save(root / name, "PNG")
    >>> result = check_photos(root, 8)
    >>> result.inventory.findings[0].paths, result.imbalance()
    (['dog/4.jpg (is PNG)'], 1.0)
    """
    channels = 3
    if network is not None:
        *image_size, channels = network.input_shape[1:]
    decoder = Decoder(image_size, channels)
    inventory = inspect_directory(
        directory, decoder, seed=seed, on_error=on_error, progress=progress
    )
    return check_inventory(inventory, decoder, network, seed=seed, progress=progress)


def check_inventory(inventory, decoder, network=None, *, seed=0, progress=True):
    """`check_photos` of a folder that `inspect_directory` has read with this decoder."""
    photos = inventory.photos
    counts = {split: list(classes.values()) for split, classes in inventory.counts().items()}
    held = [split for split in ("validation", "test") if any(counts[split])]
    found = PhotoCheck(
        inventory,
        decoder,
        photo_statistics(photos, decoder, progress),
        _similar_groups(inventory),
        {split: class_shift(counts["train"], counts[split]) for split in held},
    )
    if network is not None:
        leader = {digest: group[0] for group in inventory.similar for digest in group}
        groups = np.array([leader.get(photo.digest, photo.digest) for photo in photos])
        features = _features(inventory, decoder, network, progress)
        found.suspicious = _suspicious(inventory, features, groups, seed)
        found.feature_shift = _feature_shifts(photos, features, groups, held, seed)
    return found


def _similar_groups(inventory):
    by_digest = collections.defaultdict(list)
    for photo in inventory.photos:
        by_digest[photo.digest].append(photo)
    groups = [[p for digest in g for p in by_digest[digest]] for g in inventory.similar]
    return [group for group in groups if len({photo.digest for photo in group}) > 1]


def _features(inventory, decoder, network, progress):
    """Features of the photos, in their order, whatever their splits."""
    from kerascnn.data.pipeline import Split, StoredPixels
    from kerascnn.transfer.features import extract_features

    if tuple(network.input_shape[1:]) != decoder.shape:
        raise InputError(
            f"The network reads photos {tuple(network.input_shape[1:])}, but these are "
            f"{decoder.shape}. Pass image_size={network.input_shape[1]}."
        )
    read = StoredPixels(decoder, inventory.root)
    photos = Split(read, inventory.photos, inventory.class_names, decoder)
    return np.asarray(extract_features(network, photos, progress=progress))


def _suspicious(inventory, features, groups, seed):
    photos, names = inventory.photos, inventory.class_names
    labels = np.array([names.index(photo.label) for photo in photos])
    probabilities = out_of_fold_probabilities(features, labels, groups, seed)
    scores = label_scores(probabilities, labels)
    return [
        {"photo": photos[i], "suggested": names[suggested], "score": float(scores[i])}
        for i, suggested in zip(*find_suspicious_labels(probabilities, labels))
    ]


def _feature_shifts(photos, features, groups, held, seed):
    """{split: `feature_shift` of the training photos and it}, where both have photos enough."""
    split = np.array([photo.split for photo in photos])
    shifts = {}
    for name in held:
        rows = [np.flatnonzero(split == part) for part in ("train", name)]
        if min(map(len, rows)) >= _FEWEST:
            first, second = (features[part] for part in rows)
            shifts[name] = feature_shift(first, second, groups[np.concatenate(rows)], seed)
    return shifts
