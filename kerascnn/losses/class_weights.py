"""Weights of classes inside a loss, and two ways to choose them."""

import math

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError, in_order
from kerascnn.losses._around import LossAround

__all__ = ["ClassWeighted", "balanced_weights", "effective_number_weights"]


@keras.saving.register_keras_serializable(package="kerascnn")
class ClassWeighted(LossAround):
    """A loss times the weight of each sample's class.

    What `fit(class_weight=...)` does, for models of several outputs too, where Keras refuses it. As
    there, the mean is over the samples, not over their weights. It acts on validation as well.

    Args:
        loss: a Keras loss of one class a sample, as an object.
        weights: list of floats >= 0, one per class, or a dict {class: weight} as `fit` takes it.
        reduction, name: as in Keras losses; the reduction of `loss` is not used.

    Call arguments:
        y_true: int labels, (N,) or (N, 1), or one-hot rows (N, classes), as `loss` needs them. A
            label that is no class makes the loss NaN.
        y_pred: as `loss` needs it.

    Raises:
        InputError: fewer than two weights, one that is negative or not finite, a dict without one
            of the classes 0, 1, ..., or no loss object.

    >>> loss = ClassWeighted(keras.losses.SparseCategoricalCrossentropy(), [1.0, 10.0])
    >>> halves = keras.ops.array([[0.5, 0.5], [0.5, 0.5]])
    >>> round(float(loss([0, 1], halves)), 3)  # (1 + 10) / 2 * log(2)
    3.812
    """

    def __init__(
        self, loss, weights, reduction="sum_over_batch_size", name="class_weighted", **kwargs
    ):
        super().__init__(loss, reduction=reduction, name=name, **kwargs)
        self.weights = [float(weight) for weight in in_order(weights, "weights")]
        if len(self.weights) < 2 or not all(0 <= weight < math.inf for weight in self.weights):
            raise InputError(
                f"`weights` must be two or more finite numbers >= 0. Received: {self.weights}."
            )

    def call(self, y_true, y_pred):
        y_true = ops.convert_to_tensor(y_true)
        values = self.values(y_true, y_pred)
        rows = ops.cast(self._rows(y_true), values.dtype)
        return values * ops.sum(rows * ops.convert_to_tensor(self.weights, values.dtype), axis=-1)

    def _rows(self, y_true):
        """How much of each class a sample is, (N, classes)."""
        classes = len(self.weights)
        if len(y_true.shape) > 1 and y_true.shape[-1] == classes:
            return y_true
        labels = ops.reshape(y_true, (-1,))
        if classes == 2:  # may lie between: mixed images
            rows = ops.cast(ops.stack([1 - labels, labels], axis=-1), "float32")
        else:
            rows = ops.one_hot(ops.cast(labels, "int32"), classes, dtype="float32")
        known = (labels >= 0) & (labels <= classes - 1)
        return ops.where(ops.expand_dims(known, -1), rows, float("nan"))

    def get_config(self):
        return {**super().get_config(), "weights": self.weights}


def balanced_weights(counts):
    """Weights that give every class the same total: samples / (classes * count).

    Args:
        counts: ints >= 1, the training samples of each class, or a dict {class: count}.

    Returns:
        List of floats.

    Raises:
        InputError: a class has no samples.

    >>> balanced_weights([30, 10])
    [0.6666666666666666, 2.0]
    """
    counts = _counted(counts)
    return (counts.sum() / (len(counts) * counts)).tolist()


def effective_number_weights(counts, beta=0.9999):
    """Class-balanced weights: the more samples a class has, the less a further one tells.

    (1 - beta) / (1 - beta**count), scaled to a sum of `classes`. With beta = 0 all classes weigh
    the same, with beta near 1 they weigh as 1 / count.

    Source: Cui et al. 2019, arXiv:1901.05555, Sec. 3 and 4. Differs from the paper: no.

    Args:
        counts: ints >= 1, the training samples of each class, or a dict {class: count}.
        beta: float in [0, 1). The paper tries 0.9, 0.99, 0.999 and 0.9999.

    Returns:
        List of floats.

    Raises:
        InputError: a class has no samples, or `beta` is outside [0, 1).

    >>> [round(weight, 3) for weight in effective_number_weights([10_000, 100], beta=0.999)]
    [0.174, 1.826]
    """
    if not 0 <= beta < 1:
        raise InputError(f"`beta` must be at least 0 and below 1. Received: beta={beta}.")
    weights = (1 - beta) / (1 - beta ** _counted(counts))
    return (weights * (len(weights) / weights.sum())).tolist()


def _counted(counts):
    counts = np.asarray(in_order(counts, "counts"), dtype=np.float64)
    empty = np.flatnonzero(counts < 1).tolist()
    if empty or counts.ndim != 1 or len(counts) < 2:
        raise InputError(
            "Class weights need two or more classes with samples in each. Received: "
            f"{len(empty)} without any, {empty[:10]}, of {counts.size}."
        )
    return counts
