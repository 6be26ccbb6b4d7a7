"""A training run that can be killed at any moment and continued to the same weights."""

import contextlib
import datetime
import logging
import numbers
import sys
import time
import weakref
from pathlib import Path

import numpy as np

from kerascnn._errors import InputError, NonFiniteError
from kerascnn._runs import lock, said_simply
from kerascnn.callbacks import _checkpoint
from kerascnn.callbacks._forwarding import Forwarding
from kerascnn.callbacks._identity import differences, identity
from kerascnn.callbacks._interrupt import Interrupt
from kerascnn.callbacks._position import Positioned, knows_its_position
from kerascnn.callbacks._state import Memory, capture, restore, variables

__all__ = ["Resume"]

_log = logging.getLogger("kerascnn")
_holders = weakref.WeakValueDictionary()  # folder -> the `Resume` of this process that locks it


class Resume(Forwarding):
    """Keeps a training run on disk; run again after any end, it continues as if nothing happened.

    A checkpoint holds weights, optimiser, metrics, seed generators, Python's and NumPy's random
    state, history, the position in the data and the state of the `callbacks`, which belong in here
    and not beside it: Keras calls them through this one. The run that was killed, in the middle of
    an epoch too, ends with the same weights to the bit as one that was not, if the data is of
    `kc.data` (or has its `batch(epoch, index)`), on one device, after `kc.reproducible(seed)`. Any
    other data continues at the start of the epoch that was cut, in an order of its own.

    A checkpoint is written aside, flushed to the disk and renamed; the one before is kept and used,
    with a warning, if the newest is damaged. If the disk refuses, training goes on and the next
    checkpoint is tried. Weights that are not finite are never saved. Ctrl-C or SIGTERM finishes
    the step, saves and stops; a second one stops at once.

    Not kept: draws of TensorFlow's own operations and of Keras's global generator
    (`keras.random.normal(..., seed=None)` outside of layers), and what a callback holds beside
    plain values, unless it has `get_state()` and `set_state(state)`. `CSVLogger` needs
    `append=True`.

    Args:
        directory: str or path of a folder of this run's own; made when the first checkpoint is.
        data: training data of `kc.data`, e.g. `data.train`, or None for any other.
        callbacks: list of callbacks whose state is kept.
        every: "epoch", an int (steps between checkpoints) or a `datetime.timedelta`. At the end
            of an epoch there is always one. Without `data` only "epoch".
        strict: bool. False goes on although other versions of the packages made the checkpoint.

    Attributes:
        data: give this to `fit`.
        initial_epoch: int, give this to `fit`. `sys.maxsize` if the run was stopped for good, by
            early stopping for instance.

    Raises:
        InputError: an argument cannot be used, another process works in the folder, or `fit` is
            called with another model, data or callbacks than the checkpoint's; it says which.

    >>> import tempfile
    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> data = from_arrays(images, [0, 1] * 20)
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(2)])
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> folder = tempfile.mkdtemp()
    >>> for epochs in (2, 3):  # the second call makes one epoch more
    ...     resume = Resume(folder, data.train, [keras.callbacks.ReduceLROnPlateau("loss")])
    ...     history = model.fit(resume.data, epochs=epochs, initial_epoch=resume.initial_epoch,
    ...         callbacks=[resume], shuffle=False, verbose=0)
    >>> history.epoch
    [0, 1, 2]
    """

    def __init__(self, directory, data=None, callbacks=(), every="epoch", strict=True):
        super().__init__(callbacks)
        self.directory = Path(directory)
        self._source = data
        self._exact = knows_its_position(data)
        self._every = _checked_interval(every, self._exact)
        self._strict = strict
        self.data = Positioned(data) if self._exact else data
        self._open = contextlib.ExitStack()
        self._interrupt = Interrupt(None)
        self._train_function = None  # the model's, while it passes over batches that are done
        self._look()
        if not self._exact:
            _log.warning(
                "Resume: the order of this data is not ours, so a run that is cut continues at the "
                "start of its epoch. Data of kc.data continues at the step, to the same weights."
            )

    @property
    def initial_epoch(self):
        if self._seen is None:
            self._look()
        if self._found is None:
            return 0
        return sys.maxsize if self._found.state["stopped"] else self._found.epoch

    def set_model(self, model):
        super().set_model(model)
        self._trained = model  # `self.model` gathers the weights on JAX at every look

    # --- what fit calls ----------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        with self._released_on_error():
            self._lock()
            self._check_steps()
            self._check_checkpoint()
            self._rates = [_plain_rate(self._trained)] * 2
            self._rows, self._stopped = [], False
            self._began, self._paused = False, False
            self._interrupt = Interrupt(self._trained)
            super().on_train_begin(logs)
            self._memories = [Memory(callback) for callback in self.callbacks]
            if self._found:
                self._continue()
            self._interrupt.install()

    def on_epoch_begin(self, epoch, logs=None):
        with self._released_on_error():
            found, self._found = self._found, None
            if found and epoch != found.epoch:
                raise InputError(
                    f"fit begins at epoch {epoch}, but {self.directory} has {found.epoch} that are "
                    "done. Pass initial_epoch=resume.initial_epoch to continue, or choose another "
                    "folder to begin anew."
                )
            self._epoch, self._skip = epoch, found.step if found else 0
            if self._exact:
                self.data.move(epoch, self._skip)
            super().on_epoch_begin(epoch, logs)
            if not self._began:
                self._tell_history()
            if self._skip:
                self._restore(found, with_metrics=True)  # over what the epoch's begin changed
                self._pass_over_batches()
            self._saved_step, self._saved_time = self._skip, time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        if batch >= self._skip:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        done = min(batch + 1, self.params["steps"]) if self._exact else batch + 1
        if done <= self._skip:
            if done == self._skip:
                self._train_again()
            return
        with self._released_on_error():
            if self._exact:
                self.data.check_use()
            try:
                super().on_train_batch_end(batch, logs)
            except NonFiniteError as error:
                raise NonFiniteError(f"{error} {self._roll_back()}") from None
            if self._exact and (self._interrupt.requested or self._due(done)):
                self._save(self._epoch, done)
            self._stop_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        with self._released_on_error():
            super().on_epoch_end(epoch, logs)
            values = {name: np.asarray(value).tolist() for name, value in logs.items()}
            self._rows.append([epoch, values])
            self._stopped = bool(self._trained.stop_training)
            self._save(epoch + 1, 0)
            self._stop_if_asked()

    def on_train_end(self, logs=None):
        with self._released_on_error():
            if not self._began:  # nothing was left to do
                self._tell_history()
            super().on_train_end(logs)
        self._release()

    # --- continuing --------------------------------------------------------------------------

    def _look(self):
        """Find the newest checkpoint that is whole."""
        self._seen, self._found, self._kept = _checkpoint.listed(self.directory), None, None
        for path in self._seen:
            try:
                self._found, self._kept = _checkpoint.load(path), path
                return
            except InputError as error:
                _log.warning("%s The one before is tried.", error)

    def _check_steps(self):
        steps = self.params["steps"]
        if self._exact and steps != self.data.num_batches:
            raise InputError(
                f"An epoch of resume.data has {self.data.num_batches} batches, and fit was told "
                f"{steps}. Pass resume.data to fit, and leave out steps_per_epoch."
            )

    def _check_checkpoint(self):
        """What was found is of this run, and nobody wrote another checkpoint meanwhile."""
        if self._seen is None:
            self._look()
        if _checkpoint.listed(self.directory) != self._seen:
            raise InputError(
                f"The checkpoints in {self.directory} are not those that Resume found: they were "
                "changed meanwhile. Make a new Resume, and call fit again."
            )
        self._identity = identity(self._trained, self.callbacks, self._source)
        if self._found is None:
            return
        before, now = dict(self._found.state["identity"]), dict(self._identity)
        if not self._strict:
            before["versions"] = now["versions"]
        different = differences(before, now)
        if different:
            raise InputError(
                f"{self.directory} holds another run ({'; '.join(different)}). Choose another "
                "folder, or continue that run as it was."
            )

    def _continue(self):
        self._rows, self._stopped = self._found.state["history"], self._found.state["stopped"]
        if (
            self._found.step
            and not self._found.arrays.keys() <= variables(self._trained, with_metrics=True).keys()
        ):
            self._trained.test_on_batch(*self.data[0])  # TensorFlow makes metrics at the first step
        self._restore(self._found, with_metrics=False)
        _log.info("Continuing the run in %s after %s.", self.directory, _position(self._found))

    def _restore(self, found, with_metrics):
        restore(self._trained, self._memories, found.state["training"], found.arrays, with_metrics)
        compiled, saved = self._rates[0], found.state["learning_rates"]
        if compiled not in saved:  # the user's new choice
            self._trained.optimizer.learning_rate = compiled
            if not with_metrics:
                _log.warning("The learning rate continues at %g, not at %g.", compiled, saved[1])
        else:
            self._rates[0] = saved[0]

    def _pass_over_batches(self):
        """Until the steps that are done are over, the model reads batches and does nothing."""
        model, logs = self._trained, self._trained.get_metrics_result()

        def pass_over(*args):  # (iterator), on JAX (state, iterator)
            for _ in range(model.steps_per_execution):
                next(args[-1], None)
            return (logs, args[0]) if len(args) == 2 else logs

        self._train_function, model.train_function = model.train_function, pass_over

    def _train_again(self):
        if self._train_function is not None:
            self._trained.train_function, self._train_function = self._train_function, None

    def _tell_history(self):
        self._began = True
        history = self._trained.history
        history.epoch = [epoch for epoch, _ in self._rows]
        history.history = {}
        for _, values in self._rows:
            for name, value in values.items():
                history.history.setdefault(name, []).append(value)

    # --- saving ------------------------------------------------------------------------------

    def _due(self, done):
        if isinstance(self._every, datetime.timedelta):
            return time.monotonic() - self._saved_time >= self._every.total_seconds()
        return self._every != "epoch" and done - self._saved_step >= self._every

    def _save(self, epoch, step):
        training, arrays = capture(self.model, self._memories, with_metrics=step > 0)
        bad = _first_bad(self._trained, arrays)
        if bad:
            _log.warning("Not saved: %s is not finite. NaNWatch() would have stopped here.", bad)
            return
        self._rates[1] = _plain_rate(self._trained)
        state = {
            "identity": self._identity,
            "training": training,
            "history": self._rows,
            "learning_rates": self._rates,
            "stopped": self._stopped,
        }
        try:
            made = _checkpoint.Checkpoint(epoch, step, state, arrays)
            self._kept = _checkpoint.save(self.directory, made, self._kept)
        except (OSError, InputError) as error:
            if not self._paused:
                _log.warning(
                    "No checkpoint could be saved: %s Training goes on, the last one is kept, and "
                    "saving is tried again at the next.",
                    error,
                )
            self._paused = True
            return
        if self._paused:
            _log.warning("Checkpoints are saved again.")
        self._paused, self._saved_step, self._saved_time = False, step, time.monotonic()

    def _roll_back(self):
        """Put the newest checkpoint into the model; a sentence that says so."""
        self._look()
        if self._found is None:
            return "There is no checkpoint yet."
        restore(self.model, self._memories, self._found.state["training"], self._found.arrays)
        return f"The model is as it was after {_position(self._found)}."

    def _stop_if_asked(self):
        if self._interrupt.requested:
            self._release()
            where = self._kept or "nothing yet"
            print(f"Saved: {where}. The same call continues from there.", file=sys.stderr)
            self._interrupt.stop()

    # --- the folder --------------------------------------------------------------------------

    def _lock(self):
        folder = self.directory.resolve()
        before = _holders.get(folder)
        if before is not None:
            before._release()  # of a fit in this process that ended by an error
        with said_simply(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._open.enter_context(lock(folder))
        _holders[folder] = self
        _checkpoint.sweep(folder)

    def _release(self):
        self._train_again()
        self._interrupt.remove()
        self._open.close()
        self._seen = None

    @contextlib.contextmanager
    def _released_on_error(self):
        try:
            yield
        except BaseException:
            self._release()
            raise


def _checked_interval(every, exact):
    steps = isinstance(every, numbers.Integral) and not isinstance(every, bool) and every >= 1
    span = isinstance(every, datetime.timedelta) and every > datetime.timedelta(0)
    if every != "epoch" and not steps and not span:
        raise InputError(
            'every must be "epoch", a number of steps >= 1, or a datetime.timedelta > 0, e.g. '
            f"timedelta(minutes=10). Received: {every!r}."
        )
    if every != "epoch" and not exact:
        raise InputError(
            f"every={every!r} needs training data that knows its position: pass data of kc.data, "
            'e.g. Resume(directory, data.train), or every="epoch".'
        )
    return every


def _plain_rate(model):
    """The optimiser's learning rate; None if a schedule or several optimisers decide it."""
    config = model.optimizer.get_config() if model.optimizer is not None else {}
    rate = config.get("learning_rate")
    return float(rate) if isinstance(rate, numbers.Real) else None


def _first_bad(model, arrays):
    """Path of the first weight that holds NaN or infinity, or None."""
    for i, variable in enumerate(model.variables):
        array = arrays[f"model/{i}"]
        if array.dtype.kind not in "biu" and not np.isfinite(array).all():
            return variable.path
    return None


def _position(found):
    return f"epoch {found.epoch + 1}, step {found.step}" if found.step else f"{found.epoch} epochs"
