"""Starting the processes of one training, and ending all of them when one ends badly."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn._runs import WORKER, WORKERS

__all__ = ["launch"]

_LOOK = 0.1  # seconds between looks at the processes
_GRACE = 10  # seconds to save and stop after SIGTERM
_SHOWN = 20  # lines of what a worker said before it failed
_DEVICES = "CUDA_VISIBLE_DEVICES"
_NONE = ("", "-1")  # values of it that hide all GPUs


def launch(command, workers=2, machines=None, machine=0, logs=None):
    """Run a Python script in several processes that train one model together.

    The script calls `start()` first. Worker 0's output is shown; of the others it is kept aside and
    the end of it is shown if they fail. When one process fails or is killed, the others are ended
    too: the training cannot go on without it. With `Resume` the same call then continues from the
    last checkpoint.

    On one machine the first worker takes the first GPU, or the first that CUDA_VISIBLE_DEVICES
    lists, and so on; for all GPUs of one machine in one process see `mirrored`. With `machines`,
    make the same call on each of them: one process is started on each and sees all of its GPUs. The
    processes talk without encryption and take whoever comes: only in a network you trust.

    Args:
        command: list of strs: the script and its arguments, or `["-m", "module", ...]`.
        workers: int >= 2, processes on this machine; not used with `machines`.
        machines: list of "host:port", the same on all machines, or None. The first one's port must
            be free there and reachable from all others.
        machine: int, which of `machines` this one is.
        logs: folder for the output of the workers, `worker-1.txt` and so on, or None.

    Returns:
        int: 0 if all ended well.

    Raises:
        InputError: an argument cannot be used, JAX is not installed, or a worker failed; it says
            which and how.

    >>> launch(["train.py"], workers=2)  # doctest: +SKIP
    0
    """
    _check(command, workers, machines, machine)
    if machines:
        numbers, places = [machine], list(machines)
    else:
        numbers, places = list(range(workers)), [f"127.0.0.1:{_free_port()}"]
    total = len(machines) if machines else workers
    with contextlib.ExitStack() as stack:
        folder = logs or stack.enter_context(tempfile.TemporaryDirectory(prefix="kerascnn-launch-"))
        Path(folder).mkdir(parents=True, exist_ok=True)
        group = _Group(Path(folder), shown=numbers[0])
        stack.enter_context(group)
        for number in numbers:
            alone = len(numbers) == 1
            group.begin(number, command, _environment(os.environ, number, total, places[0], alone))
        group.watch()
    return 0


class _Group:
    """Processes of which none outlives the block."""

    def __init__(self, folder, shown):
        self._folder, self._shown = folder, shown
        self._running, self._asked = {}, None

    def __enter__(self):
        self._before = {}
        with contextlib.suppress(ValueError):  # only the main thread may
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error):
        self._end()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        self._asked = number

    def begin(self, number, command, environment):
        output = None if number == self._shown else (self._path(number)).open("wb")
        with output or contextlib.nullcontext():
            self._running[number] = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                stdin=subprocess.PIPE,  # its end tells a worker that we are gone
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,  # Ctrl-C comes to us, and we pass it on once
            )

    def watch(self):
        """Until all have ended well.

        Raises:
            InputError: one did not.
            KeyboardInterrupt, SystemExit: this process was asked to stop.
        """
        while self._running:
            time.sleep(_LOOK)
            if self._asked:
                self._stop_as_asked()
            ended = {n: p for n, p in self._running.items() if p.poll() is not None}
            failed = [n for n, process in ended.items() if process.returncode]
            if failed:
                # If one is killed, the others fail or abort in the same moment, as it is gone.
                codes = {n: self._running[n].returncode for n in failed}
                first = min(failed, key=lambda n: (codes[n] > 0 or codes[n] == -signal.SIGABRT, n))
                raise InputError(self._described(first, codes[first]))
            for number in ended:
                self._running.pop(number).stdin.close()

    def _stop_as_asked(self):
        number, self._asked = self._asked, None
        self._end()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    def _end(self):
        """SIGTERM, on which `Resume` saves, and SIGKILL for who is not gone in time."""
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        until = time.monotonic() + _GRACE
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, until - time.monotonic()))
            _signal(process, signal.SIGKILL)  # and what it started
            process.wait()
            process.stdin.close()
        self._running = {}

    def _described(self, number, code):
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        if number != self._shown:
            for line in self._path(number).read_text("utf-8", "replace").splitlines()[-_SHOWN:]:
                print(f"[worker {number}] {line}", file=sys.stderr)
        return (
            f"Worker {number} {how}, so all were stopped. If the script uses Resume, the same "
            "command goes on from its last checkpoint."
        )

    def _path(self, number):
        return self._folder / f"worker-{number}.txt"


def _signal(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _environment(environment, number, total, first, alone):
    """The variables of worker `number`; `first` is where worker 0 listens."""
    found = {
        **environment,
        "KERAS_BACKEND": "jax",
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": first,
        WORKERS: str(total),
        WORKER: str(number),
    }
    listed = environment.get(_DEVICES)
    if not alone and listed not in _NONE:  # two processes cannot share a GPU
        found[_DEVICES] = str(number) if listed is None else listed.split(",")[number]
    return found


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _check(command, workers, machines, machine):
    if not command:
        raise InputError("Name the script to run: kerascnn launch --workers 2 train.py")
    if command[0] != "-m" and not Path(command[0]).is_file():
        raise InputError(f"There is no script {command[0]}.")
    if machines:
        wrong = [place for place in machines if not place.rpartition(":")[2].isdigit()]
        if wrong or len(machines) < 2 or not 0 <= machine < len(machines):
            raise InputError(
                'machines must be two or more "host:port", and machine the number of this one from '
                f"0. Received: machines={machines}, machine={machine}."
            )
    elif workers < 2:
        raise InputError(f"workers must be 2 or more, else use python. Received: {workers}.")
    elif (listed := os.environ.get(_DEVICES, "")) not in _NONE and listed.count(",") < workers - 1:
        raise InputError(
            f"{_DEVICES}={listed} lists fewer GPUs than there are workers ({workers}): list one "
            "for each, unset it, or hide all GPUs by -1."
        )
    if not importlib.util.find_spec("jax"):
        raise InputError('Training in several processes needs JAX: pip install "kerascnn[jax]".')
