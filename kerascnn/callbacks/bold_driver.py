"""A learning rate that grows while the loss falls and shrinks when it rises."""

import keras

from kerascnn._errors import InputError
from kerascnn.callbacks._monitor import Monitor
from kerascnn.callbacks._scaling import log_rates, scale_rates, schedules_of
from kerascnn.callbacks._values import refuse_unbuilt, restore, snapshot

__all__ = ["BoldDriver"]


class BoldDriver(keras.callbacks.Callback):
    """Multiplies the learning rate by `increase` after a better epoch, by `decrease` after a worse.

    A worse epoch is undone: weights and momenta go back to those that the best value was measured
    with, which are those at the epoch's end for "val_..." and at its begin for the rest. With
    `validation_freq` the rate stays in epochs that are not validated; the first one must be.

    Source: Vogl et al. 1988, Biol. Cybern. 59, and Battiti 1989, Complex Systems 3 ("bold driver").
    Differs: once an epoch on its mean loss, not on the loss of the whole data after each update.

    Args:
        monitor: str, a name in the logs.
        increase: float >= 1.
        decrease: float in (0, 1).
        mode: "auto", "min" or "max".

    Raises:
        InputError: an argument is outside its range; from `fit`, `monitor` is not in the logs, the
            rate follows a schedule, or the model is not built (for "val_..." it may be).

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.001), "mse")
    >>> x = keras.ops.ones((4, 1))
    >>> driver = BoldDriver("loss")
    >>> history = model.fit(x, 9 * x, epochs=3, callbacks=[driver], verbose=0)
    >>> [round(rate, 7) for rate in history.history["learning_rate"]]
    [0.001, 0.00105, 0.0011025]
    """

    def __init__(self, monitor="val_loss", increase=1.05, decrease=0.5, mode="auto"):
        super().__init__()
        if increase < 1 or not 0 < decrease < 1:
            raise InputError(
                "increase must be at least 1 and decrease between 0 and 1. Received: "
                f"increase={increase}, decrease={decrease}."
            )
        self._monitor = Monitor(monitor, mode)
        self.increase, self.decrease = increase, decrease

    def get_state(self):
        return {
            "best": self._best,
            "measured": self._measured,
            "begin": self._begin,
            "seen": self._seen,
        }

    def set_state(self, state):
        self._best, self._measured = state["best"], state["measured"]
        self._begin, self._seen = state["begin"], state["seen"]

    def on_train_begin(self, logs=None):
        if schedules_of(self.model):
            raise InputError(
                "BoldDriver sets the learning rate itself, but the optimiser follows a schedule. "
                "Compile with a number."
            )
        self._from_begin = not self._monitor.name.startswith("val_")
        if self._from_begin:
            refuse_unbuilt(self.model)
        self._best = self._measured = self._begin = None
        self._seen = False

    def on_epoch_begin(self, epoch, logs=None):
        if self._from_begin:
            self._begin = snapshot(self.model)

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        log_rates(self.model, logs)
        value = self._monitor.read(logs, type(self).__name__, again=self._seen)
        if value is None:
            return
        self._seen = True
        if self._monitor.is_better(value, self._best) or value == self._best:
            self._best = value
            self._measured = self._begin or snapshot(self.model)
            scale_rates(self.model, self.increase)
            return
        if self._measured is not None:
            restore(self.model, self._measured)
        scale_rates(self.model, self.decrease)
