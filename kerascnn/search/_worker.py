"""The process in which trials run: started by `_process`, with which it talks over a socket."""

import contextlib
import faulthandler
import os
import pickle
import queue
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["apply_settings", "main"]


def main(descriptor):
    """Serve trials until the other side closes the connection, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    connection = Connection(descriptor)
    requests = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    settings, study = pickle.loads(requests.get())
    with _silence():
        apply_settings(settings)
    faulthandler.enable(all_threads=False)
    import cloudpickle

    try:
        study = cloudpickle.loads(study)
    except Exception as error:  # a module that is not there, or a class that does not unpickle
        connection.send(("refused", f"{type(error).__name__}: {error}"))
        return
    connection.send(("ready", None))
    _serve(study, connection, requests)


def _serve(study, connection, requests):
    import keras_tuner
    import psutil

    from kerascnn.search._trial import attempt

    def tell(epoch, logs):
        connection.send(("epoch", (epoch, logs)))

    while True:
        trial, config = pickle.loads(requests.get())
        hyperparameters = keras_tuner.HyperParameters.from_config(config)
        outcome = attempt(study, trial, hyperparameters, tell)
        resident = psutil.Process().memory_info().rss
        connection.send(("done", (outcome, resident)))


def _listen(connection, requests):
    """Hand on what comes; when the parent is gone, however it went, this process ends too."""
    try:
        while True:
            requests.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


@contextlib.contextmanager
def _silence():
    """Without what backends print when they start; `_console` has it for a process of the user's,
    whose Python goes on printing meanwhile."""
    shown = os.dup(2)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)


def apply_settings(settings):
    """Start Keras, to compute as the parent would."""
    import keras

    keras.config.set_floatx(settings["floatx"])
    keras.config.set_epsilon(settings["epsilon"])
    keras.config.set_image_data_format(settings["image_data_format"])
    keras.config.set_dtype_policy(settings["dtype_policy"])
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        chosen, (inside, between) = tf.config.threading, settings["threads"]
        # Even the same number cannot be set again once TensorFlow has computed.
        if inside != chosen.get_intra_op_parallelism_threads():
            chosen.set_intra_op_parallelism_threads(inside)
        if between != chosen.get_inter_op_parallelism_threads():
            chosen.set_inter_op_parallelism_threads(between)
        # Every trial is traced anew, and should be.
        tf.get_logger().addFilter(lambda record: "retracing" not in record.getMessage())
    if settings["reproducible"]:
        from kerascnn._random import reproducible

        reproducible(settings["seed"])
    keras.ops.zeros(1)  # what a backend says when it starts its devices, it says now
