"""What is refused before the HDF5 library sees it in this process."""

import io
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from kerascnn import _hdf5

DAMAGED = "is truncated, damaged or of another format"


def refusal(fill, tmp_path, **options):
    """The answer for a file that `fill` wrote."""
    with h5py.File(tmp_path / "a.h5", "w", **options) as file:
        fill(file)
    with (tmp_path / "a.h5").open("rb") as file:
        return _hdf5.refusal(file)


def ordinary(file):
    group = file.create_group("layers/conv/vars")
    group.attrs["name"] = "conv"
    group["0"] = np.ones((30, 40), "float32")
    group["1"] = np.float64(3)
    group.create_dataset("2", data=np.zeros(5), compression="gzip")
    group.create_dataset("3", shape=(0, 4), dtype="int64")


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}])
def test_ordinary_files_are_used(options, tmp_path):
    assert refusal(ordinary, tmp_path, **options) is None


def test_keras_and_published_weights_are_used(shared_data):
    for name in ("mobilenet_0.25_128.weights.h5", "squeezenet1_1_notop.weights.h5"):
        with (shared_data("weights") / name).open("rb") as file:
            assert _hdf5.refusal(file) is None


def linked(file):
    file["layers"] = h5py.ExternalLink("other.h5", "/")


def soft(file):
    file["layers"] = h5py.SoftLink("/elsewhere")


def external(file):
    raw = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("a", shape=(4,), dtype="uint8", external=raw)


def virtual(file):
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "a", (4,))
    file.create_virtual_dataset("a", layout)


def circle(file):
    file.create_group("a")["a"] = file["/"]


def twice(file):
    file["a"] = np.ones(1000)
    for i in range(100):
        file[f"copy{i}"] = file["a"]


def huge(file):
    file.create_dataset("a", shape=(10**6, 10**6), dtype="float32", chunks=(1000, 1000))


def many_large(file):
    for i in range(200):
        file.create_dataset(f"{i}", shape=(10**4,), dtype="float64", chunks=(100,))


def text(file):
    file["a"] = "text"


def references(file):
    file.create_dataset("a", data=[file.ref], dtype=h5py.ref_dtype)


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (linked, "holds a link to another place"),
        (soft, "holds a link to another place"),
        (external, "holds an array that lies in another file"),
        (virtual, "holds an array that lies in another file"),
        (circle, "holds the same group or array twice"),
        (twice, "holds the same group or array twice"),
        (huge, "claims to hold far more than its size allows"),
        (many_large, "claims to hold far more than its size allows"),
        (text, "holds something else than arrays of numbers"),
        (references, "holds something else than arrays of numbers"),
    ],
)
def test_hostile_files_are_refused_with_the_reason(fill, reason, tmp_path):
    assert refusal(fill, tmp_path) == reason


@pytest.mark.thorough
def test_a_file_that_makes_the_library_loop_for_ever_ends(tmp_path):
    """Zeros where strings are kept: HDF5 1.14.6 never returns. It is stopped and said."""
    refusal(ordinary, tmp_path)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["text"] = "one string that is kept in the global heap"
    data = bytearray((tmp_path / "a.h5").read_bytes())
    heap = data.index(b"GCOL")
    data[heap + 16 : heap + 4096] = bytes(4080)
    (tmp_path / "a.h5").write_bytes(data)
    start = time.process_time()
    with (tmp_path / "a.h5").open("rb") as file:
        assert _hdf5.refusal(file) == DAMAGED
    assert time.process_time() - start < 2  # not in this process


def test_the_program_is_found_from_any_folder_and_ignores_modules_there(tmp_path):
    (tmp_path / "h5py.py").write_text("raise SystemExit(0)")  # would accept anything
    code = """
import tempfile
from kerascnn._hdf5 import refusal
with tempfile.TemporaryFile() as file:
    print(refusal(file))
"""
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == DAMAGED


def test_the_whole_file_is_read_wherever_it_stands(tmp_path):
    refusal(ordinary, tmp_path)
    with (tmp_path / "a.h5").open("rb") as file:
        file.seek(0, io.SEEK_END)
        assert _hdf5.refusal(file) is None
