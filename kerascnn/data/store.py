"""Rows on disk, found by key and only ever appended to: decoded pixels and features live here."""

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path

import numpy as np

from kerascnn._runs import said_simply

__all__ = ["RowStore", "cache_folder"]

_KEY_BYTES = 32


def cache_folder():
    """Where decoded photos and features are kept: `$KERASCNN_CACHE`, else the user's cache folder.

    It may be deleted at any time; what is missing is computed again.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerascnn"
    return Path(os.environ.get("KERASCNN_CACHE") or default)


class RowStore:
    """Arrays of one shape and dtype on disk, one row per key.

    A row is written before its key, so a process killed at any moment leaves a store that holds
    exactly the rows whose keys were written; several processes may append in turn. Reading copies
    rows into memory (no mapping), so that a large store does not count as the process's memory.

    Args:
        folder: str or path; made when the first row is written.
        shape: tuple of ints, the shape of a row.
        dtype: NumPy dtype of a row.

    >>> import tempfile
    >>> store = RowStore(tempfile.mkdtemp(), (2,), "float32")
    >>> store.append(["a", "b"], np.array([[1, 2], [3, 4]], "float32"))
    >>> store.find(["b", "c"]).tolist(), store.read(store.find(["b"])).tolist()
    ([1, -1], [[3.0, 4.0]])
    """

    def __init__(self, folder, shape, dtype):
        self.folder = Path(folder)
        self.shape = tuple(map(int, shape))
        self.dtype = np.dtype(dtype)
        self.row_bytes = int(np.prod(self.shape)) * self.dtype.itemsize
        self._rows_path = self.folder / "rows.bin"
        self._keys_path = self.folder / "keys.bin"
        self._index = {}
        self._descriptor = None
        self._load_new_keys()

    def __len__(self):
        return len(self._index)

    def __contains__(self, key):
        return _digest(key) in self._index

    def find(self, keys):
        """Row numbers of `keys`, an int64 array; -1 where a key is absent."""
        self._load_new_keys()
        return np.array([self._index.get(_digest(key), -1) for key in keys], dtype=np.int64)

    def read(self, rows):
        """The rows with numbers `rows` (ints >= 0): array (len(rows), *shape)."""
        if self._descriptor is None:
            self._descriptor = os.open(self._rows_path, os.O_RDONLY)
        values = np.empty((len(rows), *self.shape), self.dtype)
        flat = values.reshape(len(rows), -1).view(np.uint8)
        for target, row in zip(flat, rows):
            read = os.preadv(self._descriptor, [target], int(row) * self.row_bytes)
            if read != self.row_bytes:
                raise OSError(f"{self._rows_path} was shortened while it was in use")
        return values

    def append(self, keys, values):
        """Add rows; keys that are already there are left as they are."""
        with self._locked():
            self._load_new_keys()
            new = {_digest(key): i for i, key in enumerate(keys)}
            new = {digest: i for digest, i in new.items() if digest not in self._index}
            if not new:
                return
            count = len(self._index)
            values = np.ascontiguousarray(values[list(new.values())], dtype=self.dtype)
            with said_simply(self._rows_path):
                _write_at(self._rows_path, count * self.row_bytes, values)
                digests = np.frombuffer(b"".join(new), np.uint8)
                _write_at(self._keys_path, count * _KEY_BYTES, digests)
            self._load_new_keys()

    def _load_new_keys(self):
        if not self._rows_path.exists() or not self._keys_path.exists():
            return
        known = len(self._index)
        complete = self._rows_path.stat().st_size // self.row_bytes
        with self._keys_path.open("rb") as file:
            file.seek(known * _KEY_BYTES)
            data = file.read((complete - known) * _KEY_BYTES)
        for start in range(0, len(data) - _KEY_BYTES + 1, _KEY_BYTES):
            self._index.setdefault(data[start : start + _KEY_BYTES], len(self._index))

    @contextlib.contextmanager
    def _locked(self):
        with said_simply(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def __del__(self):
        if getattr(self, "_descriptor", None) is not None:
            os.close(self._descriptor)


def _digest(key):
    return hashlib.sha256(key.encode()).digest()


def _write_at(path, offset, values):
    """Write an array at `offset` of a file and cut off what a killed process left behind it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        view = memoryview(values).cast("B")
        os.ftruncate(descriptor, offset)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
