"""Whatever the disk does: no wrong result, no lost checkpoint, one warning per trouble."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerascnn import InputError
from kerascnn.callbacks import Resume, _checkpoint
from tests.callbacks.runs import Killed, assert_same, compiled, fit, train
from tests.test_runs import without_root

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def run(tmp_path):
    """A run that died in its second epoch, with two checkpoints."""
    with pytest.raises(Killed):
        fit(tmp_path / "run", kill=(1, 2))
    return tmp_path / "run"


def is_of(path, folder):
    return Path(path).is_relative_to(folder)


def whole(folder):
    """The checkpoints of `folder` that can be read."""
    found = []
    for path in _checkpoint.listed(folder):
        with contextlib.suppress(InputError):
            found.append(_checkpoint.load(path))
    return found


# --- faults while it is trained: the result is the same --------------------------------------


def failing(function, number, folder, times, name="*"):
    """`function` that fails `times` when it is asked about `folder` or files `name` in it."""
    left = [times]

    def replaced(path, *args, **options):
        if left[0] and is_of(path, folder) and path.match(name):
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        return function(path, *args, **options)

    return replaced


def failing_fsync(number, times):
    left, fsync = [times], os.fsync

    def replaced(descriptor):
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        return fsync(descriptor)

    return replaced


STAGES = {"write": "write_bytes", "rename": "replace", "delete": "unlink"}  # methods of a Path
FULL = "the disk is full; free some space or choose another folder."
FAULTS = [  # (where, errno, how often, what is said)
    ("write", errno.ENOSPC, 1, FULL),
    ("write", errno.ENOSPC, 99, FULL),
    ("write", errno.EIO, 2, "Input/output error."),
    ("write", errno.EDQUOT, 1, "the disk quota is used up"),
    ("write", errno.EROFS, 99, "the file system is read-only"),
    ("write", errno.EACCES, 2, "permission is denied"),
    ("write", errno.EFBIG, 1, "File too large."),
    ("write", errno.ESTALE, 1, "Stale file handle."),
    ("fsync", errno.EIO, 1, "Input/output error."),
    ("fsync", errno.ENOSPC, 99, FULL),
    ("rename", errno.EIO, 1, "Input/output error."),
    ("rename", errno.ENOSPC, 2, FULL),
    ("rename", errno.EXDEV, 99, "Invalid cross-device link."),
    ("delete", errno.EIO, 99, ""),
    ("delete", errno.EACCES, 1, ""),
]


@pytest.mark.parametrize(("where", "number", "times", "said"), FAULTS)
def test_training_goes_on(where, number, times, said, run, expected, monkeypatch, caplog):
    before = len(whole(run))
    if where == "fsync":
        monkeypatch.setattr(os, "fsync", failing_fsync(number, times))
    else:
        function = STAGES[where]
        name = "epoch-*" if where == "delete" else "*"  # a partial file is gone when it has a name
        failed = failing(getattr(Path, function), number, run, times, name)
        monkeypatch.setattr(Path, function, failed)
    assert_same(fit(run, seed=1), expected)
    monkeypatch.undo()
    assert caplog.text.count("No checkpoint could be saved") == bool(said)
    assert said in caplog.text
    if said:
        assert ("Checkpoints are saved again." in caplog.text) == (times == 1)
    assert len(whole(run)) >= before
    assert_same(fit(run, seed=2), expected)  # and once more, from what is on the disk


def test_a_slow_disk(run, expected, monkeypatch):
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: time.sleep(0.2) or fsync(descriptor))
    assert_same(fit(run, seed=1), expected)


def test_half_a_write_that_says_nothing(run, expected, monkeypatch, caplog):
    """Such a file is found out when it is read, and the one before is used."""
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: write(path, data[: len(data) // 2]))
    assert_same(fit(run, seed=1), expected)
    monkeypatch.undo()
    with pytest.raises(InputError, match="None of the 2 checkpoints"):
        fit(run, seed=2)


class Harm:
    """A callback's list that does something to the folder in the middle of training."""

    def __init__(self, harm):
        self.harm = harm

    def __call__(self):
        import keras

        def once(batch, logs=None):
            if batch == 2:
                self.harm()

        return [keras.callbacks.LambdaCallback(on_train_batch_end=once)]


def test_the_folder_vanishes(tmp_path, caplog):
    result = fit(tmp_path / "a", callbacks=Harm(lambda: shutil.rmtree(tmp_path / "a")))
    assert_same(result, fit(tmp_path / "b", callbacks=Harm(lambda: None)))
    assert whole(tmp_path / "a")[0].epoch == 2


def test_the_kept_checkpoint_vanishes(tmp_path):
    def harm():
        for path in _checkpoint.listed(tmp_path / "a"):
            path.unlink()

    result = fit(tmp_path / "a", callbacks=Harm(harm))
    assert_same(result, fit(tmp_path / "b", callbacks=Harm(lambda: None)))
    assert whole(tmp_path / "a")[0].epoch == 2


def test_a_folder_that_becomes_read_only(tmp_path, expected, caplog):
    tmp_path.chmod(0o777)
    run = tmp_path / "run"
    with without_root(tmp_path):
        run.mkdir()
        result = fit(run, callbacks=Harm(lambda: run.chmod(0o555)))
        assert whole(run)  # those from before
        run.chmod(0o755)
    assert_same(result, fit(tmp_path / "b", callbacks=Harm(lambda: None)))
    assert caplog.text.count("permission is denied") == 1


LIMITED = """
import resource, signal, sys
from pathlib import Path

from tests.callbacks.runs import fit
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
result = fit(Path(sys.argv[1]))
print([float(np.sum(w)) for w in result["weights"]])
"""


def test_a_real_limit_on_the_size_of_files(tmp_path, expected):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LIMITED, tmp_path / "run"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == str([float(w.sum()) for w in expected["weights"]])
    assert ended.stderr.count("No checkpoint could be saved. Cannot write") == 1
    assert "File too large. Training goes on" in ended.stderr
    assert not list((tmp_path / "run").glob("*.safetensors"))


# --- faults that are there when it begins ----------------------------------------------------


def newest(folder):
    return _checkpoint.listed(folder)[0]


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def as_folder(path):
    path.unlink()
    path.mkdir()
    (path / "a.txt").write_text("a")


DAMAGE = {
    "a bit": lambda run: flip(newest(run)),
    "cut": lambda run: newest(run).write_bytes(newest(run).read_bytes()[:100]),
    "empty": lambda run: newest(run).write_bytes(b""),
    "foreign": lambda run: newest(run).write_bytes(b"PK\x03\x04" * 99),
    "a folder in its place": lambda run: as_folder(newest(run)),
    "a link to nowhere": lambda run: newest(run).unlink() or newest_name(run).symlink_to("no"),
    "gone": lambda run: newest(run).unlink(),
    "the one before is gone": lambda run: _checkpoint.listed(run)[1].unlink(),
    "half a file of a dead writer": lambda run: (
        run / ".epoch-0001-step-000003-00.1-2.partial.safetensors"
    ).write_bytes(b"half"),
}


def newest_name(run):
    return run / "epoch-0009-step-000000-0123456789abcdef.safetensors"


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_one_before_is_used(kind, run, expected, caplog):
    DAMAGE[kind](run)
    assert_same(fit(run, seed=1), expected)
    damaged = kind in list(DAMAGE)[:6]
    assert caplog.text.count("The one before is tried.") == damaged
    assert whole(run)[0].epoch == 2


def test_damage_to_all_is_refused_and_nothing_is_deleted(run):
    for path in _checkpoint.listed(run):
        flip(path)
    with pytest.raises(InputError, match="None of the 2 checkpoints in .*run can be read."):
        fit(run, seed=1)
    assert len(_checkpoint.listed(run)) == 2


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_disk_that_cannot_be_read_for_a_while_loses_nothing(number, run, expected, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", failing(Path.read_bytes, number, run, 99))
    with pytest.raises(InputError, match="None of the 2 checkpoints in .*run can be read."):
        fit(run, seed=1)
    monkeypatch.undo()
    assert_same(fit(run, seed=1), expected)


def test_a_folder_that_cannot_be_listed_is_refused(run, expected, monkeypatch):
    monkeypatch.setattr(Path, "iterdir", failing(Path.iterdir, errno.EIO, run, 99))
    with pytest.raises(InputError, match="run cannot be read: Input/output error."):
        fit(run, seed=1)
    monkeypatch.undo()
    assert_same(fit(run, seed=1), expected)


def test_a_checkpoint_that_vanishes_before_fit_is_refused(run):
    resume, model = Resume(run, train(), every=2), compiled()()
    newest(run).unlink()
    with pytest.raises(InputError, match="were changed meanwhile. Make a new Resume, and call fit"):
        model.fit(resume.data, initial_epoch=1, callbacks=[resume], shuffle=False, verbose=0)


BEGINNINGS = {  # errno of making the folder: what is said
    errno.EIO: "Cannot write .*new: Input/output error.",
    errno.EROFS: "Cannot write .*new: the file system is read-only",
    errno.ENOSPC: "Cannot write .*new: the disk is full",
}


@pytest.mark.parametrize("number", BEGINNINGS)
def test_a_folder_that_cannot_be_made_is_refused(number, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", failing(Path.mkdir, number, tmp_path / "new", 99))
    with pytest.raises(InputError, match=BEGINNINGS[number]):
        fit(tmp_path / "new")


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match="run cannot be read: Not a directory."):
        fit(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_a_read_only_folder_only_pauses_saving(tmp_path, expected, caplog):
    (tmp_path / "run").mkdir(mode=0o555)
    with without_root(tmp_path):
        assert_same(fit(tmp_path / "run"), expected)
    assert caplog.text.count("permission is denied") == 1
    assert list((tmp_path / "run").iterdir()) == []
