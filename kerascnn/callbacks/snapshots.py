"""One model at the end of each cycle of the learning rate: an ensemble for one training."""

from pathlib import Path

import keras

from kerascnn._errors import InputError, whole
from kerascnn._runs import atomic_path
from kerascnn.callbacks._scaling import log_rates

__all__ = ["Snapshots"]


class Snapshots(keras.callbacks.Callback):
    """Saves the model after every `every_epochs` epochs, where the learning rate is lowest.

    Compile with a rate that restarts, e.g. `CosineDecayRestarts(0.1, every_epochs * steps, t_mul=1,
    alpha=...)` of Keras, then average the predictions of the files.

    Source: Huang et al. 2017, arXiv:1704.00109, Sec. 3. Differs: no.

    Args:
        directory: str or path of a folder, made if it is not there. Files of the same name are
            replaced.
        every_epochs: int >= 1, epochs of a cycle.

    Attributes:
        files: list of paths, `snapshot-001.keras` first.

    Raises:
        InputError: `every_epochs` is no int or below 1; from `fit`, it does not divide the epochs,
            so that the last cycle would not end.

    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> snapshots = Snapshots(tempfile.mkdtemp(), every_epochs=2)
    >>> x = keras.ops.ones((4, 1))
    >>> _ = model.fit(x, x, epochs=6, callbacks=[snapshots], verbose=0)
    >>> [file.name for file in snapshots.files]
    ['snapshot-001.keras', 'snapshot-002.keras', 'snapshot-003.keras']
    """

    def __init__(self, directory, every_epochs):
        super().__init__()
        self.directory = Path(directory)
        self.every_epochs = whole(every_epochs, "every_epochs", 1)
        self._done = 0

    @property
    def files(self):
        return [self._file(number) for number in range(1, self._done + 1)]

    def get_state(self):
        return {"done": self._done}

    def set_state(self, state):
        self._done = state["done"]

    def on_train_begin(self, logs=None):
        self._done = 0
        epochs = self.params.get("epochs")
        if epochs is not None and epochs % self.every_epochs:
            raise InputError(
                f"{epochs} epochs are no whole number of cycles of {self.every_epochs}, so the "
                "last one would not be saved. Change epochs or every_epochs."
            )

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            log_rates(self.model, logs)
        if (epoch + 1) % self.every_epochs == 0:
            self._done = (epoch + 1) // self.every_epochs
            with atomic_path(self._file(self._done)) as path:
                self.model.save(path)

    def _file(self, number):
        return self.directory / f"snapshot-{number:03}.keras"
