"""What is computed for photos is computed once, in blocks, and kept."""

import pytest

from kerascnn.data import RowStore
from kerascnn.data.kept import BLOCK, kept_rows, on_all_cores

DIGESTS = [f"photo{i}" for i in range(2 * BLOCK + 7)]


def test_blocks_come_in_order_and_cover_everything():
    blocks = on_all_cores(lambda low: list(range(low, low + BLOCK)), 3 * BLOCK, "Test", False)
    assert sum(blocks, []) == list(range(3 * BLOCK))
    assert on_all_cores(lambda low: 1 / 0, 0, "Test", False) == []


def test_only_what_is_missing_is_computed(tmp_path):
    asked = []

    def numbers(digests):
        asked.extend(digests)
        return [[int(digest.removeprefix("photo"))] for digest in digests]

    store = RowStore(tmp_path, (1,), "int64")
    kept_rows(store, DIGESTS[:300], numbers, "Test", False)
    assert sorted(asked) == sorted(DIGESTS[:300])
    rows = kept_rows(store, DIGESTS[::-1], numbers, "Test", False)
    assert sorted(asked) == sorted(DIGESTS)
    assert store.read(rows)[:, 0].tolist() == list(range(len(DIGESTS)))[::-1]


def test_an_error_of_a_block_is_not_lost(tmp_path):
    def fail(digests):
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        kept_rows(RowStore(tmp_path, (1,), "int64"), DIGESTS, fail, "Test", False)
