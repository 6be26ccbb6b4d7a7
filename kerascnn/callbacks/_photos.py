"""Which photos a run is trained on, written once beside its checkpoints, to name what changed."""

import json
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn._runs import is_writer, write_json

__all__ = ["changed_photos", "keep_photos"]

_NAME = "photos.json"


def keep_photos(folder, data):
    """Write {SHA-256: [path, class]} of the photos of `data`, if it has any, into `folder`.

    It only makes a message better, so a disk that refuses is nobody's trouble here.
    """
    if hasattr(data, "manifest") and is_writer():
        try:
            write_json(Path(folder, _NAME), data.manifest())
        except (InputError, OSError):
            return


def changed_photos(folder, data):
    """A phrase each about photos that are new, gone or labelled anew since `keep_photos`.

    >>> changed_photos("no/such/folder", None)
    []
    """
    try:
        before = json.loads(Path(folder, _NAME).read_text("utf-8"))
        now = data.manifest()
    except (AttributeError, OSError, ValueError):
        return []
    changes = {
        "new": [row[0] for digest, row in now.items() if digest not in before],
        "gone": [row[0] for digest, row in before.items() if digest not in now],
        "of another class": [
            row[0] for digest, row in now.items() if row[1] != before.get(digest, row)[1]
        ],
    }
    return [
        f"{len(paths)} {'photo is' if len(paths) == 1 else 'photos are'} {what}, "
        f"{'' if len(paths) == 1 else 'first '}{paths[0]!r}"
        for what, paths in changes.items()
        if paths
    ]
