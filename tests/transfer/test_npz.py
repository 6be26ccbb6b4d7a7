"""Archives written in parts are those that NumPy writes."""

import io

import numpy as np
import pytest

from kerascnn.data import RowStore
from kerascnn.transfer import _npz
from kerascnn.transfer.features import Features

DRAW = np.random.default_rng(0)
ARRAYS = {
    "features": DRAW.normal(size=(101, 3, 2)).astype("float32"),
    "labels": np.arange(101),
    "paths": np.array(["a/é.jpg", "b.jpg", "a much longer name"]),
    "none": np.zeros((0, 5), "float32"),
}


@pytest.mark.parametrize("part_bytes", [1, 1000, 10**9])
def test_what_numpy_reads_is_what_was_written(monkeypatch, part_bytes):
    monkeypatch.setattr(_npz, "_PART_BYTES", part_bytes)
    file = io.BytesIO()
    _npz.write_npz(file, ARRAYS)
    with np.load(io.BytesIO(file.getvalue())) as read:
        assert list(read) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert read[name].dtype == array.dtype
            np.testing.assert_array_equal(read[name], array)


def test_features_are_read_in_parts(tmp_path, monkeypatch):
    values = ARRAYS["features"]
    store = RowStore(tmp_path, values.shape[1:], "float32")
    store.append([str(i) for i in range(101)], values)
    monkeypatch.setattr(_npz, "_PART_BYTES", 10 * values[0].nbytes)
    largest, read = [], store.read
    monkeypatch.setattr(store, "read", lambda rows: largest.append(len(rows)) or read(rows))
    file = io.BytesIO()
    _npz.write_npz(file, {"features": Features(store, np.arange(101), 0, "keras")})
    with np.load(io.BytesIO(file.getvalue())) as arrays:
        np.testing.assert_array_equal(arrays["features"], values)
    assert max(largest) == 10
