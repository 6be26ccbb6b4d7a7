"""Starts over at a tenth of the learning rate when training diverges."""

import logging

import keras
import numpy as np

from kerascnn._errors import InputError, NonFiniteError
from kerascnn.callbacks._scaling import log_rates, scale_rates, scales, set_scales
from kerascnn.callbacks._values import refuse_unbuilt, restore, snapshot

__all__ = ["DivergenceRestart"]

_log = logging.getLogger("kerascnn")


class DivergenceRestart(keras.callbacks.Callback):
    """Begin with a high learning rate, 0.1 or 1: it is multiplied by `factor` until training holds.

    Training diverges where the loss is NaN or infinite in a step, or after an epoch above `limit`
    times that of the run's first step. Weights and optimiser then go back to the begin of the last
    epoch that went well, at first that of the run, and training goes on at the lower rate. An epoch
    whose last step diverged has an infinite loss in the logs; give this callback before those that
    read them, such as `EarlyStopping`.

    Source: "Try first large value such as 0.1 or 1, then divide by 10 in case of divergence",
    lecture notes PHYS555. Differs: what went well is not undone.

    Args:
        factor: float in (0, 1).
        limit: float > 1.
        max_restarts: int >= 1. After so many the run ends.

    Raises:
        InputError: an argument is outside its range; from `fit`, the model is not built.
        NonFiniteError: from `fit`, it diverges after `max_restarts` still.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(100.0), "mse")
    >>> history = model.fit(np.ones((40, 1)), np.ones(40), epochs=5, batch_size=1, verbose=0,
    ...     callbacks=[DivergenceRestart()])
    >>> history.history["learning_rate"][-1] < 1.01
    True
    """

    def __init__(self, factor=0.1, limit=3.0, max_restarts=6):
        super().__init__()
        if not 0 < factor < 1 or limit <= 1 or max_restarts < 1:
            raise InputError(
                "factor must be between 0 and 1, limit above 1, max_restarts at least 1. Received: "
                f"factor={factor}, limit={limit}, max_restarts={max_restarts}."
            )
        self.factor, self.limit, self.max_restarts = factor, limit, max_restarts

    def get_state(self):
        return {
            "first": self._first,
            "restarts": self._restarts,
            "scales": scales(self.model),
            "begin": self._begin,
            "good": self._good,
            "diverged": self._diverged,
        }

    def set_state(self, state):
        self._first, self._restarts = state["first"], state["restarts"]
        self._begin, self._good = state["begin"], state["good"]
        self._diverged = state["diverged"]
        set_scales(self.model, state["scales"])

    def on_train_begin(self, logs=None):
        refuse_unbuilt(self.model)
        self._first, self._restarts = None, 0
        self._begin = self._good = self._diverged = None

    def on_epoch_begin(self, epoch, logs=None):
        self._begin, self._diverged = snapshot(self.model), None
        self._good = self._good or self._begin

    def on_train_batch_end(self, batch, logs=None):
        if "loss" not in (logs or {}):  # `BatchSizeGrowth` waits for batches to join
            return
        loss, self._diverged = float(logs["loss"]), None
        if not np.isfinite(loss):
            # Infinite, not NaN: `EarlyStopping` takes the first value it sees for the best.
            self._diverged = dict(logs, loss=float("inf"))
            self._restart(f"the loss is {loss:g} in step {batch + 1}")
        elif self._first is None:
            self._first = loss

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        log_rates(self.model, logs)
        if self._diverged is not None:  # in the last step: there is no mean since
            logs.update(self._diverged)
            return
        loss = float(logs.get("loss", 0.0))
        if self._first is not None and not loss <= self.limit * abs(self._first):
            self._restart(f"the loss is {loss:g}, it began at {self._first:g}")
        else:
            self._good = self._begin  # what the epoch measured began with these

    def _restart(self, why):
        restore(self.model, self._good)
        self._begin = self._good  # of what is measured from here on
        self.model.reset_metrics()  # a mean over NaN stays NaN
        self._restarts += 1
        if self._restarts > self.max_restarts:
            raise NonFiniteError(
                f"Training diverges ({why}), {self.max_restarts} times at a lower learning rate "
                "too. Try kerascnn.callbacks.NaNWatch, which names the layer."
            )
        scale_rates(self.model, self.factor)
        _log.warning("Training diverges: %s. Learning rate times %g.", why, self.factor)
