"""Losses that Keras does not have.

The loss bricks that backpropagation is taught with, for a score x, or x[k] of each class:

| brick      | y                                   | here, or in Keras                            |
|------------|-------------------------------------|----------------------------------------------|
| square     | (x - d)**2 / 2                      | `keras.losses.MeanSquaredError`, without 1/2 |
| log        | log(1 + exp(-c x)), c = -1 or 1     | `LogLoss`                                    |
| hinge      | max(0, m - c x), c = -1 or 1        | `HingeLoss`; Keras's `Hinge` has m = 1       |
| logsoftmax | log(sum of exp(x[k])) - x[c]        | `keras.losses.SparseCategoricalCrossentropy` |
| max-margin | max(0, m + max of x[k != c] - x[c]) | `MaxMarginLoss`                              |

For targets that are shares p of the classes, the Kullback-Leibler divergence, sum of p log(p / q),
is `keras.losses.KLDivergence`: of probabilities q, and without a form for logits.
"""

from kerascnn.losses.bricks import HingeLoss, LogLoss, MaxMarginLoss
from kerascnn.losses.class_weights import (
    ClassWeighted,
    balanced_weights,
    effective_number_weights,
)
from kerascnn.losses.crossentropy import SmoothSparseCrossentropy
from kerascnn.losses.ordinal import OrdinalCrossentropy
from kerascnn.losses.rbf import RBFLoss
from kerascnn.losses.uncertainty import UncertaintyWeighted

__all__ = [
    "ClassWeighted",
    "HingeLoss",
    "LogLoss",
    "MaxMarginLoss",
    "OrdinalCrossentropy",
    "RBFLoss",
    "SmoothSparseCrossentropy",
    "UncertaintyWeighted",
    "balanced_weights",
    "effective_number_weights",
]
