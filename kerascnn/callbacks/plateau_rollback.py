"""Divides the learning rate where training stalls, and goes back to the best weights."""

import logging

import keras

from kerascnn._errors import InputError
from kerascnn.callbacks._monitor import Monitor
from kerascnn.callbacks._scaling import log_rates, scale_rates, scales, set_scales
from kerascnn.callbacks._values import restore, snapshot

__all__ = ["PlateauRollback"]

_log = logging.getLogger("kerascnn")


class PlateauRollback(keras.callbacks.Callback):
    """Multiplies the learning rate by `factor` after `patience` epochs without a better `monitor`.

    The model then goes on from the weights of its best epoch, and the optimiser from the momenta it
    had there; steps are still counted on. Unlike Keras's `ReduceLROnPlateau` it also works on top
    of a schedule, which it scales, and with several optimisers (`MultiOptimizer`). The rate is
    written into the history. With `validation_freq` the epochs that are not validated do not count;
    the first one must be.

    Source: "÷2 on plateau" of the lecture notes G6061, which keep the last weights: that is
    `rollback=False`; ÷10 of He et al. 2016 (arXiv:1512.03385, Sec. 3.4) is `factor=0.1`.

    Args:
        monitor: str, a name in the logs.
        factor: float in (0, 1).
        patience: int >= 1, epochs.
        min_delta: float >= 0. A smaller change is no improvement.
        mode: "auto", "min" or "max".
        rollback: bool. Whether to go back; needs one copy of weights and optimiser in memory.

    Raises:
        InputError: an argument is outside its range; from `fit`, `monitor` is not in the logs.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(9.0, 100)), "mse")
    >>> plateau = PlateauRollback("loss", factor=0.1, patience=1)
    >>> x = keras.ops.ones((4, 1))
    >>> history = model.fit(x, x, epochs=3, callbacks=[plateau], verbose=0)
    >>> [round(rate, 2) for rate in history.history["learning_rate"]]
    [9.0, 8.99, 0.9]
    """

    def __init__(
        self, monitor="val_loss", factor=0.5, patience=3, min_delta=0.0, mode="auto", rollback=True
    ):
        super().__init__()
        if not 0 < factor < 1:
            raise InputError(f"factor must be between 0 and 1. Received: factor={factor}.")
        if patience < 1:
            raise InputError(f"patience must be at least 1. Received: patience={patience}.")
        self._monitor = Monitor(monitor, mode, min_delta)
        self.factor, self.patience, self.rollback = factor, patience, rollback

    def get_state(self):
        return {
            "best": self._best,
            "wait": self._wait,
            "scales": scales(self.model),
            "snapshot": self._snapshot,
            "seen": self._seen,
        }

    def set_state(self, state):
        self._best, self._wait = state["best"], state["wait"]
        self._snapshot, self._seen = state["snapshot"], state["seen"]
        set_scales(self.model, state["scales"])

    def on_train_begin(self, logs=None):
        self._best, self._wait, self._snapshot = None, 0, None
        self._seen = False

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        log_rates(self.model, logs)
        value = self._monitor.read(logs, type(self).__name__, again=self._seen)
        if value is None:
            return
        self._seen = True
        if self._monitor.is_better(value, self._best):
            self._best, self._wait = value, 0
            if self.rollback:
                self._snapshot = snapshot(self.model)
            return
        self._wait += 1
        if self._wait >= self.patience:
            self._wait = 0
            self._lower(epoch)

    def _lower(self, epoch):
        if self._snapshot is not None:
            restore(self.model, self._snapshot)
        scale_rates(self.model, self.factor)
        back = " and back to the best weights" if self._snapshot is not None else ""
        _log.info(
            "Epoch %d: %s does not improve on %g: learning rate times %g%s.",
            epoch + 1,
            self._monitor.name,
            self._best if self._best is not None else float("nan"),
            self.factor,
            back,
        )
