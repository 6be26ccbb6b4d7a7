"""One search by several processes: Keras Tuner's chief hands out trials, workers run them."""

import collections
import contextlib
import numbers
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from kerascnn._errors import InputError
from kerascnn._random import is_reproducible

__all__ = ["run_workers"]

_LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.1


def run_workers(search, workers=2, *, address=None, chief=True, restarts=3):
    """Run a search of Keras Tuner in several processes, on this machine and on others.

    Each process calls `search`. Keras Tuner makes one of them the chief, which asks the oracle and
    keeps its state, and the others workers, which train. A worker that is killed is started again
    and goes on with its trial from the beginning. The random oracle draws what it would draw for
    one worker. All processes end with this one, however it ends; the same call goes on with what
    was not finished.

    On other machines call it with the same `search`, the first machine's `address` and
    `chief=False`. The photos must be there too. The folder of the search should be one that all
    machines share: the chief's holds the scores, but each worker writes the weights of its trials
    to its own. The chief believes everyone who reaches its port: use a network that you trust.

    Keras Tuner's own way works as well: the same script on every machine, with the variables
    KERASTUNER_TUNER_ID ("chief" or another name), KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT.

    Args:
        search: function without arguments that makes a `kc.search.Tuner`, or any tuner of Keras
            Tuner, and calls its `search`; no `overwrite=True`. It is sent by cloudpickle.
        workers: int >= 1, or the workers' names, which differ on all machines.
        address: "HOST:PORT" of the chief; None for a free port that only this machine reaches.
        chief: bool. Whether the chief runs here.
        restarts: int >= 0. How often a worker that was killed is started again.

    Raises:
        InputError: an argument cannot be used, the search refuses its input, or a worker was killed
            too often.
        RuntimeError: a process of the search ended with an error, which stands on stderr.

    >>> def search():
    ...     data = kc.data.from_directory("photos/", 224)
    ...     kc.search.Tuner(kc.search.FineTuning(data), "search/").search()
    >>> run_workers(search, 2)  # doctest: +SKIP
    """
    names = _names(workers)
    host, port = _place(address, chief)
    import cloudpickle

    sent = cloudpickle.dumps((search, is_reproducible()))
    with contextlib.ExitStack() as members:

        def start(name, **variables):
            variables |= {"KERASTUNER_ORACLE_IP": host, "KERASTUNER_ORACLE_PORT": port}
            member = _Member(name, sent, _environment(host) | variables)
            members.callback(member.end)
            return member

        server = chief and start("chief", CUDA_VISIBLE_DEVICES="-1")  # it trains nothing
        _supervise(server, [start(name) for name in names], restarts)
        if server and address:
            server.wait_for_others()


class _Member:
    """A process of a search; its lines go to stderr.

    Attributes:
        deaths: int, how often it was killed.
        last: the last line that it wrote.
    """

    def __init__(self, name, sent, environment):
        self.name, self.sent, self.deaths = name, sent, 0
        self.environment = environment | {"KERASTUNER_TUNER_ID": name}
        self.last = collections.deque([""], maxlen=1)
        self.start()

    def start(self):
        # Control-C is for the parent: in a session of their own the others do not hear it.
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "kerascnn.search._member"],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.relay = threading.Thread(target=self._show, args=(self.process.stdout,), daemon=True)
        self.relay.start()
        with contextlib.suppress(BrokenPipeError):  # it has ended, and its lines say why
            self.process.stdin.write(self.sent)
            self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.relay.join()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def wait_for_others(self):
        """Keras Tuner's chief ends by itself when no worker that it knows has a trial."""
        print("Waiting for the workers on other machines.", file=sys.stderr)
        self.process.wait()

    def _show(self, lines):
        with lines:
            for line in lines:
                text = line.decode(errors="backslashreplace").rstrip()
                self.last.append(text or self.last[0])
                print(text, file=sys.stderr, flush=True)


def _supervise(chief, workers, restarts):
    """Return when all workers have ended well; start again those that were killed."""
    while any(worker.process.poll() != 0 for worker in workers):
        time.sleep(_POLL_SECONDS)
        if chief and chief.process.poll():
            _refuse(chief)
        for worker in workers:
            code = worker.process.poll()
            if code and code > 0:
                _refuse(worker)
            elif code:
                _start_again(worker, restarts)


def _start_again(worker, restarts):
    worker.deaths += 1
    how = f"{worker.name} was killed ({signal.Signals(-worker.process.returncode).name})"
    if worker.deaths > restarts:
        raise InputError(
            f"{how} {worker.deaths} times: perhaps there is too little memory. What is finished "
            "is kept: the same search goes on, with fewer workers or smaller batches."
        )
    print(f"{how}; it is started again with its trial.", file=sys.stderr)
    worker.end()
    worker.start()


def _refuse(member):
    member.relay.join()
    if member.process.returncode == 2:
        raise InputError(member.last[0])
    raise RuntimeError(f"{member.name} of the search ended: {member.last[0]}")


def _names(workers):
    if isinstance(workers, numbers.Integral):
        workers = [f"worker{i}" for i in range(1, workers + 1)]
    if not workers or len(set(workers)) < len(workers):
        raise InputError(f"Pass a number of workers from 1, or their names. Received: {workers}.")
    taken = [name for name in workers if "chief" in name or not name.replace("-", "").isalnum()]
    if taken:  # Keras Tuner knows the chief by its name, and writes a file for each
        raise InputError(
            f"{taken[0]!r} cannot name a worker: use letters, digits and -, and not 'chief'."
        )
    return workers


def _place(address, chief):
    """(host, port) as strings."""
    if address is None and chief:
        with socket.create_server((_LOOPBACK, 0)) as free:
            return _LOOPBACK, str(free.getsockname()[1])
    host, _, port = str(address).rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InputError(f"The chief's address is HOST:PORT, e.g. 10.0.0.1:5000, not {address!r}.")
    return host, port


def _environment(host):
    """What a member inherits: modules are found where they are here."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "no_grpc_proxy": host,  # a proxy for the web is in nobody's way to the chief
    }
