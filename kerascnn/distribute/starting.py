"""This process as one of several that train one model together."""

import contextlib
import os
import signal
import stat
import sys
import threading
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn._runs import WORKER, WORKERS

__all__ = ["num_workers", "start", "worker"]


def start():
    """Join the processes that `kerascnn launch` started; call it first, before anything is built.

    After it every model is trained on the global batch: each process computes its part of it, and
    JAX adds up the gradients, the statistics of batch normalisation and the metrics over all
    (`keras.distribution.DataParallel`), so that the weights are those of one process up to
    rounding, the same in all processes. Feed it with `shard`. Without `kerascnn launch` nothing is
    done, and the script trains alone, on any backend.

    ```python
    # train.py: `python train.py` alone, `kerascnn launch --workers 2 train.py` in two processes
    import keras
    import kerascnn as kc

    kc.distribute.start()
    kc.reproducible(0)  # the same first weights everywhere
    data = kc.data.from_directory("photos/", image_size=64)
    model = kc.models.CifarResNet20(input_shape=data.image_shape, classes=len(data.class_names))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    train, held = kc.distribute.shard(data.train), kc.distribute.shard(data.validation)
    resume = kc.callbacks.Resume("run/", train)  # only worker 0 writes
    first = kc.distribute.worker() == 0
    model.fit(resume.data, validation_data=held, epochs=10, callbacks=[resume],
              initial_epoch=resume.initial_epoch, shuffle=False, verbose=2 * first)
    kc.distribute.save(model, "model.keras")
    ```

    Every process must do the same: build the same model (one seed), call `fit` and `evaluate` at
    the same places with the same number of steps. What writes or prints belongs to worker 0; but a
    model is saved by `save`, which all call, and a part of a model is not made by one alone.

    Why JAX: under TensorFlow's `MultiWorkerMirroredStrategy`, `fit` of Keras 3 fails
    (github.com/keras-team/keras/issues/20585).

    Raises:
        InputError: Keras runs on another backend than JAX, or JAX has computed already.

    >>> start()
    >>> worker(), num_workers()
    (0, 1)
    """
    if num_workers() == 1:
        return
    import keras

    if keras.backend.backend() != "jax":
        raise InputError(
            "Training in several processes needs Keras's JAX backend, which `kerascnn launch` "
            f"asks for; the script chose {keras.backend.backend()!r}. Leave KERAS_BACKEND alone."
        )
    _end_with_launch()
    _join()
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(auto_shard_dataset=False)  # `shard` does it
    )


def _join():
    """Meet the other processes; JAX refuses once it has computed."""
    import keras

    try:
        with _no_native_lines():
            keras.distribution.initialize()  # reads what `launch` set
            keras.distribution.list_devices()  # the first look opens the connections
    except RuntimeError as error:
        raise InputError(
            f"Worker {worker()} cannot join the others: {str(error).splitlines()[0]} Call "
            "kerascnn.distribute.start() before anything is built, and see that worker 0's address "
            "can be reached."
        ) from error


def _end_with_launch():
    """Stop when the process that started this one is gone: nobody else would end it."""

    def wait():
        if not os.read(0, 1):  # the other end of the pipe is closed
            os.kill(os.getpid(), signal.SIGTERM)  # `Resume` saves

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _no_native_lines():
    """Hide what the C++ code of the connections prints on stdout."""
    sys.stdout.flush()
    shown = os.dup(1)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(shown, 1)
        os.close(shown)


def worker():
    """The number of this process among those of `kerascnn launch`, from 0; 0 without it."""
    return int(os.environ.get(WORKER, 0))


def num_workers():
    """The number of processes of `kerascnn launch`; 1 without it."""
    return int(os.environ.get(WORKERS, 1))
