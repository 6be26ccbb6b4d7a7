"""Real processes on this machine: they train as one, and none is left when one dies."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.distribute.launching import _environment
from tests.distribute.conftest import HERE, assert_same_validation, largest_difference, weights
from tests.transfer.conftest import SHAPES, draw_photos

TRAIN = HERE / "train.py"


def launched(run_python, folder, *arguments, workers=2):
    command = ["-m", "kerascnn", "launch", "--workers", workers, TRAIN, folder, *arguments]
    return run_python(*command)


def checkpoints(folder):
    return sorted(path.name[:22] for path in (folder / "run").glob("*.safetensors"))


@pytest.mark.thorough
def test_two_workers_give_the_weights_of_one(alone, run_python, tmp_path):
    ended = launched(run_python, tmp_path, 35, 0, -1)
    assert (ended.returncode, ended.stdout) == (0, "worker 0 is done\n"), ended.stderr
    first, second = (weights(tmp_path / f"weights-{i}.npz") for i in (0, 1))
    assert largest_difference(first, second) == 0
    assert largest_difference(first, alone[0]) < 1e-5
    assert_same_validation(json.loads((tmp_path / "history-1.json").read_text()), alone[1])
    assert checkpoints(tmp_path) == ["epoch-0006-step-000003", "epoch-0007-step-000000"]
    assert largest_difference(kc.load_model(tmp_path / "model.keras").get_weights(), first) == 0


@pytest.mark.slow
def test_a_killed_worker_ends_all_and_the_same_command_goes_on(run_python, tmp_path):
    start = time.monotonic()
    cut = launched(run_python, tmp_path / "cut", 36, 0.3, 10)
    seconds = time.monotonic() - start
    assert cut.returncode == 2
    assert "kerascnn: Worker 1 was killed by SIGKILL, so all were stopped." in cut.stderr
    assert checkpoints(tmp_path / "cut")[-1] in ("epoch-0003-step-000001", "epoch-0003-step-000000")
    start = time.monotonic()
    assert launched(run_python, tmp_path / "cut", 36, 0.3, -1).returncode == 0
    assert seconds < 30 + time.monotonic() - start
    assert launched(run_python, tmp_path / "whole", 36, 0.3, -1).returncode == 0
    assert run_python(TRAIN, tmp_path / "one", 36, 0.3, -1, KERAS_BACKEND="jax").returncode == 0
    cut, whole, one = (
        weights(tmp_path / name / "weights-0.npz") for name in ("cut", "whole", "one")
    )
    assert largest_difference(cut, whole) == 0
    assert largest_difference(whole, one) < 1e-5


@pytest.mark.slow
def test_workers_that_see_different_checkpoints_are_refused(run_python, tmp_path):
    assert run_python(TRAIN, tmp_path / "0", 36, 0, -1, KERAS_BACKEND="jax").returncode == 0
    (tmp_path / "1").mkdir()
    ended = launched(run_python, tmp_path / "{}", 36, 0, -1)
    assert ended.returncode == 2
    assert "The workers do not see the same checkpoints in" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_example_runs_alone_and_in_two_processes(run_python, tmp_path, workers):
    (code,) = re.findall(r"```python\n(.*?)```", kc.distribute.start.__doc__, re.S)
    code = textwrap.dedent(code).replace("epochs=10", "epochs=2").replace("size=64", "size=32")
    (tmp_path / "train.py").write_text(code)
    draw_photos(tmp_path / "photos", dict.fromkeys(SHAPES, 16))
    command = ["-m", "kerascnn", "launch", "train.py"] if workers > 1 else ["train.py"]
    ended = run_python(*command, cwd=tmp_path, KERAS_BACKEND="jax")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("Epoch 2/2") == 1
    assert (tmp_path / "model.keras").exists() and checkpoints(tmp_path)


@pytest.mark.slow
def test_two_machines(alone, tmp_path):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    places = f"127.0.0.1:{port},127.0.0.1:{port + 1}"
    running = [
        process("--machines", places, "--machine", i, TRAIN, tmp_path, 35, 0, -1) for i in (1, 0)
    ]
    for i, ended in zip((1, 0), running):
        out, err = ended.communicate(timeout=300)
        assert (ended.returncode, out) == (0, f"worker {i} is done\n"), err
        assert largest_difference(weights(tmp_path / f"weights-{i}.npz"), alone[0]) < 1e-5


# Without Keras


def process(*arguments):
    env = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "kerascnn", "launch", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=env, **pipes)


@pytest.fixture
def script(tmp_path):
    """Writes a script of which `worker` is the number."""

    def write(code):
        path = tmp_path / "script.py"
        head = "import os, sys, time\nworker = int(os.environ['KERAS_DISTRIBUTION_PROCESS_ID'])\n"
        path.write_text(head + code)
        return path

    return write


def test_a_worker_that_fails_ends_all_and_says_why(script, capfd):
    failing = script(
        "print('of', worker)\nsys.exit('no photos') if worker == 1 else time.sleep(60)"
    )
    with pytest.raises(InputError, match="Worker 1 ended with 1, so all were stopped. If the scr"):
        kc.distribute.launch([str(failing)])
    out, err = capfd.readouterr()
    assert (out, err) == ("of 0\n", "[worker 1] of 1\n[worker 1] no photos\n")


def test_a_worker_that_does_not_listen_is_killed(script, monkeypatch):
    monkeypatch.setattr("kerascnn.distribute.launching._GRACE", 0.2)
    deaf = script(
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
        "os.kill(os.getpid(), 9) if worker == 1 else [time.sleep(60) for _ in range(9)]"
    )
    start = time.monotonic()
    with pytest.raises(InputError, match="Worker 1 was killed by SIGKILL"):
        kc.distribute.launch([str(deaf)])
    assert time.monotonic() - start < 20


def test_what_the_workers_are_told(script, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    told = script(
        "print(sys.argv[1:], *(os.environ[name] for name in ('KERAS_BACKEND', "
        "'KERAS_DISTRIBUTION_NUM_PROCESSES', 'CUDA_VISIBLE_DEVICES')))\n"
        "assert os.environ['KERAS_DISTRIBUTION_JOB_ADDRESSES'].startswith('127.0.0.1:')"
    )
    assert kc.distribute.launch([str(told), "--epochs", "3"], logs=tmp_path / "logs") == 0
    said = (tmp_path / "logs/worker-1.txt").read_text()
    assert said == "['--epochs', '3'] jax 2 7\n"


@pytest.mark.parametrize(
    ("listed", "seen"),
    [(None, ["0", "1"]), ("", ["", ""]), ("-1", ["-1", "-1"]), ("4,7", ["4", "7"])],
)
def test_which_gpu_each_worker_sees(listed, seen):
    there = {} if listed is None else {"CUDA_VISIBLE_DEVICES": listed}
    given = [_environment(there, number, 2, "127.0.0.1:1", alone=False) for number in (0, 1)]
    assert [variables["CUDA_VISIBLE_DEVICES"] for variables in given] == seen


def test_fewer_gpus_than_workers_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(InputError) as caught:
        kc.distribute.launch(["-m", "this"])
    assert str(caught.value) == (
        "CUDA_VISIBLE_DEVICES=0 lists fewer GPUs than there are workers (2): list one for each, "
        "unset it, or hide all GPUs by -1."
    )


def test_ctrl_c_is_passed_on_once(script):
    patient = script(
        "import signal\n"
        "def stop(*_):\n    print('saved', flush=True)\n    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    running = process(patient)
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "saved\n")
    assert err.startswith("kerascnn: Stopped.")


def test_no_worker_outlives_the_command(script):
    """Killed, the command can end nobody; the workers see that it is gone."""
    waiting = script(
        "from kerascnn.distribute.starting import _end_with_launch\n_end_with_launch()\n"
        "print(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    running = process(waiting)
    worker = int(running.stdout.readline())
    os.kill(worker, 0)  # it is there
    start = time.monotonic()
    running.kill()
    assert running.stdout.read() == ""  # ends when the worker does
    assert time.monotonic() - start < 30
    running.communicate()


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ([], {}, "Name the script to run"),
        (["no.py"], {}, "There is no script no.py."),
        (["-m", "this"], {"workers": 1}, "workers must be 2 or more, else use python. Received: 1"),
        (["-m", "this"], {"machines": ["a:1"]}, "machines must be two or more"),
        (["-m", "this"], {"machines": ["a:1", "b"]}, '"host:port"'),
        (["-m", "this"], {"machines": ["a:1", "b:1"], "machine": 2}, "machine=2"),
    ],
)
def test_what_cannot_be_started_is_refused(command, options, message):
    with pytest.raises(InputError, match=message):
        kc.distribute.launch(command, **options)
