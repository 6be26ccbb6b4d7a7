"""The worker process: it serves many trials, and neither its end nor its growth ends a search."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.search import Tuner, _process, trials
from tests.search.spaces import Space

pytestmark = pytest.mark.thorough

HELD = []


class Half(Space):
    def fit(self, hp, model, *args, **kwargs):
        print("a line of fit")
        half = keras.config.dtype_policy().name == "mixed_bfloat16"
        return super().fit(hp, model, *args, **kwargs) | {"half": half}


def fail():
    raise ValueError("not today")


def grow():
    HELD.append(np.ones(100_000_000))  # TensorFlow and a small model are about half of this
    Path(os.environ["GROWN"]).touch()


def die():
    if Path(os.environ["GROWN"]).exists():
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def found_by_others(monkeypatch, tmp_path):
    """A worker imports the spaces from where this process did."""
    monkeypatch.syspath_prepend(Path.cwd())
    monkeypatch.setenv("GROWN", str(tmp_path / "grown"))


def test_many_trials_in_one_process_until_it_grows_or_dies(tmp_path, capsys):
    folder = tmp_path / "search"
    disturb = {2: fail, 3: die, 4: grow}
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        Tuner(Half(disturb, here=False), folder, max_trials=7).search()
    finally:
        keras.config.set_dtype_policy("float32")
    found = trials(folder)
    assert [row["status"] == "COMPLETED" for row in found] == [1, 0, 1, 1, 1, 0, 0]
    completed = [row["metrics"] for row in found if row["metrics"]]
    processes = [row["process"] for row in completed]
    assert len(set(processes[:3])) == 1 and processes[3] != processes[0]
    assert not any(alive(int(process)) for process in processes)
    assert {row["half"] for row in completed} == {1.0}
    assert found[1]["message"] == "ValueError: not today" and found[1]["seconds"] > 0
    assert found[6]["message"] == "the worker process was killed by SIGKILL (too little memory?)"
    errors = [(folder / f"trial_000{i}" / "error.txt").read_text() for i in (1, 6)]
    assert "raise ValueError" in errors[0] and "a line of fit" in errors[1]

    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("trial")]
    assert [line[:10] for line in lines] == [f"trial 000{i}" for i in range(7)]
    assert lines[0].startswith("trial 0000  defaults  val_accuracy 0.0050  best 0.0050 (0000)  ")
    assert "failed: ValueError: not today  best" in lines[1]
    assert err.count("a line of fit") == 7 and "Traceback" not in err


@pytest.mark.slow
def test_after_a_worker_that_died_the_next_trial_has_a_new_one(tmp_path):
    Path(os.environ["GROWN"]).touch()
    folder = tmp_path / "search"
    Tuner(Space({2: die}, here=False), folder, max_trials=3, verbose=False).search()
    found = trials(folder)
    assert [row["status"] for row in found] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert found[2]["metrics"]["process"] != found[0]["metrics"]["process"]


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_growth_counts_from_the_second_trial():
    assert not _process.has_grown([100, 200])
    assert not _process.has_grown([100, 200, 240])
    assert _process.has_grown([100, 200, 100, 241])


def test_what_cannot_be_sent(tmp_path):
    space = Space()
    space.lock = threading.Lock()
    search = Tuner(space, tmp_path, verbose=False)
    with pytest.raises(kc.InputError, match="cannot be sent to a worker process.*isolate=False"):
        search.search()


SEARCH = """
import sys, time
sys.path.insert(0, {root!r})
import kerascnn as kc
from tests.search.spaces import Space

def hang():
    print("hanging in", __import__("os").getpid(), file=sys.stderr, flush=True)
    time.sleep(600)

kc.search.Tuner(Space({{2: hang}}), {folder!r}, max_trials=4).search()
"""


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_search_that_is_killed_leaves_no_process_and_goes_on(tmp_path, how):
    folder = tmp_path / "search"
    code = SEARCH.format(root=str(Path.cwd()), folder=str(folder))
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True
    ) as parent:
        worker = next(int(line.split()[-1]) for line in parent.stderr if "hanging" in line)
        parent.send_signal(how)
        said = parent.stderr.read()
    deadline = time.monotonic() + 10
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(worker)
    if how == signal.SIGINT:
        assert f"Stopped in trial 0001. The trials before are kept in {folder}" in said
    assert [row["status"] for row in trials(folder)] == ["COMPLETED", "RUNNING"]

    space = Space()
    Tuner(space, folder, max_trials=4, isolate=False, verbose=False).search()
    assert [row["status"] for row in trials(folder)] == ["COMPLETED"] * 4
    assert space.fits == 3
    whole = Tuner(Space(), tmp_path / "whole", max_trials=4, isolate=False, verbose=False)
    whole.search()
    values = [[row["values"] for row in trials(path)] for path in (folder, tmp_path / "whole")]
    assert values[0] == values[1]
