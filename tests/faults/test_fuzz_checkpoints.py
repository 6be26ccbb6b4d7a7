"""Checkpoints under damage: what was saved, or one sentence."""

import json
import struct

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given

from kerascnn.callbacks import _checkpoint
from tests.faults.corruption import altered, damaged, examples, outcome

pytestmark = pytest.mark.thorough

EXAMPLES = [150, pytest.param(10_000, marks=pytest.mark.slow)]
ARRAYS = {"w": np.arange(6, dtype="float32").reshape(2, 3), "b": np.ones(3, ml_dtypes.bfloat16)}


@pytest.fixture
def saved(tmp_path):
    state = {"best": 0.5, "history": [{"loss": 1.5, "epoch": 1}], "names": ["a", "b"]}
    return _checkpoint.save(tmp_path, _checkpoint.Checkpoint(3, 120, state, ARRAYS))


def load(path):
    found = _checkpoint.load(path)
    assert all(isinstance(array, np.ndarray) for array in found.arrays.values())
    return found


@pytest.mark.parametrize("count", EXAMPLES)
def test_any_damage_is_noticed(saved, count):
    whole = saved.read_bytes()

    @examples(count)
    @given(damaged(whole))
    def check(data):
        saved.write_bytes(data)
        kind, value = outcome(load, saved)
        assert kind == ("loaded" if data == whole else "refused")

    check()


def rename(path, data):
    """Write `data` under the name that says its hash, as a hostile author would."""
    name = f"epoch-0003-step-000120-{_checkpoint._digest(data)}.safetensors"
    path.with_name(name).write_bytes(data)
    return path.with_name(name)


@pytest.mark.parametrize("count", EXAMPLES)
def test_damage_with_the_right_hash(saved, count):
    @examples(count)
    @given(damaged(saved.read_bytes()))
    def check(data):
        path = rename(saved, data)
        outcome(load, path)
        path.unlink()

    check()


@pytest.mark.parametrize("count", EXAMPLES)
def test_other_values_with_the_right_hash(saved, count):
    data = saved.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    content = json.loads(header["__metadata__"]["kerascnn"])

    @examples(count)
    @given(altered(content))
    def check(content):
        header["__metadata__"]["kerascnn"] = json.dumps(content)
        text = json.dumps(header).encode()
        path = rename(saved, struct.pack("<Q", len(text)) + text + data[8 + length :])
        outcome(load, path)
        path.unlink()

    check()
