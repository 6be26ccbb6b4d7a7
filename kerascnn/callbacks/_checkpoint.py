"""One file that holds a training run at one moment: whole or absent, and verified when it is read.

A safetensors file named `epoch-0003-step-000120-1f2e3d4c5b6a7980.safetensors`: three epochs and 120
steps of the fourth are done, and the SHA-256 of all its bytes begins with 1f2e... The arrays are
its tensors; the rest is JSON in its header. Nothing in it is ever executed.
"""

import contextlib
import dataclasses
import hashlib
import json
import re
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from kerascnn._errors import InputError
from kerascnn._runs import atomic_path, said_simply

__all__ = ["Checkpoint", "listed", "load", "said_in_words", "save", "sweep"]

_NAME = re.compile(r"epoch-(\d{4,12})-step-(\d{6,12})-([0-9a-f]{16})\.safetensors")
_HEADER = 8  # bytes of a safetensors file that give the length of its header


@dataclasses.dataclass
class Checkpoint:
    """A run at one moment.

    Attributes:
        epoch: int, epochs that are done.
        step: int, steps of the next epoch that are done.
        state: dict, whatever JSON can hold.
        arrays: {str: NumPy array}.
    """

    epoch: int
    step: int
    state: dict
    arrays: dict


def save(folder, checkpoint, before=None):
    """Write a checkpoint into `folder`, atomically, and delete all others but `before`.

    What cannot be deleted stays until the next time.

    Args:
        folder: str or path.
        checkpoint: `Checkpoint`.
        before: path of the last one that is known to be whole, or None.

    Returns:
        The path of the file.

    Raises:
        InputError: it cannot be written; nothing was changed then.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> path = save(folder, Checkpoint(3, 120, {"best": 0.5}, {"w": np.zeros(2, "float32")}))
    >>> path.name[:23], load(path).state
    ('epoch-0003-step-000120-', {'best': 0.5})
    """
    arrays = {name: _native(array) for name, array in checkpoint.arrays.items()}
    kinds = {name: str(array.dtype) for name, array in checkpoint.arrays.items()}
    content = {"state": checkpoint.state, "dtypes": kinds}
    text = json.dumps(content, default=str)  # callbacks log what they like
    data = save_tensors(arrays, {"kerascnn": text})
    position = f"epoch-{checkpoint.epoch:04d}-step-{checkpoint.step:06d}"
    path = Path(folder) / f"{position}-{_digest(data)}.safetensors"
    with said_in_words(path), atomic_path(path) as partial:
        partial.write_bytes(data)
    with contextlib.suppress(OSError, InputError):
        for old in listed(folder):
            if old not in (path, before):
                old.unlink(missing_ok=True)
    return path


@contextlib.contextmanager
def said_in_words(path):
    """Any refusal of the operating system to write `path` as an `InputError`.

    >>> with said_in_words("run"):
    ...     raise OSError(5, "Input/output error")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: Cannot write run: Input/output error.
    """
    try:
        with said_simply(path):
            yield
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror or error}.") from error


def sweep(folder):
    """Delete what a process that was killed while it wrote left in `folder`.

    >>> sweep("no/such/folder")
    """
    with contextlib.suppress(OSError):
        for partial in Path(folder).glob(".epoch-*.partial.safetensors"):
            partial.unlink(missing_ok=True)


def load(path):
    """Read a checkpoint.

    Raises:
        InputError: it is damaged or cannot be read.

    >>> load("epoch-0003-step-000120-1f2e3d4c5b6a7980.safetensors")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: epoch-0003-step-000120-1f2e3d4c5b6a7980.safetensors cannot be read: No such file or directory.
    """  # noqa: E501
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    name = _NAME.fullmatch(path.name)
    if not name or _digest(data) != name[3]:
        raise InputError(f"{path} is damaged: its bytes do not fit the hash in its name.")
    try:
        length = int.from_bytes(data[:_HEADER], "little")
        header = json.loads(data[_HEADER : _HEADER + length])
        content = json.loads(header["__metadata__"]["kerascnn"])
        arrays = load_tensors(data)
        arrays = {name: arrays[name].view(kind) for name, kind in content["dtypes"].items()}
        return Checkpoint(int(name[1]), int(name[2]), content["state"], arrays)
    except (
        SafetensorError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise InputError(f"{path} is no checkpoint of a training run: {error!r}.") from error


def listed(folder):
    """Paths of the checkpoints in `folder`, newest first.

    Raises:
        InputError: the folder is there and cannot be read.

    >>> listed("no/such/folder")
    []
    """
    try:
        found = [path for path in Path(folder).iterdir() if _NAME.fullmatch(path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return sorted(found, key=_position, reverse=True)


def _position(path):
    epoch, step, _ = _NAME.fullmatch(path.name).groups()
    return int(epoch), int(step)


def _digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def _native(array):
    """`array` in a dtype that safetensors knows: bfloat16 and float8 as ints of their bits."""
    array = np.asarray(array, order="C")
    return array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")
