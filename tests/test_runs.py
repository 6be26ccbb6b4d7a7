"""Files and run folders are whole or absent, whoever dies while they are written."""

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kerascnn import InputError
from kerascnn._runs import atomic_path, finished, lock, run_folder, said_simply, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def without_root(*folders):
    """Permission bits do not bind root: become nobody, who may reach `folders`, for a while."""
    for folder in folders:
        for parent in [folder, *folder.parents]:  # pytest keeps its folders to itself
            if "pytest-of-" in str(parent):
                parent.chmod(parent.stat().st_mode | 0o055)
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# --- files -----------------------------------------------------------------------------------


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "deeper" / "a.weights.h5"
    with atomic_path(path) as partial:
        partial.write_text("half")
        assert not path.exists() and partial.parent == path.parent and partial.suffix == ".h5"
        partial.write_text("whole")
    assert path.read_text() == "whole" and names(path.parent) == [path.name]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as partial:
        partial.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys; from kerascnn._runs import atomic_path\n"
        "with atomic_path(sys.argv[1]) as partial:\n"
        "    partial.write_text('new'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == -9
    assert path.read_text() == "old"


def test_threads_that_write_one_file_do_not_mix(tmp_path):
    path = tmp_path / "a.txt"
    together = threading.Barrier(8)

    def write(letter):
        together.wait()
        with atomic_path(path) as partial:
            partial.write_text(letter * 10_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in {letter * 10_000 for letter in "abcdefgh"}
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("value", [{"classes": ["blåbær", "a\nb", "\udcff.jpg"]}, [1, None, 0.5]])
def test_json_comes_back_as_it_was(value, tmp_path):
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == value and text.endswith("\n")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("file/a.txt", "a part of the path is a file, not a folder"),
        ("folder", "it is a folder, not a file"),
        ("x" * 300, "the name is too long"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_sentence(path, reason, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError) as caught:
        write_json(tmp_path / path, {})
    assert str(caught.value) == f"Cannot write {tmp_path / path}: {reason}."


def test_a_full_disk_is_said_in_one_sentence():
    with (
        pytest.raises(InputError, match="^Cannot write /dev/full: the disk is full; free some"),
        said_simply("/dev/full"),
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        file.write(b"x")


def test_other_errors_of_the_system_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError), said_simply("x"):
        (tmp_path / "none").read_text()


# --- folders ---------------------------------------------------------------------------------


def test_a_run_appears_when_it_is_done(tmp_path):
    with run_folder(tmp_path / "runs" / "a") as partial:
        (partial / "model.keras").write_text("m")
        assert not (tmp_path / "runs" / "a").exists()
    assert names(tmp_path / "runs") == ["a"]
    assert (tmp_path / "runs" / "a" / "model.keras").read_text() == "m"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_failed_run_leaves_nothing(error, tmp_path):
    with pytest.raises(error), run_folder(tmp_path / "a") as partial:
        (partial / "x").write_text("")
        raise error
    assert names(tmp_path) == []


def test_an_empty_folder_may_be_filled(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    with run_folder(tmp_path / "a") as partial:
        (partial / "x").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with run_folder(".") as partial:
        (partial / "x").write_text("")
    assert names(tmp_path / "a") == names(tmp_path / "here") == ["x"]


@pytest.mark.parametrize("there", [True, False])
def test_of_a_link_the_folder_it_points_to_is_made(there, tmp_path):
    (tmp_path / "disk").mkdir()
    if there:
        (tmp_path / "disk" / "a").mkdir()
    (tmp_path / "link").symlink_to("disk/a")
    with run_folder(tmp_path / "link") as partial:
        (partial / "x").write_text("")
        assert partial.parent == tmp_path / "disk" and finished(partial) == tmp_path / "disk" / "a"
    assert names(tmp_path / "link") == ["x"] and names(tmp_path) == ["disk", "link"]


def test_a_mount_point_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "output").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path / "output")
    with pytest.raises(InputError) as caught, run_folder(tmp_path / "output"):
        pytest.fail("it cannot end")
    assert str(caught.value) == (
        f"{tmp_path / 'output'} is a mount point, which a finished folder cannot replace: pass a "
        f"folder in it, such as {tmp_path / 'output' / 'run'}."
    )
    with run_folder(tmp_path / "output" / "run"):
        pass


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_is_not_touched(kind, tmp_path):
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
        (path / "precious").write_text("p")
    else:
        path.write_text("p")
    before = sorted(tmp_path.rglob("*"))
    with (
        pytest.raises(InputError, match="already exists and nothing in it was changed. Choose"),
        run_folder(path),
    ):
        pytest.fail("it must not begin")
    assert sorted(tmp_path.rglob("*")) == before


def test_hours_of_work_survive_that_the_name_was_taken_meanwhile(tmp_path):
    with (
        pytest.raises(InputError, match="The finished run is in .*a.partial"),
        run_folder(tmp_path / "a") as partial,
    ):
        (partial / "model.keras").write_text("m")
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "other").write_text("")
    assert (tmp_path / "a.partial" / "model.keras").read_text() == "m"
    assert names(tmp_path / "a") == ["other"]


def test_what_a_killed_run_left_is_replaced(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("p")
    left = tmp_path / "a.partial"
    (left / "deep").mkdir(parents=True)
    (left / "deep" / "half").write_text("")
    (left / "link").symlink_to(tmp_path / "outside")
    with run_folder(tmp_path / "a") as partial:
        assert names(partial) == []
    assert (tmp_path / "outside" / "precious").read_text() == "p"


def test_checkpoints_survive_a_stop_and_go_at_the_end(tmp_path):
    for error in (KeyboardInterrupt, InputError):
        with pytest.raises(error), run_folder(tmp_path / "a") as partial:
            (partial / "checkpoints").mkdir(exist_ok=True)
            (partial / "checkpoints" / "one").touch()
            (partial / "model.keras").write_text("half")
            raise error
        assert names(tmp_path) == ["a.partial"] and names(partial) == ["checkpoints"]
    with run_folder(tmp_path / "a") as partial:
        assert names(partial / "checkpoints") == ["one"]
        (partial / "model.keras").write_text("m")
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["model.keras"]


HOLD = """
import sys, time
from kerascnn._runs import run_folder
with run_folder(sys.argv[1]) as partial:
    print("holding", flush=True)
    time.sleep(60)
"""


def test_two_runs_do_not_share_a_folder_and_the_dead_do_not_count(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "a"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "holding\n"
        with (
            pytest.raises(InputError, match="Another kerascnn process is working on .*a.partial"),
            run_folder(tmp_path / "a"),
        ):
            pytest.fail("it is in use")
        assert (tmp_path / "a.partial").is_dir()
    finally:
        holder.kill()
        holder.communicate()
    with run_folder(tmp_path / "a"):
        pass
    assert (tmp_path / "a").is_dir()


def test_a_lock_is_given_back(tmp_path):
    for _ in range(2):
        with lock(tmp_path), pytest.raises(InputError, match="Another kerascnn process"):
            lock(tmp_path).__enter__()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_said(number, tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(
        InputError, match="^Cannot write .*: the file system cannot lock it; choose"
    ):
        lock(tmp_path).__enter__()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="a part of the path is a file"),
        run_folder(tmp_path / "file" / "a"),
    ):
        pytest.fail("it cannot begin")


def test_permission_is_asked_before_anything_is_computed(tmp_path):
    tmp_path.chmod(0o555)
    for parent in tmp_path.parents[:2]:  # pytest keeps them to the user who runs it
        parent.chmod(0o755)
    with without_root(), pytest.raises(InputError) as caught, run_folder(tmp_path / "a"):
        pytest.fail("it cannot begin")
    reason = "permission is denied; choose another folder or change its permissions"
    assert str(caught.value) == f"Cannot write {tmp_path / 'a'}: {reason}."


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc: another system than Linux")
def test_a_place_that_takes_no_folders_is_said_in_one_sentence():
    with (
        pytest.raises(InputError, match=r"No folder can be made at /proc/run\."),
        run_folder("/proc/run"),
    ):
        pass
