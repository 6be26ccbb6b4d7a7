"""Photos that look the same: copies, resized, compressed, brightened, cropped or mirrored."""

import functools
import hashlib
import json
import logging

import numpy as np
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kerascnn._errors import InputError
from kerascnn._runs import write_json
from kerascnn.data.alignment import fine, halved, inner_part, likeness, signatures
from kerascnn.data.kept import BLOCK, kept_rows, on_all_cores
from kerascnn.data.store import RowStore, cache_folder

__all__ = ["find_near_duplicates", "similar_digests", "thumbnails"]

_log = logging.getLogger("kerascnn")

_SIDE = 64  # pixels of a thumbnail
_BITS = 10  # of 64, that the hashes of two candidates may differ in
_NEAREST = 16  # candidates a photo has at most
_WORTH = 0.6  # product of signatures from which two candidates are compared closely
_ALIKE = 0.8  # `likeness` of near duplicates
_PLAIN = 0.5  # grey levels of fine structure, in the median pixel, below which a photo is plain
_SMALLEST = 32  # pixels a side; smaller images hold too little to tell copies from others
_MOST = 50_000  # photos that are compared with each other: the time grows with their square
_VERSION = "v1"  # of what is kept in the cache; another rule needs another one


def find_near_duplicates(images, *, progress=False):
    """Groups of images that show the same picture.

    Found are copies that were compressed again, resized, made brighter or grey, mirrored, or
    cropped by up to a tenth of each side, and these together; not turned ones. Four 64-bit
    perceptual hashes of each image (DCT of a 32 x 32 thumbnail against its median: Zauner 2010,
    "Implementation and Benchmarking of Perceptual Image Hash Functions", Sec. 3.2.1; of it, its
    inner 90 %, and both mirrored) name candidates, at most 16 for an image; `likeness` decides.
    Images under 32 pixels a side, and those of which more than half is perfectly plain (drawings,
    digits, cut-out products), are left out: they agree too easily.

    Measured on 250 of 2,337 photos of clothing, each altered and put beside all of them: found were
    all that were saved as JPEG of quality 10, at a quarter of the size, at 0.7 or 1.2 times the
    brightness, at 1.3 times the contrast, in grey, mirrored, or without 5 % of the width and height
    on every side; 99.6 % of those without 2.5 %, 99.2 % of those mirrored, cropped by 2.5 %,
    brightened, halved and compressed at once; 9 % of those cropped by 10 %, 8 % of those turned by
    two degrees. Among the originals one pair was named: one photo, in two classes.

    Args:
        images: uint8 array (N, H, W, 1 or 3), values 0-255.
        progress: bool. Progress bars on stderr if that is a terminal.

    Returns:
        List of lists of ints: the numbers of the images of each group, ascending.

    Raises:
        InputError: the images have another dtype or shape.

    >>> photos = np.random.default_rng(0).integers(256, size=(3, 80, 80, 1), dtype="uint8")
    >>> photos[2] = photos[0, :, ::-1] // 2
    >>> find_near_duplicates(photos)
    [[0, 2]]
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise InputError(
            "images must be uint8 of shape (N, H, W, 1 or 3). "
            f"Received: {images.dtype} of shape {images.shape}."
        )
    if min(images.shape[1:3]) < _SMALLEST:
        return []
    return _groups(thumbnails(images).__getitem__, len(images), progress)


def similar_digests(digests, pixels, decoder, progress=True):
    """Which photos look the same, remembered for the set of their content hashes.

    More than 50,000 are not compared, and the log says so: it would take minutes, then hours.

    Args:
        digests: strs, the hashes of the photos' bytes.
        pixels: function (list of digests) -> uint8 array (n, H, W, C), the decoded photos.
        decoder: `Decoder` that they came from.
        progress: bool.

    Returns:
        Sorted list of sorted lists of digests: the groups of two and more.

    >>> similar_digests([], None, None)
    []
    """
    digests = sorted(set(digests))
    if len(digests) < 2 or min(decoder.image_size) < _SMALLEST:
        return []
    if len(digests) > _MOST:
        _log.warning(
            "%s photos are too many to look for those that look the same (at most %s): only equal "
            "files are kept together.", f"{len(digests):,}", f"{_MOST:,}"
        )  # fmt: skip
        return []
    folder = cache_folder() / f"near-duplicates-{_VERSION}-{decoder.key}"
    path = folder / f"{hashlib.sha256(' '.join(digests).encode()).hexdigest()[:32]}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):  # not there, or damaged
        pass
    store = RowStore(folder, (_SIDE, _SIDE), "uint8")
    rows = kept_rows(store, digests, lambda d: thumbnails(pixels(d)), "Thumbnails", progress)
    groups = _groups(lambda numbers: store.read(rows[numbers]), len(digests), progress)
    named = [[digests[i] for i in group] for group in groups]
    write_json(path, named)
    return named


def thumbnails(images):
    """Grey thumbnails, uint8 (N, 64, 64), of uint8 images (N, H, W, 1 or 3).

    >>> thumbnails(np.full((1, 200, 300, 3), 7, "uint8"))[0, :2, :2].tolist()
    [[7, 7], [7, 7]]
    """
    small = np.empty((len(images), _SIDE, _SIDE), np.uint8)
    for i, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("L")
        small[i] = picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return small


def _groups(read, count, progress):
    """Lists of numbers of the `count` thumbnails that `read(numbers)` returns, all unlike alone."""
    if not count:
        return []
    each_block = functools.partial(on_all_cores, progress=progress)
    looks = each_block(lambda low: _look(read(_block(low, count))), count, "Hashes")
    hashes, marks = (np.concatenate(part) for part in zip(*looks))
    found = each_block(lambda low: _candidates(hashes, low), count, "Comparing photos")
    pairs, starts = _worth_a_look(np.unique(np.concatenate(found), axis=0), marks)

    def alike(low):
        part = slice(low, low + BLOCK)
        first, second = read(pairs[part, 0]), read(pairs[part, 1])
        mirrored = pairs[part, 2] == 1
        first[mirrored] = first[mirrored, :, ::-1]
        return likeness(first, second, starts[part]) >= _ALIKE

    same = np.concatenate([[], *each_block(alike, len(pairs), "Similar pairs")]).astype(bool)
    edges = coo_array((np.ones(same.sum()), tuple(pairs[same, :2].T)), shape=(count, count))
    number = connected_components(edges, directed=False)[1]
    order = np.argsort(number, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)
    return sorted(group.tolist() for group in groups if len(group) > 1)


def _block(low, count):
    return np.arange(low, min(low + BLOCK, count))


def _look(pictures):
    """(hashes uint64 (n, 4), signatures (n, 2, 16, 16)) of thumbnails.

    The hashes are those of the picture, its inner part, and both mirrored; 0 if it is plain.
    """
    pictures = pictures.astype(np.float32)
    small = halved(pictures)
    inner = inner_part(small)
    hashes = np.stack(
        [_hash(p) for p in (small, inner, small[..., ::-1], inner[..., ::-1])], axis=1
    )
    hashes[np.median(np.abs(fine(pictures)), axis=(1, 2)) < _PLAIN] = 0
    return hashes, signatures(pictures)


def _hash(pictures):
    """uint64 (n,): which of the 63 lowest waves are stronger than their median."""
    waves = dctn(pictures, axes=(1, 2))[:, :8, :8].reshape(len(pictures), 64)
    bits = waves > np.median(waves[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _candidates(hashes, low):
    """(first, second, mirrored) of the pairs that photos from `low` on may be part of."""
    whole, found = hashes[:, 0], []
    block = hashes[low : low + BLOCK]
    for mirrored in (0, 1):
        bits = np.minimum(*(_differing(block[:, 2 * mirrored + i], whole) for i in (0, 1)))
        bits[block[:, 0] == 0] = bits[:, whole == 0] = 64
        np.fill_diagonal(bits[:, low:], 64)
        i, j = np.nonzero(bits <= _BITS)
        found.append(np.stack([i + low, j, np.full(len(i), mirrored), bits[i, j]], axis=1))
    found = np.concatenate(found)
    found = found[np.lexsort((found[:, 1], found[:, 3], found[:, 0]))]  # the nearest first
    rank = np.arange(len(found)) - np.searchsorted(found[:, 0], found[:, 0])
    found = found[rank < _NEAREST]
    return np.column_stack([np.sort(found[:, :2], axis=1), found[:, 2]])


def _differing(first, others):
    """How many bits differ, uint8 (n, N); row by row, which needs an eighth of the memory."""
    return np.stack([np.bitwise_count(one ^ others) for one in first])


def _worth_a_look(pairs, marks):
    """The pairs whose signatures agree, and where their alignment starts."""
    products = np.empty((len(pairs), 3), np.float32)
    for low in range(0, len(pairs), BLOCK):
        i, j, mirrored = pairs[low : low + BLOCK].T
        first, second = marks[i].astype(np.float32), marks[j].astype(np.float32)
        first[mirrored == 1] = first[mirrored == 1, ..., ::-1]
        for start, (a, b) in enumerate(((0, 0), (1, 0), (0, 1))):
            products[low : low + BLOCK, start] = (first[:, a] * second[:, b]).sum(axis=(1, 2))
    worth = products.max(axis=1) >= _WORTH
    return pairs[worth], products[worth].argmax(axis=1)
