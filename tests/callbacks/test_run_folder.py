"""One owner, the newest whole checkpoint, saving that may fail; faults are in tests/faults."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kerascnn import InputError
from kerascnn.callbacks._checkpoint import Checkpoint, listed
from kerascnn.callbacks._run_folder import RunFolder

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from kerascnn.callbacks._run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
folder.look()
folder.take()
print("held", flush=True)
time.sleep(600)
"""


def opened(path, *steps):
    """A folder that was looked at and taken, with a checkpoint after each of `steps`."""
    folder = RunFolder(path)
    folder.look()
    folder.take()
    for step in steps:
        assert folder.save(Checkpoint(0, step, {"step": step}, {}))
    return folder


@pytest.fixture
def other_process(tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_living_owner_is_respected_and_a_dead_one_not(tmp_path, other_process):
    folder = RunFolder(tmp_path)
    folder.look()
    with pytest.raises(InputError, match="Another kerascnn process is working on"):
        folder.take()
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    folder.take()
    folder.release()


def test_the_same_process_takes_over_from_itself(tmp_path):
    first = opened(tmp_path, 1)
    second = RunFolder(tmp_path / ".." / tmp_path.name)
    second.look()
    assert second.take().step == 1
    del first
    assert second.save(Checkpoint(0, 2, {}, {}))
    second.release()


def test_what_others_wrote_since_the_look_is_refused(tmp_path):
    opened(tmp_path, 1).release()
    late = RunFolder(tmp_path)
    late.look()
    opened(tmp_path, 2).release()
    with pytest.raises(InputError, match="are not those that Resume found: they were changed"):
        late.take()
    late.release()
    assert late.take().step == 2  # looked again


def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path, caplog):
    opened(tmp_path, 1, 2).release()
    newest, before = listed(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-3])
    folder = opened(tmp_path)
    assert "is damaged" in caplog.text and "The one before is tried." in caplog.text
    assert folder.newest == before
    folder.save(Checkpoint(0, 2, {"again": True}, {}))
    folder.release()
    assert [path.name[:22] for path in listed(tmp_path)] == [
        "epoch-0000-step-000002",
        "epoch-0000-step-000001",
    ]
    assert newest not in listed(tmp_path)


def test_nothing_is_begun_anew_over_damaged_checkpoints(tmp_path):
    opened(tmp_path, 1, 2).release()
    for path in listed(tmp_path):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="None of the 2 checkpoints in .* can be read. Choose an"):
        RunFolder(tmp_path).look()
    assert len(listed(tmp_path)) == 2


def test_what_a_dead_writer_left_is_swept(tmp_path):
    partial = tmp_path / ".epoch-0001-step-000000-00.1-2.partial.safetensors"
    partial.touch()
    opened(tmp_path).release()
    assert not partial.exists()
