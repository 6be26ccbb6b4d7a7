"""A worker process that serves many trials, seen from the process that searches."""

import collections
import os
import pickle
import signal
import subprocess
import sys
import threading
from multiprocessing import Pipe

import cloudpickle
import keras

from kerascnn._errors import InputError
from kerascnn._random import is_reproducible

__all__ = ["Worker", "process_settings"]

_GROWTH = 1.2  # memory after a trial, against that after the second, at which a worker is replaced
_SETTLED = 2  # the first trials fill caches that stay
_LAST_LINES = 40
_PATIENCE_SECONDS = 10


class Worker:
    """Runs trials of a search in a process of their own, and replaces it when it dies or grows.

    Use it in a `with` block: no process is left at its end.
    """

    def __init__(self, study):
        self._study = study
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def run(self, trial, hyperparameters, tell):
        """The outcome of `_trial.attempt` in the worker, or of the worker's death."""
        if self._process is None:
            self._start()
        try:
            self._connection.send_bytes(pickle.dumps((trial, hyperparameters.get_config())))
            while (message := self._connection.recv())[0] == "epoch":
                tell(*message[1])
        except (EOFError, OSError):
            return self._death() | {"hyperparameters": hyperparameters.get_config()}
        outcome, resident = message[1]
        self._sizes.append(resident)
        if has_grown(self._sizes):
            self.stop()
        return outcome

    def stop(self):
        """End the process, also in the middle of a trial."""
        if self._process is None:
            return
        self._connection.close()  # which it notices
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._relay.join(_PATIENCE_SECONDS)
        self._process = None

    def _start(self):
        sent = _dumped(self._study)
        self._connection, theirs = Pipe()
        call = f"from kerascnn.search._worker import main; main({theirs.fileno()})"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", f"import sys; sys.path[:] = {sys.path!r}; {call}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()], env=_environment(),
            )  # fmt: skip
        self._sizes = []
        self._last = collections.deque(maxlen=_LAST_LINES)
        self._relay = threading.Thread(target=self._show, args=(self._process.stdout,), daemon=True)
        self._relay.start()
        self._introduce(sent)

    def _introduce(self, sent):
        try:
            self._connection.send_bytes(pickle.dumps((process_settings(self._study.seed), sent)))
            word, why = self._connection.recv()
        except (EOFError, OSError):
            word, why = "refused", self._death()["message"]
        if word == "refused":
            self.stop()
            raise InputError(
                f"The worker process of the search could not start: {why}. "
                "Pass isolate=False to run the trials in this process."
            )

    def _show(self, lines):
        """What the worker prints goes to this process's stderr, a notebook's included."""
        with lines:
            for line in lines:
                text = line.decode(errors="backslashreplace")
                if not text.startswith("Extension modules:"):  # all that a crashed process had
                    self._last.append(text)
                    sys.stderr.write(text)

    def _death(self):
        """The outcome of a trial that ended its process."""
        self._connection.close()
        code = self._process.wait()
        self._relay.join(_PATIENCE_SECONDS)
        self._process = None
        how = f"ended with code {code}"
        if code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            how += " (too little memory?)" if code == -signal.SIGKILL else ""
        message = f"the worker process {how}"
        return {
            "status": "FAILED",
            "message": message,
            "traceback": "".join([f"{message}; its last lines:\n", *self._last]),
            "fatal": False,
        }


def has_grown(sizes):
    """Whether the memory after a trial shows that the process should be replaced.

    >>> has_grown([100, 200, 230]), has_grown([100, 200, 250])
    (False, True)
    """
    return len(sizes) > _SETTLED and sizes[-1] > _GROWTH * sizes[_SETTLED - 1]


def _dumped(study):
    try:
        return cloudpickle.dumps(study)
    except Exception as error:  # pickle raises almost anything
        raise InputError(
            f"The hypermodel, or what `search` was given, cannot be sent to a worker process "
            f"({error}): make the data in `fit`, or pass isolate=False."
        ) from error


def process_settings(seed):
    """What a process has been told about Keras, plain."""
    threads = None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        chosen = tf.config.threading
        threads = [
            chosen.get_intra_op_parallelism_threads(),
            chosen.get_inter_op_parallelism_threads(),
        ]
    return {
        "dtype_policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "threads": threads,
        "reproducible": is_reproducible(),
        "seed": seed,
    }


def _environment():
    return {
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }
