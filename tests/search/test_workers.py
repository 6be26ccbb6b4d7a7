"""A search in several processes: each trial once, whatever dies; nothing is left behind."""

import json
import os
import signal
import time
from pathlib import Path

import keras_tuner
import numpy as np
import psutil
import pytest

import kerascnn as kc
from kerascnn.search import run_workers
from kerascnn.search.workers import _names

# Keras Tuner 1.4.8 asks for its thread by an old name.
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning"),
]

TRIALS = 5


def oracle():
    """A random one whose trials differ in one rate."""
    space = keras_tuner.HyperParameters()
    space.Float("rate", 0.0, 1.0)
    drawn = keras_tuner.oracles.RandomSearchOracle(max_trials=TRIALS, seed=7, hyperparameters=space)
    drawn.verbose = 0
    return drawn


def searching(folder, disturb):
    """A search without networks: a trial's score is its rate, and `disturb` may interfere."""

    class Quick(keras_tuner.engine.base_tuner.BaseTuner):
        def run_trial(self, trial):
            with Path(folder, "log").open("a") as log:
                log.write(f"{trial.trial_id} {self.tuner_id} {os.getpid()}\n")
            disturb(trial.trial_id)
            return trial.hyperparameters.get("rate")

    return lambda: Quick(oracle(), directory=str(folder), project_name="search").search()


def logged(folder):
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def gone(pid):
    """Whether a process ends, soon."""
    for _ in range(50):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """No network is trained here, and Keras starts sooner on NumPy."""
    monkeypatch.setenv("KERAS_BACKEND", "numpy")


def test_a_killed_worker_goes_on_and_each_trial_is_done_once(tmp_path, capsys):
    def disturb(trial):
        mark = Path(tmp_path, "killed")
        if trial == "1" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while not mark.exists():  # so that both workers have a trial when one dies
            time.sleep(0.01)

    run_workers(searching(tmp_path, disturb), 2)
    runs = logged(tmp_path)
    assert sorted(trial for trial, *_ in runs) == ["0", "1", "1", "2", "3", "4"]
    assert {worker for _, worker, _ in runs} == {"worker1", "worker2"}
    one, again = (worker for trial, worker, _ in runs if trial == "1")
    assert one == again
    err = capsys.readouterr().err
    assert f"{one} was killed (SIGKILL); it is started again" in err and "Error" not in err
    assert all(gone(int(pid)) for _, _, pid in runs)

    # What one process would have drawn, and each with the score of its own rate.
    alone = oracle()
    alone._set_project_dir(tmp_path, "alone")
    expected = [alone.create_trial(f"tuner{i}").hyperparameters.values for i in range(TRIALS)]
    found = [
        json.loads((tmp_path / "search" / f"trial_{i}" / "trial.json").read_text())
        for i in range(TRIALS)
    ]
    assert [trial["hyperparameters"]["values"] for trial in found] == expected
    assert {trial["status"] for trial in found} == {"COMPLETED"}
    assert [trial["score"] for trial in found] == [trial["rate"] for trial in expected]


@pytest.mark.slow
def test_a_worker_that_always_dies_ends_the_search(tmp_path):
    def disturb(trial):
        if trial == "1":
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(kc.InputError, match=r"worker1 was killed \(SIGKILL\) 2 times.*is kept"):
        run_workers(searching(tmp_path, disturb), 1, restarts=1)
    assert all(gone(int(pid)) for *_, pid in logged(tmp_path))
    run_workers(searching(tmp_path, lambda trial: None), 1)  # the same search goes on
    assert [trial for trial, *_ in logged(tmp_path)] == ["0", "1", "1", "1", "2", "3", "4"]


@pytest.mark.slow
def test_what_a_search_refuses_is_said_by_the_parent(tmp_path):
    def refuse():
        raise kc.InputError("There are no photos.")

    with pytest.raises(kc.InputError, match="^There are no photos.$"):
        run_workers(refuse, 1)

    def fail():
        raise KeyError("rate")

    with pytest.raises(RuntimeError, match="of the search ended: KeyError: 'rate'"):
        run_workers(fail, 1)


@pytest.mark.slow
def test_three_failures_in_a_row_end_the_search_with_their_reason(tmp_path):
    def search():
        class Space(keras_tuner.HyperModel):
            def declare_hyperparameters(self, hp):
                hp.Float("rate", 0.0, 1.0)

            def build(self, hp):
                raise ValueError("no such layer")

        kc.search.Tuner(Space(), tmp_path / "search", isolate=False).search()

    with pytest.raises(kc.InputError, match="in a row failed, the last one so: .*no such layer"):
        run_workers(search, 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"workers": 0}, "Pass a number of workers from 1"),
        ({"workers": ["a", "a"]}, "or their names"),
        ({"workers": ["chief2"]}, "'chief2' cannot name a worker"),
        ({"workers": ["../a"]}, "'../a' cannot name a worker"),
        ({"address": "here"}, "HOST:PORT"),
        ({"address": "here:99999"}, "HOST:PORT"),
        ({"chief": False}, "HOST:PORT"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_starts(options, sentence):
    with pytest.raises(kc.InputError, match=sentence):
        run_workers(lambda: None, **options)


def test_the_number_may_be_an_int_of_numpy():
    assert _names(np.int64(2)) == _names(2) == ["worker1", "worker2"]
