"""What is in a folder of photos: every file read and decoded once, the bad ones named."""

import collections
import concurrent.futures
import csv
import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kerascnn._errors import InputError, one_of
from kerascnn._runs import atomic_path, said_simply
from kerascnn.data.decode import SUFFIXES, Decoder, expected_suffixes
from kerascnn.data.splits import SPLITS, stratified_split
from kerascnn.data.store import RowStore, cache_folder

__all__ = ["Finding", "Inventory", "Photo", "inspect_directory", "load_manifest"]

_SPLIT_FOLDERS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_WINDOW = 64  # photos in memory at a time
_MAX_BYTES = 256_000_000  # a larger file is not read at all


@dataclasses.dataclass
class Photo:
    """One usable photo, a row of the manifest: where it is, what it holds, what it is used for."""

    path: str  # relative to the root, "/" between parts
    digest: str  # SHA-256 of the file's bytes, hexadecimal
    label: str
    split: str


@dataclasses.dataclass
class Finding:
    """A problem, what was done about it ("skipped" or "kept"), and the files that have it."""

    problem: str
    action: str
    paths: list[str]


@dataclasses.dataclass
class Inventory:
    """The usable photos of a folder, and what was found wrong on the way."""

    root: Path
    photos: list[Photo]
    class_names: list[str]
    findings: list[Finding]

    def counts(self):
        """{split: {class name: number of photos}}."""
        table = {split: dict.fromkeys(self.class_names, 0) for split in SPLITS}
        for photo in self.photos:
            table[photo.split][photo.label] += 1
        return table

    def save(self, path):
        """Write the manifest (CSV: path, sha256, label, split), atomically."""
        with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["path", "sha256", "label", "split"])
            writer.writerows(dataclasses.astuple(photo) for photo in self.photos)


def load_manifest(path):
    """Read a manifest written by `Inventory.save` or found in a run folder.

    Args:
        path: str or path of the CSV file, or of a run folder that holds `manifest.csv`.

    Returns:
        List of `Photo`.

    Raises:
        InputError: the file is missing or is no manifest.
    """
    path = Path(path)
    path = path / "manifest.csv" if path.is_dir() else path
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Cannot read the manifest {path}: {error}.") from error
    if not rows or rows[0] != ["path", "sha256", "label", "split"]:
        raise InputError(f"{path} is no manifest: its first line must be path,sha256,label,split.")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 4 or len(row[1]) != 64 or row[3] not in SPLITS:
            raise InputError(f"{path} is damaged at line {number}: {','.join(row)[:80]!r}.")
    return [Photo(*row) for row in rows[1:]]


def inspect_directory(
    directory,
    decoder=None,
    *,
    splits=(0.8, 0.1, 0.1),
    seed=0,
    manifest=None,
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
        decoder: `Decoder` whose `image_size` is set; None means 224 x 224 RGB.
        splits: three shares for training, validation, test; used where there are no such folders.
        seed: int. Which photos fall into which split.
        manifest: path of a manifest, or None. The photos and splits listed there are used.
        on_error: "skip" (name and count bad files, go on) or "raise" (stop at the first).
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        `Inventory`.

    Raises:
        InputError: the folder is missing, empty, unreadable or nested too deep, fewer than two
            classes are usable, a manifest does not fit, or a file is bad and `on_error="raise"`.
    """
    one_of(on_error, ("skip", "raise"), "on_error")
    root = Path(directory)
    decoder = decoder or Decoder(image_size=224)
    findings = collections.defaultdict(list)
    files = _listed(root, load_manifest(manifest)) if manifest else _list_files(root, findings)
    photos = list(_examine(root, files, decoder, findings, on_error, progress))
    if manifest:
        _compare(photos, load_manifest(manifest), manifest)
    else:
        photos = _without_contradictions(photos, findings)
        photos = _assign_splits(photos, splits, seed, findings)
    return _finish(root, photos, findings)


def _finish(root, photos, findings):
    names = sorted({photo.label for photo in photos})
    usable = {photo.label for photo in photos if photo.split == "train"}
    listed = [Finding(problem, action, paths) for (problem, action), paths in findings.items()]
    if len(usable) < 2:
        bad = sum(len(f.paths) for f in listed if f.action == "skipped")
        raise InputError(
            f"{root} has {len(usable)} usable class{'' if len(usable) == 1 else 'es'}"
            f" ({', '.join(sorted(usable)) or 'no photo could be used'}); at least two are needed, "
            f"each a folder of photos.{f' {bad} files were unusable.' if bad else ''}"
        )
    for missing in sorted(set(names) - usable):
        paths = [photo.path for photo in photos if photo.label == missing]
        listed.append(Finding(f"class {missing!r} has no training photo", "skipped", paths))
    photos = [photo for photo in photos if photo.label in usable]
    return Inventory(Path(root), photos, sorted(usable), listed)


# --- which files -----------------------------------------------------------------------------


def _folders(path):
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except FileNotFoundError:
        raise InputError(f"There is no folder {path}.") from None
    except NotADirectoryError:
        raise InputError(
            f"{path} is a file. Pass the folder that holds the class folders."
        ) from None
    except PermissionError:
        raise InputError(f"No permission to read {path}.") from None
    visible = [entry for entry in entries if not entry.name.startswith(".")]
    return [e.name for e in visible if e.is_dir()], [e.name for e in visible if e.is_file()]


def _list_files(root, findings):
    """[(relative path, label, split or None)] of all files in class folders."""
    folders, _ = _folders(root)
    named = {
        _SPLIT_FOLDERS[name.lower()]: name for name in folders if name.lower() in _SPLIT_FOLDERS
    }
    if "train" in named and len(named) > 1:
        parts = [(f"{folder}/", split) for split, folder in named.items()]
    else:
        parts = [("", None)]
    files = []
    for prefix, split in parts:
        for label in _folders(root / prefix)[0]:
            inner, names = _folders(root / prefix / label)
            files += [
                (f"{prefix}{label}/{name}", label, split) for name in names if _is_content(name)
            ]
            for name in inner:
                findings["folder inside a class folder", "skipped"].append(
                    f"{prefix}{label}/{name}"
                )
    if not files:
        _refuse_empty(root)
    return files


def _is_content(name):
    return name.lower() not in ("thumbs.db", "desktop.ini")


def _refuse_empty(root):
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            depth = len(path.relative_to(root).parts)
            if depth == 1:
                raise InputError(
                    f"{root} holds photos directly ({path.name}). Put each class into a folder of its own."
                )
            raise InputError(
                f"The photos of {root} are nested too deep ({path.relative_to(root)}). "
                f"Pass the folder whose folders are the classes, here {path.parent.parent}."
            )
    raise InputError(f"{root} holds no photos. Expected one folder per class with photos in it.")


def _listed(root, photos):
    _folders(root)
    return [(photo.path, photo.label, photo.split) for photo in photos]


def _compare(photos, listed, manifest):
    found = {photo.path: photo.digest for photo in photos}
    gone = [photo.path for photo in listed if found.get(photo.path) != photo.digest]
    if gone:
        raise InputError(
            f"{len(gone)} of the {len(listed)} photos in {manifest} are missing, unreadable or changed, "
            f"first {gone[0]}. Restore them, or make a new manifest."
        )


# --- reading and decoding --------------------------------------------------------------------


def _examine(root, files, decoder, findings, on_error, progress):
    """Decode what the cache does not hold yet; yield the usable photos."""
    store = RowStore(cache_folder() / decoder.key, decoder.shape, "uint8")
    known = _Checks(cache_folder() / f"checks-{decoder.key}.jsonl")
    bar = tqdm(
        total=len(files), desc="Checking photos", unit="photo", disable=None if progress else True
    )
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool, bar:
        for start in range(0, len(files), _WINDOW):
            window = files[start : start + _WINDOW]
            read = lambda file: _read(root / file[0], decoder, store, known)  # noqa: E731
            results = list(pool.map(read, window))
            fresh = [result for result in results if result.pixels is not None]
            if fresh:
                store.append([r.digest for r in fresh], np.stack([r.pixels for r in fresh]))
            known.add(results)
            for (path, label, split), result in zip(window, results):
                if _note(path, result, findings, on_error):
                    yield Photo(path, result.digest, label, split)
            bar.update(len(window))


@dataclasses.dataclass
class _Result:
    digest: str | None
    notes: tuple = ()
    error: str | None = None
    pixels: np.ndarray | None = None


def _read(path, decoder, store, known):
    try:
        if path.stat().st_size > _MAX_BYTES:
            return _Result(None, error=f"huge: {path.stat().st_size:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        return _Result(None, error=f"unreadable: {error.strerror}")
    digest = hashlib.sha256(data).hexdigest()
    remembered = known.get(digest)
    if remembered and (remembered.error or digest in store):
        return remembered
    try:
        pixels, notes = decoder.decode(data)
    except InputError as error:
        return _Result(digest, error=str(error))
    return _Result(digest, notes, pixels=pixels)


class _Checks:
    """What was found about each file, by content hash: lines of JSON, appended."""

    def __init__(self, path):
        self.path = path
        self._results = {}
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                try:
                    digest, notes, error = json.loads(line)
                    self._results[digest] = _Result(digest, tuple(notes), error)
                except ValueError:  # the last line of a killed process
                    continue

    def get(self, digest):
        return self._results.get(digest)

    def add(self, results):
        new = {r.digest: r for r in results if r.digest and r.digest not in self._results}
        lines = "".join(json.dumps([r.digest, r.notes, r.error]) + "\n" for r in new.values())
        with said_simply(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(lines)
        self._results |= {d: dataclasses.replace(r, pixels=None) for d, r in new.items()}


def _note(path, result, findings, on_error):
    """Record what was noticed about a file; whether it is usable."""
    if result.error:
        if on_error == "raise":
            raise InputError(f"{path}: {result.error}.")
        kind = result.error.split(":")[0]
        findings[kind, "skipped"].append(
            f"{path} ({result.error})" if ":" in result.error else path
        )
        return False
    for note in result.notes:
        kind, _, value = note.partition(" ")
        if kind != "format":
            findings[note if kind != "mode" else f"not RGB ({value}), converted", "kept"].append(
                path
            )
        elif Path(path).suffix.lower() not in expected_suffixes(value):
            findings["file name does not fit its format", "kept"].append(f"{path} (is {value})")
    return True


# --- splits ----------------------------------------------------------------------------------


def _without_contradictions(photos, findings):
    """Drop photos that stand in several classes: nobody knows their label."""
    labels = collections.defaultdict(set)
    for photo in photos:
        labels[photo.digest].add(photo.label)
    contradicted = [photo.path for photo in photos if len(labels[photo.digest]) > 1]
    if contradicted:
        findings["same photo in two classes", "skipped"] += contradicted
    return [photo for photo in photos if len(labels[photo.digest]) == 1]


def _assign_splits(photos, fractions, seed, findings):
    """Give every photo a split: its folder's, or by hash; equal files never cross."""
    present = {photo.split for photo in photos} - {None}
    if present:
        photos = _without_leaks(photos, findings)
        fractions = [0 if split in present else share for split, share in zip(SPLITS, fractions)]
        fractions[0] = 1 - fractions[1] - fractions[2]
    free = [photo for photo in photos if photo.split in (None, "train")]
    parts = stratified_split([p.label for p in free], [p.digest for p in free], fractions, seed)
    for photo, split in zip(free, parts):
        photo.split = split
    _note_repeats(photos, findings)
    by_class = collections.Counter(photo.label for photo in photos)
    for label, count in sorted(by_class.items()):
        if count < 3:
            paths = [photo.path for photo in photos if photo.label == label]
            findings[f"class {label!r} has fewer than 3 photos", "kept"] += paths
    return photos


def _without_leaks(photos, findings):
    """Of equal files in several split folders only the most held-out one stays."""
    rank = {split: i for i, split in enumerate(SPLITS)}
    highest = collections.defaultdict(int)
    for photo in photos:
        highest[photo.digest] = max(highest[photo.digest], rank[photo.split])
    leaks = [photo for photo in photos if rank[photo.split] < highest[photo.digest]]
    if leaks:
        findings["also in a held-out split", "skipped"] += [photo.path for photo in leaks]
    dropped = {photo.path for photo in leaks}
    return [photo for photo in photos if photo.path not in dropped]


def _note_repeats(photos, findings):
    seen = collections.Counter(photo.digest for photo in photos)
    repeats = [photo.path for photo in photos if seen[photo.digest] > 1]
    if repeats:
        findings["same photo twice in a class", "kept"] += repeats
