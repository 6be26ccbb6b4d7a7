"""HDF5 files from outside: read in a process of their own before they are read in this one.

Damaged files make the HDF5 library loop for ever or crash (seen with 1.14.6), which nothing in
Python catches. What one process has read to the end, the next one can read too. This file is also
the program of that process, so it imports nothing of kerascnn.
"""

import contextlib
import math
import os
import resource
import subprocess
import sys

__all__ = ["most_bytes", "refusal"]

_REFUSED = 3  # exit code; the reason is on stdout


def refusal(file):
    """Why the arrays of an HDF5 file cannot be used, in a few words; None if they can.

    Refused are damage, links and arrays that lie in other files, one array under two names, more
    bytes of arrays than the file could hold, and what is no array of numbers.

    Args:
        file: an open binary file.

    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     refusal(file)
    'is truncated, damaged or of another format'
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # they take long to start
    done = subprocess.run(
        [sys.executable, "-P", __file__],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    if done.returncode == _REFUSED:
        return done.stdout.decode().strip()
    return "is truncated, damaged or of another format" if done.returncode else None


def most_bytes(size):
    """How much a file of `size` bytes may hold when it is unpacked; Keras writes 1 : 1.

    >>> most_bytes(0)
    1048576
    """
    return 2**20 + 20 * size


class _Refused(Exception):
    pass


def _read_all(file):
    """Read every array and attribute of the open `file`, or raise."""
    import h5py

    size = file.seek(0, os.SEEK_END)
    _limit(size)
    left = most_bytes(size)
    with h5py.File(file) as opened:
        waiting, seen = [opened], set()
        while waiting:
            item = waiting.pop()
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise _Refused("holds the same group or array twice")
            seen.add(address)
            dict(item.attrs)
            if isinstance(item, h5py.Dataset):
                left -= _read_array(item, left)
            elif isinstance(item, h5py.Group):
                waiting += _members(item)


def _limit(size):
    """A file that needs more than this is damaged; a loop that allocates ends too."""
    seconds = 10 + size // 5_000_000
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    memory = 2**32 + 2 * most_bytes(size)
    with contextlib.suppress(ValueError):  # not on every system
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _members(group):
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _Refused("holds a link to another place")
        yield group[name]


def _read_array(dataset, left):
    """Read an array of at most `left` bytes; how many it has."""
    if dataset.external or dataset.is_virtual:
        raise _Refused("holds an array that lies in another file")
    if dataset.dtype.kind not in "biufV" or dataset.dtype.hasobject:
        raise _Refused("holds something else than arrays of numbers")
    num_bytes = math.prod(dataset.shape) * dataset.dtype.itemsize
    if num_bytes > left:
        raise _Refused("claims to hold far more than its size allows")
    dataset[()]
    return num_bytes


if __name__ == "__main__":
    try:
        _read_all(sys.stdin.buffer)
    except _Refused as reason:
        print(reason)
        sys.exit(_REFUSED)
