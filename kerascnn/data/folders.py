"""Which files of a folder are meant as photos of which class, and for which split."""

import collections
import os
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn.data.decode import SUFFIXES

__all__ = ["list_files", "refuse_layout", "visible"]

_SPLIT_FOLDERS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


def visible(path):
    """The names of the folders in a folder, and of its files; hidden ones are left out.

    Raises:
        InputError: there is no such folder, or it cannot be read.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "cat").mkdir(), (root / ".hidden").mkdir(), (root / "a.jpg").touch()
    (None, None, None)
    >>> visible(root)
    (['cat'], ['a.jpg'])
    """
    try:
        entries = sorted(entry for entry in path.iterdir() if entry.name[0] != ".")
        folders = [entry.name for entry in entries if entry.is_dir()]
        # A link to nowhere will be named as unreadable; pipes and devices are left alone.
        files = [e.name for e in entries if e.is_file() or (e.is_symlink() and not e.exists())]
    except FileNotFoundError:
        raise InputError(f"There is no folder {path}.") from None
    except NotADirectoryError:
        raise InputError(
            f"{path} is a file. Pass the folder that holds the class folders."
        ) from None
    except OSError as error:
        raise InputError(f"Cannot read the folder {path}: {error.strerror}.") from None
    return folders, [name for name in files if name.lower() not in _SYSTEM_FILES]


def list_files(root, findings):
    """All files in class folders; what stands elsewhere becomes a finding.

    Args:
        root: path of a folder of class folders, or of train / validation / test folders of them.
        findings: {(problem, action): paths}, a `defaultdict(list)`.

    Returns:
        [(path relative to the root, label, split or None)], sorted.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("train/cat/1.jpg", "val/cat/2.jpg"):
    ...     (root / name).parent.mkdir(parents=True), (root / name).touch()
    (None, None)
    (None, None)
    >>> list_files(root, collections.defaultdict(list))
    [('train/cat/1.jpg', 'cat', 'train'), ('val/cat/2.jpg', 'cat', 'validation')]
    """
    files = []
    for prefix, split in _parts(root, findings):
        folders, loose = visible(root / prefix)
        _note_loose(prefix, loose, findings)
        for label in folders:
            inner, names = visible(root / prefix / label)
            files += [(f"{prefix}{label}/{name}", label, split) for name in names]
            if not inner and not names:
                findings["empty class folder", "skipped"].append(prefix + label)
            for name in inner:
                path = f"{prefix}{label}/{name}"
                findings["folder inside a class folder", "skipped"].append(path)
    return files


def _parts(root, findings):
    """[(prefix of paths, split)]: train / validation / test folders, or the root alone."""
    folders, loose = visible(root)
    parts = {name: _SPLIT_FOLDERS.get(name.lower()) for name in folders}
    given = set(parts.values()) - {None}
    if "train" not in given or len(given) == 1:
        return [("", None)]
    _note_loose("", loose, findings)
    for name, split in parts.items():
        if split is None:
            findings["folder beside train, validation and test", "skipped"].append(name)
    return [(f"{name}/", split) for name, split in parts.items() if split]


def _note_loose(prefix, names, findings):
    for name in names:
        if Path(name).suffix.lower() in SUFFIXES:
            findings["photo outside the class folders", "skipped"].append(prefix + name)


def refuse_layout(root):
    """Say why no photo was found where photos are expected, if the layout is why.

    Raises:
        InputError: the photos stand too high or too deep, or there are none.

    >>> import tempfile
    >>> refuse_layout(Path(tempfile.mkdtemp()))
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: ... holds no photos that can be read (JPEG, ...
    """
    splits = len(_parts(root, collections.defaultdict(list))) > 1
    folder, photo = _first_photo(root)
    parts = folder.relative_to(root).parts
    too_deep = len(parts) - (2 if splits else 1)
    if too_deep < 0:
        raise InputError(
            f"{folder} holds photos directly ({photo!r}). Put each class into a folder of its own."
        )
    if too_deep > 0:
        mend = f"Pass the folder whose folders are the classes, here {folder.parent}."
        if splits:
            mend = "Class folders must stand directly in the train, validation and test folders."
        raise InputError(
            f"The photos of {root} are nested too deep ({'/'.join([*parts, photo])!r}). {mend}"
        )


def _first_photo(root):
    """(folder, name) of the file that is called like a photo."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for name in sorted(files):
            if name[0] != "." and Path(name).suffix.lower() in SUFFIXES:
                return Path(folder), name
    raise InputError(
        f"{root} holds no photos that can be read (JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP, PPM; not "
        "HEIC). Expected one folder per class with photos in it."
    )
