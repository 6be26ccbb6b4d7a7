"""The store gives back what was put in, or says that it is not there: whoever dies or deletes."""

import concurrent.futures
import contextlib
import copy
import gc
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.data import RowStore, cache_folder

SHAPE = (2, 3)


def row(key):
    """What belongs to a key: two keys never have the same row."""
    return np.full(SHAPE, int(key), np.int32) + np.arange(6, dtype=np.int32).reshape(SHAPE)


def filled(folder, keys):
    store = RowStore(folder, SHAPE, np.int32)
    store.append([str(key) for key in keys], np.array([row(key) for key in keys]))
    return store


def assert_holds(store, keys):
    """Exactly `keys` of 0 .. 99 are there, each with its own row."""
    found = store.find([str(key) for key in range(100)])
    assert {key for key in range(100) if found[key] >= 0} == set(keys)
    for key in keys:
        np.testing.assert_array_equal(store.read([found[key]])[0], row(key))


def test_round_trip(tmp_path):
    store = filled(tmp_path / "new" / "store", [5, 3, 9])
    store.append(["4"], row(4)[None])
    for opened in (store, RowStore(tmp_path / "new" / "store", SHAPE, "int32")):
        assert len(opened) == 4 and "9" in opened and "0" not in opened
        rows = opened.find(["4", "none", "5", "9"])
        assert rows.tolist() == [3, -1, 0, 2] and rows.dtype == np.int64
        read = opened.read(rows[[3, 0, 0]])
        np.testing.assert_array_equal(read, [row(9), row(4), row(4)])
        assert read.dtype == np.int32 and read.flags.writeable


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "<f2"])
def test_every_dtype_to_the_bit(dtype, tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(dtype)
    store = RowStore(tmp_path, (7,), dtype)
    store.append(list("abcde"), values)
    np.testing.assert_array_equal(store.read(store.find(list("ecabd"))), values[[4, 2, 0, 1, 3]])


def test_nothing_is_written_until_a_row_is(tmp_path):
    store = RowStore(tmp_path / "none", SHAPE, "int32")
    assert store.find(["1"]).tolist() == [-1] and len(store) == 0
    assert store.read([]).shape == (0, *SHAPE)
    store.append([], np.empty((0, *SHAPE)))
    assert not (tmp_path / "none" / "rows.bin").exists()


def test_a_key_keeps_its_first_row(tmp_path):
    store = filled(tmp_path, [1])
    store.append(["1", "2", "2", "3"], np.array([row(50), row(2), row(60), row(3)]))
    assert_holds(store, [1, 2, 3])
    assert (tmp_path / "rows.bin").stat().st_size == 3 * store.row_bytes


@pytest.mark.parametrize("shape", [(1, 3, 2), (2, 2, 3), (1, 6), (2, 3)])
def test_rows_of_another_shape_are_refused(shape, tmp_path):
    store = RowStore(tmp_path, SHAPE, "int32")
    with pytest.raises(InputError, match=r"Expected values of shape \(1, 2, 3\).*Received: \("):
        store.append(["1"], np.zeros(shape))
    assert len(RowStore(tmp_path, SHAPE, "int32")) == 0


# --- killed ----------------------------------------------------------------------------------

CUTS = [0, 31, 32, 33, 64, 95, 96]  # 3 keys of 32 bytes
ROW_CUTS = [0, 23, 24, 25, 72, 80]  # 3 rows of 24 bytes, and garbage behind


@pytest.mark.parametrize("keys_left", CUTS)
@pytest.mark.parametrize("rows_left", ROW_CUTS)
def test_whatever_is_left_of_the_files_is_consistent(keys_left, rows_left, tmp_path):
    filled(tmp_path, [10, 11, 12])
    os.truncate(tmp_path / "keys.bin", keys_left)
    os.truncate(tmp_path / "rows.bin", rows_left)
    store = RowStore(tmp_path, SHAPE, "int32")
    left = [10, 11, 12][: min(keys_left // 32, rows_left // 24)]
    assert_holds(store, left)
    store.append(["13", "12"], np.array([row(13), row(12)]))
    assert_holds(store, {*left, 12, 13})
    assert_holds(RowStore(tmp_path, SHAPE, "int32"), {*left, 12, 13})
    assert (tmp_path / "rows.bin").stat().st_size == 24 * len(store)
    assert (tmp_path / "keys.bin").stat().st_size == 32 * len(store)


APPEND = """
import sys, numpy as np
from kerascnn.data import RowStore
store = RowStore(sys.argv[1], (2, 3), np.int32)
base = np.arange(6, dtype=np.int32).reshape(2, 3)
for start in range(int(sys.argv[2]), 10**9):
    keys = [k % int(sys.argv[3]) for k in range(start, start + 7)]
    store.append([str(k) for k in keys], np.array([k + base for k in keys]))
    if start > int(sys.argv[4]): break
"""


def appender(folder, first, modulus=10**9, last=10**9):
    command = [sys.executable, "-c", APPEND, folder, first, modulus, last]
    return subprocess.Popen([str(part) for part in command])


def test_a_killed_process_leaves_only_true_rows(tmp_path):
    store = RowStore(tmp_path, SHAPE, "int32")
    for attempt in range(4):
        process = appender(tmp_path, 1000 * attempt)
        while store.find([str(1000 * attempt)])[0] < 0:
            time.sleep(0.01)
        time.sleep(0.011 * attempt)
        process.kill()
        assert process.wait() == -9
    store = RowStore(tmp_path, SHAPE, "int32")
    keys = [key for key in range(5000) if str(key) in store]
    assert len(keys) == len(store) >= 4 * 7
    np.testing.assert_array_equal(
        store.read(store.find(map(str, keys))), [row(key) for key in keys]
    )


# --- together --------------------------------------------------------------------------------


def test_processes_append_at_once(tmp_path):
    mine = RowStore(tmp_path, SHAPE, "int32")
    processes = [appender(tmp_path, first, 100, first + 90) for first in (0, 30, 60)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert_holds(mine, range(100))
    assert (tmp_path / "rows.bin").stat().st_size == 100 * mine.row_bytes


def test_threads_append_and_read_at_once(tmp_path):
    store = RowStore(tmp_path, SHAPE, "int32")

    def work(number):
        for key in np.random.default_rng(number).permutation(60):
            store.append([str(key)], row(key)[None])
            found = store.find(map(str, range(60)))
            present = np.flatnonzero(found >= 0)
            np.testing.assert_array_equal(store.read(found[present]), [row(key) for key in present])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert_holds(store, range(60))


def test_another_process_sees_new_rows(tmp_path):
    first, second = RowStore(tmp_path, SHAPE, "int32"), RowStore(tmp_path, SHAPE, "int32")
    for key in range(4):
        [first, second][key % 2].append([str(key)], row(key)[None])
        assert_holds(first, range(key + 1))
        assert_holds(second, range(key + 1))


# --- deleted, full, copied -------------------------------------------------------------------


def test_a_deleted_store_is_empty_and_fills_again(tmp_path):
    store = filled(tmp_path / "s", [1, 2, 3])
    rows = store.find(["3"])
    shutil.rmtree(tmp_path / "s")
    np.testing.assert_array_equal(store.read(rows)[0], row(3))  # still open
    assert_holds(store, [])
    store.append(["2"], row(2)[None])
    assert_holds(store, [2])
    assert_holds(RowStore(tmp_path / "s", SHAPE, "int32"), [2])


def test_row_numbers_of_a_deleted_store_never_mean_other_rows(tmp_path):
    store = filled(tmp_path / "s", [1, 2, 3])
    old = store.find(["1"])
    shutil.rmtree(tmp_path / "s")
    filled(tmp_path / "s", [7, 8, 9, 10])  # another process, say
    assert_holds(store, [7, 8, 9, 10])
    with pytest.raises(InputError, match="deleted or shortened while it was in use. Start again"):
        store.read(old)


@pytest.mark.parametrize("left", ["rows.bin", "keys.bin"])
def test_one_of_the_files_is_deleted(left, tmp_path):
    store = filled(tmp_path, [1, 2, 3])
    gone = {"rows.bin": "keys.bin", "keys.bin": "rows.bin"}[left]
    (tmp_path / gone).unlink()
    assert_holds(store, [])
    store.append(["5"], row(5)[None])
    assert_holds(store, [5])
    assert_holds(RowStore(tmp_path, SHAPE, "int32"), [5])


def test_a_row_beyond_the_file_is_refused(tmp_path):
    store = filled(tmp_path, [1, 2, 3])
    rows = store.find(["3"])
    os.truncate(tmp_path / "rows.bin", 50)
    with pytest.raises(InputError, match="deleted or shortened"):
        store.read(rows)
    with pytest.raises(InputError, match="deleted or shortened"):
        RowStore(tmp_path / "none", SHAPE, "int32").read([0])


@contextlib.contextmanager
def small_disk(folder):
    """A file system of one megabyte."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True).returncode
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_harms_nothing(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        store = RowStore(disk / "s", (1000,), np.float64)
        data = np.random.default_rng(0).normal(size=(200, 1000))
        store.append(list(map(str, range(100))), data[:100])
        with pytest.raises(InputError) as caught:
            store.append(list(map(str, range(100, 200))), data[100:])
        assert "(KERASCNN_CACHE names another place): the disk is full" in str(caught.value)
        for opened in (store, RowStore(disk / "s", (1000,), np.float64)):
            assert opened.find(map(str, range(200))).tolist() == [*range(100)] + [-1] * 100
        store.append(["100"], data[100:101])  # what fits still goes in
        np.testing.assert_array_equal(store.read(store.find(map(str, range(101)))), data[:101])


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="^Cannot write .*file/s .*: a part of the path is a file"):
        filled(tmp_path / "file" / "s", [1])


def test_copies_read_on_their_own(tmp_path):
    store = filled(tmp_path, [1, 2])
    store.read([0])
    for twin in (copy.copy(store), copy.deepcopy(store), pickle.loads(pickle.dumps(store))):
        assert_holds(twin, [1, 2])
        del twin
        gc.collect()
        assert_holds(store, [1, 2])


def test_files_are_closed(tmp_path):
    def opened():
        links = Path("/proc/self/fd").iterdir()
        return [link for link in links if str(tmp_path) in os.path.realpath(link)]

    stores = [filled(tmp_path / str(i), [1, 2]) for i in range(5)]
    assert len(opened()) == 5
    shutil.rmtree(tmp_path / "0")
    stores[0].find(["1"])
    assert len(opened()) == 4
    stores.clear()
    gc.collect()
    assert opened() == []


def test_without_preadv(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "preadv")  # as on macOS
    assert_holds(filled(tmp_path, [4, 5, 6]), [4, 5, 6])


def test_the_place_of_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASCNN_CACHE", "~/photos")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "photos"
    monkeypatch.setenv("KERASCNN_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/kerascnn")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "kerascnn"
