"""What the photos of a folder are like: sizes, formats, colours."""

import collections

import numpy as np

from kerascnn.data.examine import stored_pixels
from kerascnn.data.kept import kept_rows
from kerascnn.data.store import RowStore, cache_folder

__all__ = ["photo_statistics"]

_GREY = 2.0  # mean difference between channels, in levels, up to which a photo is grey


def photo_statistics(photos, decoder, progress=True):
    """Sizes and formats of the files, means and deviations of the decoded pixels.

    The pixels are read from the cache once; sums of each photo are kept by its content hash.

    Args:
        photos: list of `Photo` that were read with `decoder`, at least one.
        decoder: `Decoder`.
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        Dict of "width", "height" (upright, in pixels), "aspect" (width / height) and "bytes" (of
        the file), each a dict of "min", "median", "max"; "formats" and "modes" (how many photos of
        each; mode RGB unless it was converted); "mean" and "std" (list of floats, 0-255, one for
        each channel, over all pixels of all photos); "grey" (paths of grey photos among RGB ones:
        channels that differ by at most 2 levels on average).

    >>> import os, tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from kerascnn.data import Decoder, inspect_directory
    >>> root = Path(tempfile.mkdtemp())
    >>> os.environ["KERASCNN_CACHE"] = str(root / ".cache")  # or leave it: the user's cache folder
    >>> for i, name in enumerate(["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"]):
    ...     (root / name).parent.mkdir(parents=True, exist_ok=True)
    ...     Image.new("RGB", (9, 6), (i, 0, 200)).save(root / name)
    >>> photos = inspect_directory(root, Decoder(8)).photos
    >>> found = photo_statistics(photos, Decoder(8))
    >>> found["width"], found["mean"], found["formats"]
    ({'min': 9, 'median': 9, 'max': 9}, [1.5, 0.0, 200.0], {'PNG': 4})
    """
    facts = [dict(note.split(" ", 1) for note in p.notes if " " in note) for p in photos]
    sizes = np.array([[int(side) for side in fact["size"].split("x")] for fact in facts])
    channels = _channels(photos, decoder, progress)
    return {
        "width": _range(sizes[:, 0]),
        "height": _range(sizes[:, 1]),
        "aspect": _range(sizes[:, 0] / sizes[:, 1]),
        "bytes": _range([int(fact["bytes"]) for fact in facts]),
        "formats": _counts(fact["format"] for fact in facts),
        "modes": _counts(fact.get("mode", "RGB") for fact in facts),
        **channels,
    }


def _channels(photos, decoder, progress):
    digests = list(dict.fromkeys(photo.digest for photo in photos))
    width = 2 * decoder.channels + 1
    store = RowStore(cache_folder() / f"colours-v1-{decoder.key}", (width,), "float64")
    pixels = stored_pixels(decoder)
    rows = kept_rows(store, digests, lambda part: _sums(pixels(part)), "Colours", progress)
    sums = dict(zip(digests, store.read(rows)))
    table = np.stack([sums[photo.digest] for photo in photos])
    mean, square = np.split(table[:, :-1].mean(axis=0), 2)
    grey = [p.path for p, s in zip(photos, table[:, -1]) if s <= _GREY and decoder.channels == 3]
    std = np.sqrt(np.maximum(square - mean**2, 0))
    return {"mean": mean.tolist(), "std": std.tolist(), "grey": grey}


def _sums(images):
    """For each photo the means of its channels, of their squares, and how coloured it is."""
    rows = []
    for image in images:
        flat = image.reshape(-1, image.shape[-1]).astype(np.float64)
        rows.append([*flat.mean(axis=0), *(flat**2).mean(axis=0), np.ptp(flat, axis=1).mean()])
    return rows


def _range(values):
    """Plain numbers, for JSON."""
    low, middle, high = (np.min(values), np.median(values), np.max(values))
    return {"min": _plain(low), "median": _plain(middle), "max": _plain(high)}


def _plain(value):
    return int(value) if value == int(value) else round(float(value), 4)


def _counts(values):
    return dict(collections.Counter(values).most_common())
