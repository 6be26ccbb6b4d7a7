"""Loss bricks on scores, that is without sigmoid or softmax: log, hinge and max-margin."""

import numbers

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn.losses._labels import one_hot

__all__ = ["HingeLoss", "LogLoss", "MaxMarginLoss"]


@keras.saving.register_keras_serializable(package="kerascnn")
class LogLoss(keras.losses.Loss):
    """log(1 + exp(-c x)) for labels c of -1 and 1.

    With labels 0 and 1 it is `keras.losses.BinaryCrossentropy(from_logits=True)`; 0 is read as -1.
    Its gradient is -c / (1 + exp(c x)). Computed so that no score overflows.

    Args:
        reduction, name: as in Keras losses.

    Call arguments:
        y_true: -1 (or 0) and 1, (N, units), or (N,) for one unit; others make the loss NaN.
        y_pred: float scores, (N, units). Units are averaged.

    >>> round(float(LogLoss()([-1, 1], keras.ops.array([[0.0], [100.0]]))), 4)  # log(2) / 2
    0.3466
    """

    def __init__(self, reduction="sum_over_batch_size", name="log_loss", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        return ops.mean(ops.softplus(-_signs(y_true, y_pred) * y_pred), axis=-1)


@keras.saving.register_keras_serializable(package="kerascnn")
class HingeLoss(keras.losses.Loss):
    """max(0, margin - c x) for labels c of -1 and 1; `keras.losses.Hinge` is that of margin 1.

    Its gradient is -c where c x < margin, else 0; at the kink, 0.

    Args:
        margin: float > 0.
        reduction, name: as in Keras losses.

    Call arguments:
        y_true: -1 (or 0) and 1, (N, units), or (N,) for one unit; others make the loss NaN.
        y_pred: float scores, (N, units). Units are averaged.

    Raises:
        InputError: `margin` is not positive.

    >>> float(HingeLoss(margin=2.0)([-1, 1], keras.ops.array([[0.0], [1.5]])))  # (2 + 0.5) / 2
    1.25
    """

    def __init__(self, margin=1.0, reduction="sum_over_batch_size", name="hinge_loss", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.margin = _positive(margin)

    def call(self, y_true, y_pred):
        return ops.mean(ops.relu(self.margin - _signs(y_true, y_pred) * y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="kerascnn")
class MaxMarginLoss(keras.losses.Loss):
    """max(0, margin + the largest wrong score - the right score).

    Its gradient is 1 at that wrong class and -1 at the right one, or 0 where the margin is kept.
    `keras.losses.CategoricalHinge` differs: its largest wrong score is never below 0, so that
    it is not the same when a constant is added to all scores.

    Source: Crammer and Singer 2001, JMLR 2, their multiclass bound. Differs: `margin`, 1 there.

    Args:
        margin: float > 0.
        reduction, name: as in Keras losses.

    Call arguments:
        y_true: int class labels, (N,) or (N, 1), in [0, classes); others make the loss NaN.
        y_pred: float scores, (N, classes), of two or more classes.

    Raises:
        InputError: `margin` is not positive, or the labels are one-hot.

    >>> float(MaxMarginLoss()([0], keras.ops.array([[-2.0, -2.5, -9.0]])))
    0.5
    """

    def __init__(
        self, margin=1.0, reduction="sum_over_batch_size", name="max_margin_loss", **kwargs
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.margin = _positive(margin)

    def call(self, y_true, y_pred):
        right = one_hot(y_true, y_pred, "MaxMarginLoss")
        wrong = ops.max(ops.where(right == 1, -float("inf"), y_pred), axis=-1)
        return ops.relu(self.margin + wrong - ops.sum(right * y_pred, axis=-1))

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


def _positive(margin):
    if not isinstance(margin, numbers.Real) or margin <= 0:
        raise InputError(f"`margin` must be positive. Received: margin={margin!r}.")
    return margin


def _signs(y_true, y_pred):
    """Labels of -1 and 1, one for each score; NaN for what is neither, nor 0."""
    y_true = ops.cast(y_true, y_pred.dtype)
    if len(y_true.shape) < len(y_pred.shape):
        y_true = ops.expand_dims(y_true, -1)
    signs = ops.where(y_true == 0, -1.0, y_true)
    return ops.where(ops.abs(signs) == 1, signs, float("nan"))
