"""A training run that can be killed at any moment and continued to the same weights."""

import contextlib
import logging
import sys
import threading
from pathlib import Path

import keras
import numpy as np

from kerascnn._errors import InputError, NonFiniteError
from kerascnn.callbacks import _together
from kerascnn.callbacks._checkpoint import Checkpoint
from kerascnn.callbacks._forwarding import Forwarding
from kerascnn.callbacks._identity import differences, identity
from kerascnn.callbacks._interrupt import Interrupt
from kerascnn.callbacks._interval import Interval
from kerascnn.callbacks._photos import changed_photos, keep_photos
from kerascnn.callbacks._position import Positioned, knows_its_position, pass_over_batches
from kerascnn.callbacks._rate import LearningRate
from kerascnn.callbacks._run_folder import RunFolder
from kerascnn.callbacks._state import Memory, build, capture, first_bad, is_built, restore

__all__ = ["Resume"]

_log = logging.getLogger("kerascnn")


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
    (`keras.random.normal(..., seed=None)` outside of layers), optimisers other than
    `model.optimizer`, and what a callback holds beside plain values, unless it has `get_state()`
    and `set_state(state)`. `CSVLogger` needs `append=True`, and writes a row twice if the process
    dies just behind it. On JAX the data has one worker. Of several processes (`kc.distribute`) the
    first writes and all read, so that on several machines the folder is on a disk they share.

    Args:
        directory: str or path of a folder of this run's own; `fit` makes it.
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
        super().__init__(_checked_callbacks(callbacks))
        self.directory = Path(directory)
        self._source = data
        self._exact = knows_its_position(data)
        self._interval = Interval(every, self._exact)
        self._strict = strict
        self.data = Positioned(data) if self._exact else data
        self._folder = RunFolder(directory)
        self._interrupt = Interrupt(None)
        self._folder.look()
        if not self._exact:
            _log.warning(
                "Resume: the order of this data is not ours, so a run that is cut continues at the "
                "start of its epoch. Data of kc.data continues at the step, to the same weights."
            )

    @property
    def initial_epoch(self):
        if not self._folder.looked:
            self._folder.look()
        found = self._folder.found
        if found is None:
            return 0
        return sys.maxsize if found.state["stopped"] else found.epoch

    def set_model(self, model):
        super().set_model(model)
        self._trained = model  # `self.model` gathers the weights on JAX at every look

    # --- what fit calls ----------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        with self._released_on_error():
            self._check_steps()
            self._found, self._thread = self._folder.take(), threading.get_ident()
            self._build()
            self._check_checkpoint()
            self._rate = LearningRate(self._trained)
            self._rows, self._stopped, self._told = [], False, False
            self._skip, self._passing = 0, False
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
            if not self._told:
                self._tell_history()
            if self._skip:
                self._restore(found, with_metrics=True)  # what the epoch's begin changed
                pass_over_batches(self._trained, self._is_passing)
            self._interval.begin(self._skip)

    def on_train_batch_begin(self, batch, logs=None):
        self._passing = batch < self._skip
        if not self._passing:
            super().on_train_batch_begin(batch, logs)

    def _is_passing(self):
        """Whether the step that begins is done already; said once, so that no other fit rests."""
        passing, self._passing = self._passing, False
        return passing

    def on_train_batch_end(self, batch, logs=None):
        done = min(batch + 1, self.params["steps"]) if self._exact else batch + 1
        if done <= self._skip:
            return
        with self._released_on_error():
            self._check_use()
            with self._rolled_back_on_trouble():
                super().on_train_batch_end(batch, logs)
            if self._trained.stop_training:
                return  # the epoch ends now, and saves
            if self._exact and (self._interrupt.requested or self._interval.is_due(done)):
                self._save(self._epoch, done)
            self._stop_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        with self._released_on_error():
            with self._rolled_back_on_trouble():
                super().on_epoch_end(epoch, logs)
            values = {name: np.asarray(value).tolist() for name, value in logs.items()}
            self._rows.append([epoch, values])
            self._stopped = bool(self._trained.stop_training)
            self._save(epoch + 1, 0)
            self._stop_if_asked()

    def on_train_end(self, logs=None):
        with self._released_on_error():
            if not self._told:  # nothing was left to do
                self._tell_history()
            super().on_train_end(logs)
            self._stop_if_asked()
            _together.wait()
        self._release()

    # --- is this the run that was begun ------------------------------------------------------

    def _check_steps(self):
        steps = self.params["steps"]
        if self._exact and steps != self.data.num_batches:
            raise InputError(
                f"An epoch of resume.data has {self.data.num_batches} batches, and fit was told "
                f"{steps}. Pass resume.data to fit, and leave out steps_per_epoch."
            )

    def _check_checkpoint(self):
        self._identity = identity(self._trained, self.callbacks, self._source)
        if self._found is None:
            keep_photos(self.directory, self._source)
            return
        before, now = dict(self._found.state["identity"]), dict(self._identity)
        if not self._strict:
            before["versions"] = now["versions"]
        different = differences(before, now)
        if different:
            photos = changed_photos(self.directory, self._source)
            said = [text for text in different if not photos or "photos_sha256" not in text]
            different = [*photos, *said]
            raise InputError(
                f"{self.directory} holds another run ({'; '.join(different)}). Choose another "
                "folder, or continue that run as it was."
            )

    def _check_use(self):
        if threading.get_ident() != self._thread:
            raise InputError(
                "Pass a list to fit: callbacks=[resume]. Keras calls one that is "
                "alone from other threads, while training goes on."
            )
        if self._exact:
            self.data.check_use()

    # --- continuing --------------------------------------------------------------------------

    def _build(self):
        arrays = self._found.arrays if self._found else {}
        if not is_built(self._trained, arrays):
            if not self._exact:
                raise InputError(
                    "The model has no weights before its first batch, so none can be continued "
                    "with. Begin it with keras.Input(shape), or call model.build(shape) before fit."
                )
            build(self._trained, self.data[0])

    def _continue(self):
        self._rows, self._stopped = self._found.state["history"], self._found.state["stopped"]
        self._rate.continue_from(self._found.state["learning_rates"])
        self._restore(self._found, with_metrics=False)
        _log.info("Continuing the run in %s after %s.", self.directory, _position(self._found))

    def _restore(self, found, with_metrics):
        restore(self._trained, self._memories, found.state["training"], found.arrays, with_metrics)
        self._rate.set()

    def _tell_history(self):
        self._told = True
        history = self._trained.history
        history.epoch = [epoch for epoch, _ in self._rows]
        history.history = {}
        for _, values in self._rows:
            for name, value in values.items():
                history.history.setdefault(name, []).append(value)

    # --- saving ------------------------------------------------------------------------------

    def _save(self, epoch, step):
        training, arrays = capture(self.model, self._memories, with_metrics=step > 0)
        bad = first_bad(self._trained, arrays)
        if bad:
            _log.warning("Not saved: %s is not finite. NaNWatch names the layer.", bad)
        else:
            state = {
                "identity": self._identity,
                "training": training,
                "history": self._rows,
                "learning_rates": self._rate.state(),
                "stopped": self._stopped,
            }
            self._folder.save(Checkpoint(epoch, step, state, arrays))
        self._interval.begin(step)  # whether it worked or not: a full disk is no reason to hurry

    @contextlib.contextmanager
    def _rolled_back_on_trouble(self):
        try:
            yield
        except NonFiniteError as error:
            raise NonFiniteError(f"{error} {self._roll_back()}") from None

    def _roll_back(self):
        """Put the newest checkpoint into the model; a sentence that says so."""
        with contextlib.suppress(InputError):
            self._folder.look()
        found = self._folder.found
        if found is None:
            return "There is no checkpoint yet."
        restore(self.model, self._memories, found.state["training"], found.arrays)
        return f"The model is as it was after {_position(found)}."

    def _stop_if_asked(self):
        if self._interrupt.requested:
            newest = self._folder.newest
            self._release()
            where = f"from {newest}" if newest else "at the beginning: there is no checkpoint yet"
            print(f"Stopped. The same again continues {where}.", file=sys.stderr)
            self._interrupt.stop()

    def _release(self):
        self._interrupt.remove()
        self._folder.release()

    @contextlib.contextmanager
    def _released_on_error(self):
        try:
            yield
        except BaseException:
            self._release()
            raise


def _checked_callbacks(callbacks):
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore | Resume):
            raise InputError(
                f"{type(callback).__name__} saves and continues a run itself, as Resume does. "
                "Leave it out of Resume's callbacks."
            )
    return callbacks


def _position(found):
    return f"epoch {found.epoch + 1}, step {found.step}" if found.step else f"{found.epoch} epochs"
