"""What is in a folder of photos: every file read and decoded once, the bad ones named."""

import collections
import csv
import dataclasses
import re
from pathlib import Path

from kerascnn._errors import InputError, one_of
from kerascnn._runs import atomic_path
from kerascnn.data.decode import Decoder
from kerascnn.data.examine import examine, file_reader, stored_pixels
from kerascnn.data.folders import list_files, refuse_layout, visible
from kerascnn.data.near_duplicates import similar_digests
from kerascnn.data.splits import (
    SPLITS,
    assign_splits,
    checked_fractions,
    joined,
    named_groups,
)

__all__ = ["Finding", "Inventory", "Photo", "inspect_directory", "load_manifest"]

_HEADER = ["path", "sha256", "label", "split"]


@dataclasses.dataclass
class Photo:
    """One usable photo, a row of the manifest: where it is, what it holds, what it is used for.

    >>> Photo("cat/1.jpg", 64 * "0", "cat", "train").label
    'cat'
    """

    path: str  # relative to the root, "/" between parts
    digest: str  # SHA-256 of the file's bytes, hexadecimal
    label: str
    split: str
    notes: tuple = dataclasses.field(default=(), compare=False, repr=False)  # of `Decoder.decode`


@dataclasses.dataclass
class Finding:
    """A problem, what was done about it ("skipped" or "kept"), and the files that have it.

    >>> Finding("empty file", "skipped", ["cat/1.jpg"]).action
    'skipped'
    """

    problem: str
    action: str
    paths: list[str]


@dataclasses.dataclass
class Inventory:
    """The usable photos of a folder, and what was found wrong on the way.

    Attributes:
        root: path.
        photos: list of `Photo`.
        class_names: list of str, sorted.
        findings: list of `Finding`.
        similar: lists of content hashes of photos that look the same.
        quarantine: list of (path, reason): what is not used.
        together: lists of content hashes of photos that no split or fold may part: those that look
            the same, and those of one of the `groups`.

    >>> photos = [Photo("cat/1.jpg", 64 * "0", "cat", "test")]
    >>> Inventory(Path("photos"), photos, ["cat"], []).counts()
    {'train': {'cat': 0}, 'validation': {'cat': 0}, 'test': {'cat': 1}}
    """

    root: Path
    photos: list[Photo]
    class_names: list[str]
    findings: list[Finding]
    similar: list[list[str]] = dataclasses.field(default_factory=list)
    quarantine: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    together: list[list[str]] = dataclasses.field(default_factory=list)

    def counts(self):
        """{split: {class name: number of photos}}."""
        table = {split: dict.fromkeys(self.class_names, 0) for split in SPLITS}
        for photo in self.photos:
            table[photo.split][photo.label] += 1
        return table

    def save(self, path):
        """Write the manifest (CSV: path, sha256, label, split), atomically."""
        # All quoted, and bytes that are no UTF-8 as they are: file names hold anything.
        with (
            atomic_path(path) as partial,
            partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerow(_HEADER)
            writer.writerows([p.path, p.digest, p.label, p.split] for p in self.photos)


def load_manifest(path):
    """Read a manifest written by `Inventory.save` or found in a run folder.

    Args:
        path: str or path of the CSV file, or of a run folder that holds `manifest.csv`.

    Returns:
        List of `Photo`.

    Raises:
        InputError: the file is missing or is no manifest, or lets equal files cross splits.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "manifest.csv")
    >>> photos = [Photo("cat/1.jpg", 64 * "0", "cat", "train")]
    >>> Inventory(Path("photos"), photos, ["cat"], []).save(path)
    >>> load_manifest(path) == photos
    True
    """
    path = Path(path)
    path = path / "manifest.csv" if path.is_dir() else path
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.reader(file))
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"Cannot read the manifest {path}: {reason}.") from error
    if not rows or rows[0] != _HEADER:
        raise InputError(f"{path} is no manifest: its first line must be {','.join(_HEADER)}.")
    split_of = {}
    for number, row in enumerate(rows[1:], start=2):
        if not _is_row(row):
            raise InputError(f"{path} is damaged at row {number}: {','.join(row)[:80]!r}.")
        if split_of.setdefault(row[1], row[3]) != row[3]:
            raise InputError(
                f"{path} has the same photo in two splits, at row {number} again: {row[0]!r}. "
                "Remove one of the rows."
            )
    return [Photo(*row) for row in rows[1:]]


def _is_row(row):
    """Whether the cells are (path below the root, SHA-256, label, split)."""
    if len(row) != 4 or not re.fullmatch("[0-9a-f]{64}", row[1]) or row[3] not in SPLITS:
        return False
    parts = row[0].split("/")
    return parts[0] != "" and ".." not in parts and "\0" not in row[0]


def inspect_directory(
    directory,
    decoder=None,
    *,
    splits=(0.8, 0.1, 0.1),
    seed=0,
    manifest=None,
    groups=None,
    group_similar=True,
    on_error="skip",
    progress=True,
):
    """Read and decode every photo of a folder once; list the usable ones and the findings.

    Decoded pixels are kept in the cache (`cache_folder()`), found by the hash of the file's
    bytes, so a second look at the same photos decodes nothing. No file is changed or deleted.

    Args:
        directory: str or path: a folder of class folders, or of `train` / `validation` / `test`
            folders (also `val`, `valid`) of class folders. A split that is not there is taken
            from the training photos.
        decoder: `Decoder` with an `image_size`; None means 224 x 224 RGB.
        splits: three shares for training, validation, test; used where there are no such folders.
        seed: int. Which photos fall into which split.
        manifest: path of a manifest, or None. The photos and splits listed there are used.
        groups: function (path relative to `directory`, "/" between parts) -> what a photo is of,
            e.g. a patient or a scene; None for nothing. Photos of one such name stay on one side
            where splits and folds are made; where folders part them, they are named.
        group_similar: bool. Photos that look the same (see `find_near_duplicates`) stay on one side
            where splits and folds are made, and are named. The splits of a manifest stay, and
            nobody is named.
        on_error: "skip" (name and count bad files, go on) or "raise" (stop at the first).
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        `Inventory`.

    Raises:
        InputError: the folder is missing, empty, unreadable or nested too deep, fewer than two
            classes are usable, a manifest does not fit, `groups` fails, the cache's disk has too
            little room, or a file is bad and `on_error="raise"`.

    >>> import os, tempfile
    >>> from PIL import Image
    >>> root = Path(tempfile.mkdtemp())
    >>> os.environ["KERASCNN_CACHE"] = str(root / ".cache")  # or leave it: the user's cache folder
    >>> for i, name in enumerate(["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.jpg"]):
    ...     (root / name).parent.mkdir(exist_ok=True)
    ...     Image.new("RGB", (9, 9), (i, 0, 0)).save(root / name, "PNG")
    >>> inventory = inspect_directory(root, Decoder(8))
    >>> inventory.class_names, len(inventory.photos), inventory.findings[0].paths
    (['cat', 'dog'], 4, ['dog/4.jpg (is PNG)'])
    """
    one_of(on_error, ("skip", "raise"), "on_error")
    checked_fractions(splits)
    decoder = checked_decoder(decoder or Decoder(image_size=224))
    root = Path(directory)
    findings = collections.defaultdict(list)
    if manifest:
        visible(root)  # it is there
        listed = load_manifest(manifest)
        files = [(photo.path, photo.label, photo.split) for photo in listed]
    else:
        files = list_files(root, findings)
    readers = [(file, file_reader(root / file[0])) for file in files]
    unusable = {}
    examined = _noting(unusable, examine(readers, len(files), decoder, progress))
    photos = usable_photos(examined, findings, on_error)
    named = named_groups(photos, groups)
    if manifest:
        _compare(photos, listed, manifest)
    else:
        if not photos:
            refuse_layout(root)
        photos = without_contradictions(photos, findings)
    similar = similar_photos(photos, decoder, progress) if group_similar else []
    if not manifest:
        photos = assign_splits(photos, splits, seed, findings, similar, named)
    names = trainable(root, photos, findings)
    inventory = finished(root, photos, names, findings, similar, named)
    inventory.quarantine = _quarantine(inventory.findings, unusable)
    return inventory


def _noting(unusable, examined):
    for file, found in examined:
        if found.error:
            unusable[file[0]] = found.error
        yield file, found


def _quarantine(findings, unusable):
    """[(path, reason)] of all that is not used."""
    told = {f"{path} ({reason})" for path, reason in unusable.items()}
    skipped = [finding for finding in findings if finding.action == "skipped"]
    rest = [(path, finding.problem) for finding in skipped for path in finding.paths]
    return [*unusable.items(), *(row for row in rest if row[0] not in told)]


def similar_photos(photos, decoder, progress):
    """Lists of digests of the photos that look the same, from their pixels in the cache."""
    digests = [photo.digest for photo in photos]
    return similar_digests(digests, stored_pixels(decoder), decoder, progress)


def _compare(photos, listed, manifest):
    found = {photo.path: photo.digest for photo in photos}
    gone = [photo.path for photo in listed if found.get(photo.path) != photo.digest]
    if gone:
        raise InputError(
            f"{len(gone)} of the {len(listed)} photos in {manifest} are missing, unreadable or "
            f"changed, first {gone[0]!r}. Restore them, or make a new manifest."
        )


def checked_decoder(decoder):
    """`decoder` if it makes arrays of one shape, else an `InputError`."""
    if decoder.image_size is None:
        raise InputError("image_size must be an int or (height, width), e.g. 224. Received: None.")
    return decoder


def usable_photos(examined, findings, on_error="skip"):
    """The `Photo`s among [((path, label, split or None), `Examined`)]; the rest is in findings."""
    photos = []
    for (path, label, split), found in examined:
        if found.error and on_error == "raise":
            raise InputError(
                f"{path!r} cannot be used: {found.error}. Mend or remove it, or pass "
                'on_error="skip" to go on without it.'
            )
        for problem, text in found.problems(path):
            findings[problem, "skipped" if found.error else "kept"].append(text)
        if not found.error:
            photos.append(Photo(path, found.digest, label, split, found.notes))
    return photos


def without_contradictions(photos, findings):
    """Drop photos that stand in several classes: nobody knows their label."""
    labels = collections.defaultdict(set)
    for photo in photos:
        labels[photo.digest].add(photo.label)
    contradicted = [photo.path for photo in photos if len(labels[photo.digest]) > 1]
    if contradicted:
        findings["same photo in two classes", "skipped"] += contradicted
    return [photo for photo in photos if len(labels[photo.digest]) == 1]


def trainable(root, photos, findings):
    """Names of the classes that have training photos, sorted; an `InputError` if under two."""
    usable = sorted({photo.label for photo in photos if photo.split == "train"})
    if len(usable) < 2:
        bad = sum(len(paths) for (_, action), paths in findings.items() if action == "skipped")
        raise InputError(
            f"{root} has {len(usable)} usable class{'' if len(usable) == 1 else 'es'}"
            f" ({', '.join(usable) or 'no photo could be used for training'}); at least two are "
            f"needed, each with photos of its own.{f' {bad} files were unusable.' if bad else ''}"
        )
    return usable


def finished(root, photos, class_names, findings, similar=(), named=()):
    """The `Inventory` of photos that have splits; those of other classes are dropped."""
    for photo in photos:
        if photo.label not in class_names:
            problem = f"class {photo.label!r} has no training photo"
            findings[problem, "skipped"].append(photo.path)
    photos = [photo for photo in photos if photo.label in class_names]
    listed = [Finding(*problem, paths) for problem, paths in findings.items()]
    together = joined(similar, named)
    return Inventory(Path(root), photos, class_names, listed, list(similar), together=together)
