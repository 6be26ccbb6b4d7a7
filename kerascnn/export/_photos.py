"""The photos that an exported network is calibrated with and compared on."""

import collections
import contextlib
import dataclasses
import json
from pathlib import Path

import numpy as np

from kerascnn._errors import InputError
from kerascnn.data import Decoder, ImageData, load_manifest
from kerascnn.data.decode import SUFFIXES
from kerascnn.data.folders import list_files, visible

_COMPARED, _CALIBRATING = 1000, 200  # photos at most, evenly spread over what there is
_NOISE = 32  # images
_ANY_SIZE = 224  # of networks that take any


@dataclasses.dataclass
class Photos:
    """uint8 images (N, H, W, C) to compare on and to calibrate with, and where they are from.

    `truth`: int64 class numbers of `images`, or None. Without photos, `calibration` is None.
    """

    source: str
    images: np.ndarray
    truth: np.ndarray | None = None
    calibration: np.ndarray | None = None


def photos_for(photos, run, labels, shape):
    """The `Photos` of a data set or folder; without, of the run's manifest; without, noise.

    Args:
        photos: `ImageData`, folder, or None.
        run: path of the run folder, or None.
        labels: dict as in labels.json; its class_names may be None.
        shape: (height, width, channels) of the network's input.
    """
    if isinstance(photos, ImageData):
        return _of_data(photos, labels, shape)
    if photos is not None:
        return _of_files(Path(photos), _listed(Path(photos)), labels)
    if run and (root := _root_of(run)):
        rows = [(photo.path, photo.label, photo.split) for photo in load_manifest(run)]
        rows = [row for row in rows if (root / row[0]).is_file()]
        if rows:
            return _of_files(root, rows, labels)
    shape = (_NOISE, *(size or _ANY_SIZE for size in shape[:2]), shape[2])
    noise = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    return Photos("noise, as no photos were given", noise)


def _of_data(data, labels, shape):
    if any(size not in (None, given) for size, given in zip(shape, data.image_shape)):
        raise InputError(f"The model takes {tuple(shape)} photos, the data has {data.image_shape}.")
    compared = data.validation if data.validation.num_photos else data.train
    chosen = _spread(range(compared.num_photos), _COMPARED)
    calibrating = _spread(range(data.train.num_photos), _CALIBRATING)
    return Photos(
        f"{len(chosen)} {compared.name} photos",
        compared.images(chosen),
        compared.labels[chosen] if data.class_names == labels["class_names"] else None,
        data.train.images(calibrating),
    )


def _root_of(run):
    """The folder that the run's photos were in, if the run can say."""
    settings = run / "config.json"
    if not (settings.is_file() and (run / "manifest.csv").is_file()):
        return None
    return Path(json.loads(settings.read_text("utf-8"))["photos"])


def _listed(root):
    """[(path, label or None, split or None)] of class folders, or of a folder of photos."""
    rows = list_files(root, collections.defaultdict(list))
    rows = rows or [(name, None, None) for name in visible(root)[1]]
    rows = [row for row in rows if Path(row[0]).suffix.lower() in {"", *SUFFIXES}]
    if not rows:
        raise InputError(f"{root} holds no photos.")
    return rows


def _of_files(root, rows, labels):
    """Validation photos (or test, or training) to compare; others, of training, to calibrate.

    Where nothing says which are which, every other photo calibrates.
    """
    parts = {split for _, _, split in rows}
    held = next(part for part in ("validation", "test", "train", None) if part in parts)
    compared = [row for row in rows if row[2] == held]
    calibrating = [row for row in rows if row[2] == "train"]
    if parts == {held}:
        compared, calibrating = compared[::2], compared[1::2]
    decoder = Decoder(labels["image_size"] or _ANY_SIZE, labels["channels"], labels["resize"])
    images, names = _read(root, _spread(compared, _COMPARED), decoder)
    calibration, _ = _read(root, _spread(calibrating, _CALIBRATING), decoder)
    if images is None:
        raise InputError(f"None of the files in {root} is a usable photo.")
    number = {name: i for i, name in enumerate(labels["class_names"] or ())}
    known = set(names) <= set(number)
    truth = np.array([number[name] for name in names]) if known else None
    return Photos(f"{len(images)} {held or 'of the'} photos in {root}", images, truth, calibration)


def _spread(rows, most):
    """At most `most` of the rows, evenly spread."""
    chosen = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return [rows[i] for i in chosen]


def _read(root, rows, decoder):
    """(uint8 images or None, labels) of the files that are photos."""
    images, names = [], []
    for path, name, _ in rows:
        with contextlib.suppress(InputError):  # training has named what is no photo
            images.append(decoder.read(root / path))
            names.append(name)
    return np.stack(images) if images else None, names
