"""Rows on disk, found by key and only ever appended to: decoded pixels and features live here."""

import contextlib
import fcntl
import hashlib
import os
import threading
import weakref
from pathlib import Path

import numpy as np

from kerascnn._errors import InputError
from kerascnn._runs import said_simply

__all__ = ["RowStore", "cache_folder"]

_KEY_BYTES = 32
_ABSENT = (FileNotFoundError, NotADirectoryError, PermissionError)


def cache_folder():
    """Where decoded photos and features are kept: `$KERASCNN_CACHE`, else the user's cache folder.

    It may be deleted at any time; what is missing is computed again. Processes of one machine may
    share it, machines may not: where the home folder is on NFS, which shows late what others wrote
    and knows no locks of folders, give each its own KERASCNN_CACHE.

    >>> cache_folder().is_file()
    False
    """
    if os.environ.get("KERASCNN_CACHE"):
        return Path(os.environ["KERASCNN_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerascnn"


class RowStore:
    """Arrays of one shape and dtype on disk, one row per key.

    A row is written before its key, so a process killed at any moment leaves a store that holds
    exactly the rows whose keys were written; several processes and threads may append and read.
    Reading copies rows into memory (no mapping), so that a large store does not count as the
    process's memory. The files may be deleted while they are in use: their keys are absent then,
    and row numbers that were found before are refused, never given to other rows.

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
        self._mutex = threading.Lock()
        self._file = None  # the open file of rows
        self._index = {}  # digest of a key -> number of its row in that file
        self._known = 0  # rows of the file that are in the index
        self._first = 0  # number of its first row: numbers of a file that is gone never come back
        self._refresh()

    def __reduce__(self):  # a copy, perhaps in another process, opens the files itself
        return RowStore, (self.folder, self.shape, self.dtype)

    def __len__(self):
        return len(self._index)

    def __contains__(self, key):
        return _digest(key) in self._index

    def find(self, keys):
        """Row numbers of `keys`, an int64 array; -1 where a key is absent."""
        self._refresh()
        index = self._index
        return np.array([index.get(_digest(key), -1) for key in keys], dtype=np.int64)

    def read(self, rows):
        """The rows with numbers `rows` (ints >= 0): array (len(rows), *shape).

        Raises:
            InputError: the files were deleted or shortened since the rows were found.
        """
        file = self._file
        values = np.empty((len(rows), *self.shape), self.dtype)
        flat = values.reshape(-1).view(np.uint8).reshape(len(rows), self.row_bytes)
        for target, row in zip(flat, rows):
            if not (file and file.read(target, int(row), self.row_bytes)):
                raise InputError(
                    f"{self.folder} was deleted or shortened while it was in use. Start again: "
                    "what is missing is computed again."
                )
        return values

    def append(self, keys, values):
        """Add rows; keys that are already there, or were given before, are left as they are.

        Args:
            keys: N strs.
            values: array (N, *shape).

        Raises:
            InputError: the shape does not fit, or the disk cannot be written.
        """
        values = np.asarray(values)
        if values.shape != (len(keys), *self.shape):
            raise InputError(
                f"Expected values of shape {(len(keys), *self.shape)}, one row for each key. "
                f"Received: {values.shape}."
            )
        with said_simply(f"{self.folder} (KERASCNN_CACHE names another place)"), self._locked():
            self._refresh()
            new = {}
            for i, key in enumerate(keys):
                if key not in self:
                    new.setdefault(_digest(key), i)
            if not new:
                return
            values = np.ascontiguousarray(values[list(new.values())], dtype=self.dtype)
            digests = np.frombuffer(b"".join(new), np.uint8)
            _write_at(self._rows_path, self._known * self.row_bytes, values)
            _write_at(self._keys_path, self._known * _KEY_BYTES, digests)
            self._refresh()

    def _refresh(self):
        """Bring the index up to date with what this and other processes wrote or deleted."""
        with self._mutex:
            if self._complete() < max(self._known, 1):  # gone, replaced, shortened or not there yet
                self._first += self._known
                self._index, self._known = {}, 0
                self._file = _File.open(self._rows_path, self._first)
            new = self._complete() - self._known
            if new <= 0:
                return
            with self._keys_path.open("rb") as file:
                file.seek(self._known * _KEY_BYTES)
                data = file.read(new * _KEY_BYTES)
            for start in range(0, len(data), _KEY_BYTES):
                self._index[data[start : start + _KEY_BYTES]] = self._first + self._known
                self._known += 1

    def _complete(self):
        """Number of rows in the open file whose keys are written too; 0 if it lost its name."""
        try:
            if not self._file or not self._file.is_at(self._rows_path):
                return 0
            keys = self._keys_path.stat().st_size // _KEY_BYTES
        except _ABSENT:
            return 0
        return min(self._file.size() // self.row_bytes, keys)

    @contextlib.contextmanager
    def _locked(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class _File:
    """An open file of rows, closed with its last user: its rows stay even if its name is gone."""

    def __init__(self, descriptor, first):
        self.descriptor = descriptor
        self.first = first
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def open(cls, path, first):
        try:
            return cls(os.open(path, os.O_RDONLY), first)
        except _ABSENT:
            return None

    def is_at(self, path):
        return os.path.samestat(os.fstat(self.descriptor), path.stat())

    def size(self):
        return os.fstat(self.descriptor).st_size

    def read(self, target, row, row_bytes):
        """Fill the uint8 array `target` with a row; whether the row is in this file."""
        offset = (row - self.first) * row_bytes
        if offset < 0:
            return False
        if hasattr(os, "preadv"):
            return os.preadv(self.descriptor, [target], offset) == row_bytes
        data = os.pread(self.descriptor, row_bytes, offset)  # macOS
        target[: len(data)] = np.frombuffer(data, np.uint8)
        return len(data) == row_bytes


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
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
