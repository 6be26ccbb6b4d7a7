"""Read, hash and decode files, each once: what was found is remembered by the hash of its bytes."""

import concurrent.futures
import dataclasses
import functools
import hashlib
import itertools
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import PIL
from tqdm import tqdm

from kerascnn._errors import InputError
from kerascnn._runs import said_simply
from kerascnn.data.decode import expected_suffixes, file_bytes
from kerascnn.data.store import RowStore, cache_folder

__all__ = ["Examined", "examine", "file_reader", "stored_pixels"]

_WINDOW = 64  # photos in memory at a time, if they have
_WINDOW_BYTES = 256_000_000  # no more bytes together


@dataclasses.dataclass
class Examined:
    """What a file holds.

    Attributes:
        digest: str, SHA-256 of its bytes, hexadecimal; None if it could not be read.
        notes: tuple of str, what `Decoder.decode` noticed, and "bytes 12345".
        error: str, why it is unusable, or None.

    >>> Examined(None, error="unreadable: Permission denied").error
    'unreadable: Permission denied'
    """

    digest: str | None
    notes: tuple = ()
    error: str | None = None
    pixels: np.ndarray | None = dataclasses.field(default=None, repr=False)

    def problems(self, name):
        """[(problem, what to say of the file called `name`)], for the findings."""
        if self.error:
            return [(self.error.split(":")[0], f"{name} ({self.error})")]
        found = []
        for note in self.notes:
            kind, _, value = note.partition(" ")
            if kind == "mode":
                found.append((f"not RGB ({value}), converted", name))
            elif kind == "format":
                if Path(name).suffix.lower() not in {"", *expected_suffixes(value)}:
                    found.append(("file name does not fit its format", f"{name} (is {value})"))
            elif kind not in ("size", "bytes"):
                found.append((note, name))
        return found


def examine(files, total, decoder, progress=True):
    """Look at files in turn, on all cores; decode those that the cache does not hold yet.

    Before anything is written, its size is said above the progress bar, an upper bound, and what
    the disk has no room for is refused.

    Args:
        files: iterable of (anything, function without arguments that returns a file's bytes or
            raises an `OSError` or `InputError`). It must not be an iterator: where the disk has
            little room, it is gone through twice.
        total: int, their number.
        decoder: `Decoder` with an `image_size`.
        progress: bool. A progress bar on stderr if that is a terminal.

    Yields:
        (anything, `Examined`) for each file, in their order. Its pixels are in the `RowStore` of
        `decoder.key` by then.

    Raises:
        InputError: the disk of the cache has no room for the decoded photos, or the memory none for
            one of them.

    >>> import tempfile
    >>> from kerascnn.data import Decoder
    >>> os.environ["KERASCNN_CACHE"] = tempfile.mkdtemp()  # or leave it: the user's cache folder
    >>> [(name, found.error) for name, found in examine([("a", lambda: b"x")], 1, Decoder(32))]
    [('a', 'not an image')]
    """
    store = RowStore(cache_folder() / decoder.key, decoder.shape, "uint8")
    remembered = _Remembered(cache_folder() / f"checks-v2-{decoder.key}-{PIL.__version__}.jsonl")
    look = functools.partial(_look, decoder=decoder, store=store, remembered=remembered)
    hidden = None if progress else True
    bar = tqdm(total=total, desc="Checking photos", unit="photo", disable=hidden)
    unseen, left, asked = iter(files), total, False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool, bar:
        count = max(1, min(_WINDOW, _WINDOW_BYTES // store.row_bytes))
        while window := list(itertools.islice(unseen, count)):
            names, readers = zip(*window)
            results = list(_each(pool.map(look, readers), names))
            fresh = [r for r in results if r.pixels is not None and r.digest not in store]
            left -= len(results)
            if fresh and not asked:
                _ask_for_room(store, remembered, files, len(fresh) + max(0, left), bar)
                asked = True
            if fresh:
                store.append([r.digest for r in fresh], np.stack([r.pixels for r in fresh]))
            results = [dataclasses.replace(result, pixels=None) for result in results]
            remembered.add(results)
            bar.update(len(results))
            yield from zip(names, results)


def stored_pixels(decoder):
    """A function (digests) -> uint8 (n, H, W, C) that reads what `examine` left in the cache.

    >>> from kerascnn.data import Decoder
    >>> stored_pixels(Decoder(8))([]).shape
    (0, 8, 8, 3)
    """
    store = RowStore(cache_folder() / decoder.key, decoder.shape, "uint8")
    return lambda digests: store.read(store.find(digests))


def file_reader(path):
    """A function that reads the file at `path`, unless it is absurdly large.

    >>> file_reader("none.jpg")()
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] No such file or directory: 'none.jpg'
    """

    return functools.partial(file_bytes, path)


def _look(read, decoder, store, remembered):
    data, found = _read(read, store, remembered)
    if data is None:
        return found
    try:
        pixels, notes = decoder.decode(data)
    except InputError as error:
        return Examined(found.digest, error=str(error))
    return Examined(found.digest, (*notes, f"bytes {len(data)}"), pixels=pixels)


def _each(results, names):
    """The results; a lack of memory, which says nothing about the photo, is not one of them."""
    for name in names:
        try:
            yield next(results)
        except MemoryError as error:
            shown = name[0] if isinstance(name, tuple) else name
            raise InputError(
                f"Too little memory is free to decode {shown!r}: end other programs or remove this "
                "photo, and start again; what was decoded is kept."
            ) from error


def _read(read, store, remembered):
    """(bytes that must be decoded or None, `Examined` as far as it is known)."""
    try:
        data = read()
    except OSError as error:
        return None, Examined(None, error=f"unreadable: {error.strerror}")
    except InputError as error:
        return None, Examined(None, error=str(error))
    digest = hashlib.sha256(data).hexdigest()
    known = remembered.get(digest)
    if known and (known.error or digest in store):
        return None, known
    return data, Examined(digest)


def _ask_for_room(store, remembered, files, count, bar):
    """Say how much at most `count` photos will take; refuse if the disk has less."""
    parents = (store.folder.absolute(), *store.folder.absolute().parents)
    with said_simply(f"{store.folder} (KERASCNN_CACHE names another place)"):
        free = shutil.disk_usage(next(path for path in parents if path.exists())).free
    if count * store.row_bytes > free and len(store):  # some may be there: only their bytes tell
        looks = (_read(read, store, remembered) for _, read in files)
        count = len({look.digest for data, look in looks if data and look.digest not in store})
    size = tqdm.format_sizeof(count * store.row_bytes, "B")
    what = f"{count:,} photo{'' if count == 1 else 's'}"
    if count * store.row_bytes > free:
        raise InputError(
            f"{what} decoded to {' x '.join(map(str, store.shape))} would take {size} in "
            f"{store.folder}, where {tqdm.format_sizeof(free, 'B')} are free. Free some space, let "
            "KERASCNN_CACHE name a folder on another disk, or choose a smaller image_size."
        )
    if not bar.disable:
        bar.write(f"Decoding up to {what} once: {size} in {store.folder}", file=sys.stderr)


class _Remembered:
    """What was found about each file, by content hash: lines of JSON, only ever appended to.

    The file's name holds Pillow's version: another one may read what this one could not.
    """

    def __init__(self, path):
        self._path = path
        self._results = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    digest, notes, error = json.loads(line)
                    "".join([digest, *notes, error or ""])  # so all of them are text
                    self._results[digest] = Examined(digest, tuple(notes), error)
                except (ValueError, TypeError, RecursionError):  # half a line of a killed process
                    continue

    def get(self, digest):
        return self._results.get(digest)

    def add(self, results):
        new = {r.digest: r for r in results if r.digest and r.digest not in self._results}
        if not new:
            return
        lines = "".join(json.dumps([r.digest, r.notes, r.error]) + "\n" for r in new.values())
        with said_simply(f"{self._path} (KERASCNN_CACHE names another place)"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:  # one write: lines do not mix
                file.write(lines.encode())
        self._results |= new
