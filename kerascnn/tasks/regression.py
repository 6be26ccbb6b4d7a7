"""The task of numbers."""

import dataclasses

import keras
import numpy as np

from kerascnn._errors import InputError, whole
from kerascnn.tasks._classes import refuse_empty
from kerascnn.tasks._task import Task

__all__ = ["regression"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Regression(Task):
    @property
    def loss(self):
        return keras.losses.MeanSquaredError()

    @property
    def metrics(self):
        return [
            keras.metrics.MeanAbsoluteError("mae"),
            keras.metrics.RootMeanSquaredError("rmse"),
        ]

    def encode(self, labels):
        targets = np.asarray(labels, dtype=np.float32)
        if targets.ndim == 1 and self.units == 1:
            targets = targets[:, None]
        if targets.ndim != 2 or targets.shape[1] != self.units:
            raise InputError(
                f"Targets must have shape (N, {self.units}){' or (N,)' * (self.units == 1)}. "
                f"Received: shape {np.shape(labels)}."
            )
        if not np.isfinite(targets).all():
            raise InputError("Targets must be finite numbers. Received: some NaN or infinity.")
        return targets

    def decide(self, predictions):
        predictions = self._checked(predictions)
        return predictions[:, 0] if self.units == 1 else predictions


def regression(units=1, *, labels=None):
    """Numbers: a linear output, the mean squared error.

    Args:
        units: int >= 1. Numbers a sample.
        labels: training targets, (N, units), or (N,) for one, or None. The head's bias starts at
            their mean, which is the best guess before anything was learned.

    Returns:
        `Task`. `encode`: float32 (N, units). `decide`: the predictions, (N,) for one unit.

    Raises:
        InputError: `units` is not positive, or the targets are of another shape or not finite.

    >>> task = regression(labels=[1.0, 2.0, 6.0])
    >>> task.bias, task.decide([[2.5]])
    ((3.0,), array([2.5]))
    """
    units = whole(units, "units", 1)
    task = _Regression(units=units)
    if labels is None:
        return task
    refuse_empty(labels)
    return dataclasses.replace(task, bias=tuple(task.encode(labels).mean(axis=0).tolist()))
