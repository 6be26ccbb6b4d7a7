"""A checkpoint is whole or refused, and says nothing it did not hear."""

import json
import os
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.callbacks._checkpoint import Checkpoint, listed, load, save, sweep

ARRAYS = {
    "float32": np.arange(6, dtype="float32").reshape(2, 3),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "int": np.array(-3),
    "uint32": np.array([1, 2**32 - 1], "uint32"),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 4), "float16"),
    "bfloat16": np.array([1.5, -2], ml_dtypes.bfloat16),
    "float8": np.array([0.5], ml_dtypes.float8_e4m3fn),
    "big-endian": np.array([1, 2], ">i4"),
    "nan": np.array([np.nan, np.inf]),
}
STATE = {"best": float("nan"), "deep": [1, {"a": None, "ü": "\udcff"}], "long": 2**80}


def saved(folder, epoch=1, step=0, before=None, **state):
    return save(folder, Checkpoint(epoch, step, state, ARRAYS), before)


def test_what_was_saved_is_read(tmp_path):
    path = save(tmp_path / "new" / "run", Checkpoint(3, 120, STATE, ARRAYS))
    checkpoint = load(path)
    assert (checkpoint.epoch, checkpoint.step) == (3, 120)
    assert json.dumps(checkpoint.state) == json.dumps(STATE)
    assert checkpoint.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert checkpoint.arrays[name].dtype == array.dtype, name
        np.testing.assert_array_equal(checkpoint.arrays[name], array, name)
    assert list(path.parent.iterdir()) == [path]


def test_the_last_one_is_kept_and_older_ones_go(tmp_path):
    first = saved(tmp_path, 1)
    second = saved(tmp_path, 1, 7, before=first)
    third = saved(tmp_path, 2, before=second)
    assert listed(tmp_path) == [third, second]


def test_the_newest_comes_first_whatever_the_clock_says(tmp_path):
    late, early = (
        saved(tmp_path, 12),
        tmp_path / "epoch-0002-step-000003-0123456789abcdef.safetensors",
    )
    early.touch()
    later = tmp_path / "epoch-10000-step-1000000-0123456789abcdef.safetensors"
    later.touch()
    for foreign in ("model.keras", "epoch-1", "epoch-0001-step-000000-xyz.safetensors"):
        (tmp_path / foreign).touch()
    os.utime(late, (0, 0))
    assert listed(tmp_path) == [later, late, early]


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGE = {
    "a bit": flip,
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_seen(kind, tmp_path):
    path = saved(tmp_path)
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    with pytest.raises(InputError, match="is damaged: its bytes do not fit the hash in its name"):
        load(path)


def named_by_hash(folder, data):
    from hashlib import sha256

    path = folder / f"epoch-0001-step-000000-{sha256(data).hexdigest()[:16]}.safetensors"
    path.write_bytes(data)
    return path


FOREIGN = {
    "text": b"not a tensor in sight",
    "no header": (2**40).to_bytes(8, "little"),
    "other tensors": (2).to_bytes(8, "little") + b"{}",
    "no state": (36).to_bytes(8, "little") + b'{"__metadata__":{"kerascnn":"{}   "}}',
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_another_file_is_no_checkpoint(kind, tmp_path):
    with pytest.raises(InputError, match="is no checkpoint of a training run"):
        load(named_by_hash(tmp_path, FOREIGN[kind]))


def test_what_a_killed_writer_left_goes(tmp_path):
    path = saved(tmp_path)
    (tmp_path / ".epoch-0002-step-000000-0123.17-18.partial.safetensors").touch()
    (tmp_path / "mine.txt").touch()
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, "mine.txt"]


def test_a_folder_that_is_none_is_refused(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(InputError, match="run cannot be read: Not a directory."):
        listed(tmp_path / "run")
    with pytest.raises(InputError, match="Cannot write .*: a part of the path is a file"):
        saved(Path(tmp_path, "run"))
