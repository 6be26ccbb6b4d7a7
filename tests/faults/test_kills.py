"""A run that is killed as often as you like ends as the one that never was, to the bit."""

import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import shared_data

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "faults" / "program.py"


class Job:
    """`program.py` with options; what it ends with when nobody kills it."""

    def __init__(self, root, options, backend="tensorflow"):
        self.root, self.options, self.backend = root, options, backend
        self.expected, self.seconds = self.run(root / "undisturbed")

    def start(self, folder, *more):
        command = [sys.executable, PROGRAM, folder, *self.options, *map(str, more)]
        env = os.environ | {
            "KERAS_BACKEND": self.backend,
            "JAX_PLATFORMS": "cpu",
            "KERASCNN_CACHE": str(self.root / "cache"),
            "PYTHONPATH": str(ROOT),
        }
        folder.mkdir(exist_ok=True)
        with (folder / "stderr.txt").open("a") as errors:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=env)

    def run(self, folder, *more, kill_after=None):
        """(result or None, seconds of training); killed after a time, or by itself (`--die`)."""
        process = self.start(folder, *more)
        with process:
            assert process.stdout.readline() == b"training\n", (folder / "stderr.txt").read_text()
            began = time.monotonic()
            if kill_after is not None:
                threading.Timer(kill_after, process.send_signal, [signal.SIGKILL]).start()
            process.wait()
        seconds = time.monotonic() - began
        if process.returncode == -signal.SIGKILL:
            return None, seconds
        assert process.returncode == 0, (folder / "stderr.txt").read_text()
        result = json.loads((folder / "result.json").read_text())
        return result, seconds

    def check(self, result):
        """The same weights, optimiser and history, whatever way it went."""
        assert {**result, "steps": 0} == {**self.expected, "steps": 0}


def digits(tmp_path_factory, backend="tensorflow"):
    return Job(tmp_path_factory.mktemp("digits"), [], backend)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return digits(tmp_path_factory)


@pytest.mark.slow
def test_the_undisturbed_run_uses_what_must_be_kept(job):
    rates = job.expected["history"]["learning_rate"]
    assert rates[-1] < rates[0] / 4  # the plateau came twice at least
    assert 3 < len(job.expected["epochs"]) < 10  # stopped early


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_the_same(job, tmp_path):
    seed = random.SystemRandom().randrange(10**6)
    draw = random.Random(seed)
    print(f"seed {seed}")  # shown if the test fails
    killed, _ = job.run(tmp_path, "--every", 1, "--die", f"write:{draw.randint(1, 9)}")
    assert killed is None
    # The machine may be fast enough now to end before this one is killed.
    job.run(tmp_path, "--every", 2, kill_after=draw.uniform(0, 0.5) * job.seconds)
    result, _ = job.run(tmp_path, "--every", 2)
    job.check(result)
    again, _ = job.run(tmp_path)  # was stopped early: nothing is left to do
    job.check(again)
    assert again["steps"] == 0


# --- long form -------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_in_the_last_epoch_it_ends_the_same(job, tmp_path):
    killed, _ = job.run(tmp_path, "--every", 3, "--die", f"epoch:{job.expected['epochs'][-1]}")
    assert killed is None
    job.check(job.run(tmp_path, "--every", 2)[0])


@pytest.fixture(scope="module")
def photo_job(tmp_path_factory):
    """Fine-tuning of a quarter of MobileNet on 96 real photos of four classes."""
    root = tmp_path_factory.mktemp("photos")
    classes = sorted((shared_data("data/clothing") / "train").iterdir())[:4]
    for folder in classes:
        (root / "photos" / folder.name).mkdir(parents=True)
        for photo in sorted(folder.iterdir())[:24]:
            shutil.copy(photo, root / "photos" / folder.name)
    weights = shared_data("weights/mobilenet_0.25_128_notop.weights.h5")
    return Job(root, ["--photos", root / "photos", "--weights", weights])


def killed_to_the_end(job, folder, draw, count):
    """Run until the end, through kills at random moments; what the kills hit goes into `count`."""
    while True:
        every = draw.randint(1, 4)
        what = draw.choice(["moment", "moment", "moment", "write", "rename"])
        if what == "moment":
            options, delay = [], draw.uniform(0, job.seconds)
        else:
            options, delay = ["--die", f"{what}:{draw.randint(1, 12)}"], None
        result, _ = job.run(folder, "--every", every, *options, kill_after=delay)
        if result:
            return result
        count[what] += 1
        count["half-written file left"] += any((folder / "run").glob(".epoch-*"))
        count["checkpoint to continue from"] += any((folder / "run").glob("epoch-*"))


@pytest.fixture(scope="module")
def jax_job(tmp_path_factory):
    pytest.importorskip("jax")
    return digits(tmp_path_factory, "jax")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kills"), [("job", 30), ("photo_job", 20), ("jax_job", 5)])
def test_fifty_kills(name, kills, request, tmp_path, capsys):
    job, draw = request.getfixturevalue(name), random.Random(name)
    count, runs = collections.Counter(), 0
    while count["moment"] + count["write"] + count["rename"] < kills:
        job.check(killed_to_the_end(job, tmp_path / str(runs), draw, count))
        runs += 1
    with capsys.disabled():
        print(f"\n{name}: {runs} runs, all equal to the undisturbed one; kills: {dict(count)}")
