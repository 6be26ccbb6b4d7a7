"""The task of ordered classes."""

import dataclasses

import numpy as np

from kerascnn.layers import OrdinalOutput
from kerascnn.losses import OrdinalCrossentropy
from kerascnn.metrics import BalancedAccuracy, MeanRankError
from kerascnn.tasks import _classes
from kerascnn.tasks._task import Task

__all__ = ["ordinal"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Ordinal(Task):
    names: tuple | None
    weights: tuple | None
    activation = "sigmoid"

    @property
    def loss(self):
        return _classes.with_weights(OrdinalCrossentropy(self.logits), self.weights)

    @property
    def metrics(self):
        options = self.units + 1, self.logits
        return [MeanRankError(*options), BalancedAccuracy(*options)]

    def encode(self, labels):
        return _classes.numbered(labels, self.units + 1, self.names)

    def decide(self, predictions):
        ids = (self._checked(predictions) > self._threshold).sum(axis=-1)
        return _classes.chosen(ids, self.names)

    def _output(self, x, **options):
        return OrdinalOutput(self.units + 1, **options)(x)


def ordinal(classes, *, labels=None, logits=False, class_weight=None):
    """One of ordered classes: sigmoids for "above 0", "above 1", ...; the number of them above 1/2.

    CORAL: one score and `classes - 1` thresholds, `kerascnn.layers.OrdinalOutput`, trained with
    `kerascnn.losses.OrdinalCrossentropy`. A task of many classes would not know that "poor" is
    nearer to "fair" than to "excellent"; regression would take the steps for equally wide.

    Source: Cao, Mirjalili and Raschka 2020, arXiv:1901.07884. Differs from the paper: the
    thresholds may start at the shares in `labels`.

    Args:
        classes: int >= 2, or the names of the classes in their order.
        labels: training labels, ints or names, (N,), or None. The thresholds start at the
            logarithms of the odds of "above", as the loss weighs them.
        logits: bool. Leave out the sigmoids; loss, metrics and decision know.
        class_weight: as in `binary`.

    Returns:
        `Task`. `encode`: int64 (N,). `decide`: names, or ints, (N,).

    Raises:
        InputError: fewer than two classes, unknown labels, or a rule for weights without labels.

    >>> task = ordinal(["poor", "fair", "good"])
    >>> task.encode(["good", "poor"]), task.decide([[0.9, 0.4]])
    (array([2, 0]), array(['fair'], dtype='<U4'))
    """
    number, names = _classes.named(classes)
    counts = _classes.counted(labels, number, names)
    weights = _classes.weighted(class_weight, counts, number, names)
    bias = None
    if counts is not None:
        above = 1 - np.cumsum(_classes.shares(counts, weights))[:-1]
        bias = tuple(np.log(above / (1 - above)).tolist())
    return _Ordinal(units=number - 1, logits=logits, bias=bias, names=names, weights=weights)
