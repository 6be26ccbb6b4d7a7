"""Metrics that Keras does not have, for classes: what one cannot optimise but wants to know.

Top-k accuracy is Keras's: `keras.metrics.SparseTopKCategoricalAccuracy(k=5)` for int labels,
`TopKCategoricalAccuracy` for one-hot rows.
"""

import keras
from keras import ops

from kerascnn._errors import InputError, whole

__all__ = [
    "BalancedAccuracy",
    "CalibrationError",
    "ConfusionMatrix",
    "MacroF1",
    "MeanRankError",
]


def _rows(values):
    """Values as (N,) where they are (N, 1)."""
    values = ops.convert_to_tensor(values)
    if len(values.shape) == 2 and values.shape[-1] == 1:
        return ops.squeeze(values, -1)
    return values


def _labels(y_true):
    """Int class labels (N,), of ints (N,) or (N, 1), or of one-hot rows."""
    y_true = _rows(y_true)
    if len(y_true.shape) > 1:
        y_true = ops.argmax(y_true, axis=-1)
    return ops.cast(y_true, "int32")


class _OfConfusions(keras.metrics.Metric):
    """Holds how often a class was taken for which: `counts[true, predicted]`."""

    def __init__(self, num_classes, from_logits=False, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes = whole(num_classes, "num_classes", 2)
        self.from_logits = from_logits
        self.counts = self.add_weight(
            shape=(num_classes, num_classes), initializer="zeros", name="counts"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        true = ops.one_hot(_labels(y_true), self.num_classes, dtype=self.dtype)
        predicted = ops.one_hot(self._predicted(y_pred), self.num_classes, dtype=self.dtype)
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
            true = true * weights
        self.counts.assign_add(ops.matmul(ops.transpose(true), predicted))

    def _predicted(self, y_pred):
        """The most probable class, or how many thresholds the predictions are above."""
        y_pred = ops.convert_to_tensor(y_pred)
        outputs = y_pred.shape[-1] if len(y_pred.shape) > 1 else 1
        if outputs == self.num_classes:
            return ops.argmax(y_pred, axis=-1)
        if outputs != self.num_classes - 1:
            raise InputError(
                f"{self.name} of {self.num_classes} classes needs as many outputs, or one fewer "
                f"for thresholds. Received: predictions of shape {tuple(y_pred.shape)}."
            )
        above = ops.reshape(y_pred, (-1, outputs)) > (0.0 if self.from_logits else 0.5)
        return ops.sum(ops.cast(above, "int32"), axis=-1)

    def get_config(self):
        config = {"num_classes": self.num_classes, "from_logits": self.from_logits}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="kerascnn")
class ConfusionMatrix(_OfConfusions):
    """How often, or by what weight, each class was taken for which: row true, column predicted.

    Its result is a matrix: that is what `evaluate(return_dict=True)` and `fit(...).history` hold,
    and what `CSVLogger` writes. The line that `fit` and `evaluate` print shows the mean of its
    entries, which says nothing, and the callback `TensorBoard`, which takes only scalars, raises:
    with it, compile again for `evaluate`. Counts are exact up to 2**24 in an entry.

    Args:
        num_classes: int >= 2.
        from_logits: bool. Where the threshold of one output for two classes is, or of `classes - 1`
            outputs for ordered ones: at 0 for logits, at 1/2 for probabilities.
        name, dtype: as in Keras metrics.

    Call arguments:
        y_true: int labels, (N,) or (N, 1), or one-hot rows. Others than classes are left out.
        y_pred: scores or probabilities, (N, classes) or (N, classes - 1).
        sample_weight: (N,), or None for 1.

    Returns:
        float32 matrix (num_classes, num_classes).

    Raises:
        InputError: `num_classes` is no int >= 2, or `y_pred` has another width.

    >>> matrix = ConfusionMatrix(2)
    >>> keras.ops.convert_to_numpy(matrix([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]))
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """

    def __init__(self, num_classes, from_logits=False, name="confusion_matrix", **kwargs):
        super().__init__(num_classes, from_logits, name, **kwargs)

    def result(self):
        return ops.convert_to_tensor(self.counts)


@keras.saving.register_keras_serializable(package="kerascnn")
class MacroF1(_OfConfusions):
    """The mean over classes of 2 * hits / (samples of the class + predictions of the class).

    Classes that are neither among the labels nor among the predictions do not count. As
    scikit-learn's `f1_score(average="macro")`; Keras's `F1Score` needs one-hot labels.

    Args:
        num_classes, from_logits, name, dtype: as in `ConfusionMatrix`.

    Call arguments:
        y_true, y_pred, sample_weight: as in `ConfusionMatrix`, which raises the same.

    >>> round(float(MacroF1(2)([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])), 4)
    0.6667
    """

    def __init__(self, num_classes, from_logits=False, name="macro_f1", **kwargs):
        super().__init__(num_classes, from_logits, name, **kwargs)

    def result(self):
        counts = ops.convert_to_tensor(self.counts)
        seen = ops.sum(counts, axis=0) + ops.sum(counts, axis=1)
        return _mean(ops.divide_no_nan(2 * ops.diagonal(counts), seen), seen > 0)


@keras.saving.register_keras_serializable(package="kerascnn")
class BalancedAccuracy(_OfConfusions):
    """The mean over classes of the share of their samples that was predicted right.

    Classes without labels do not count. As scikit-learn's `balanced_accuracy_score`.

    Args:
        num_classes, from_logits, name, dtype: as in `ConfusionMatrix`.

    Call arguments:
        y_true, y_pred, sample_weight: as in `ConfusionMatrix`, which raises the same.

    >>> float(BalancedAccuracy(2)([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]))
    0.75
    """

    def __init__(self, num_classes, from_logits=False, name="balanced_accuracy", **kwargs):
        super().__init__(num_classes, from_logits, name, **kwargs)

    def result(self):
        counts = ops.convert_to_tensor(self.counts)
        samples = ops.sum(counts, axis=1)
        return _mean(ops.divide_no_nan(ops.diagonal(counts), samples), samples > 0)


@keras.saving.register_keras_serializable(package="kerascnn")
class MeanRankError(_OfConfusions):
    """By how many classes the predictions of ordered classes are wrong, in the mean.

    Args:
        num_classes, from_logits, name, dtype: as in `ConfusionMatrix`.

    Call arguments:
        y_true, y_pred, sample_weight: as in `ConfusionMatrix`, which raises the same.

    >>> float(MeanRankError(3)([0, 2], [[0.9, 0.8], [0.9, 0.8]]))
    1.0
    """

    def __init__(self, num_classes, from_logits=False, name="mean_rank_error", **kwargs):
        super().__init__(num_classes, from_logits, name, **kwargs)

    def result(self):
        counts = ops.convert_to_tensor(self.counts)
        rank = ops.arange(self.num_classes, dtype=counts.dtype)
        apart = ops.abs(ops.expand_dims(rank, 0) - ops.expand_dims(rank, 1))
        return ops.divide_no_nan(ops.sum(apart * counts), ops.sum(counts))


def _mean(values, chosen):
    chosen = ops.cast(chosen, values.dtype)
    return ops.divide_no_nan(ops.sum(values * chosen), ops.sum(chosen))


@keras.saving.register_keras_serializable(package="kerascnn")
class CalibrationError(keras.metrics.Metric):
    """Expected calibration error: how far the confidence is from the share that is right.

    The probability of the predicted class falls into one of equally wide bins, open below; the
    differences of accuracy and mean confidence are averaged over the bins by their samples.

    Source: Guo et al. 2017, arXiv:1706.04599, Sec. 2; 15 bins as there. Differs from the paper: no.

    Args:
        num_bins: int >= 1.
        from_logits: bool. Whether predictions are logits or probabilities.
        name, dtype: as in Keras metrics.

    Call arguments:
        y_true: int labels, (N,) or (N, 1), or one-hot rows.
        y_pred: float, (N, classes), or (N, 1) for two classes.
        sample_weight: (N,), or None for 1.

    Raises:
        InputError: `num_bins` is not positive.

    >>> error = CalibrationError()
    >>> round(float(error([0, 0], [[0.9, 0.1], [0.4, 0.6]])), 2)  # 0.1 / 2 + 0.6 / 2
    0.35
    """

    def __init__(self, num_bins=15, from_logits=False, name="calibration_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_bins = num_bins = whole(num_bins, "num_bins", 1)
        self.from_logits = from_logits
        # By bin: (share that is right - confidence) * samples; samples are their own sum.
        self.gaps = self.add_weight(shape=(num_bins,), initializer="zeros", name="gaps")
        self.samples = self.add_weight(shape=(), initializer="zeros", name="samples")

    def update_state(self, y_true, y_pred, sample_weight=None):
        confidence, predicted = self._most_probable(_rows(ops.cast(y_pred, self.dtype)))
        right = ops.cast(ops.equal(predicted, _labels(y_true)), self.dtype)
        weights = ops.ones_like(right)
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, self.dtype), (-1,))
        bins = ops.cast(ops.ceil(confidence * self.num_bins), "int32") - 1
        rows = ops.one_hot(ops.clip(bins, 0, self.num_bins - 1), self.num_bins, dtype=self.dtype)
        self.gaps.assign_add(ops.matmul((right - confidence) * weights, rows))
        self.samples.assign_add(ops.sum(weights))

    def _most_probable(self, y_pred):
        """Its probability and its class, each (N,)."""
        if len(y_pred.shape) == 1:
            p = ops.sigmoid(y_pred) if self.from_logits else y_pred
            return ops.maximum(p, 1 - p), ops.cast(p > 0.5, "int32")
        p = ops.softmax(y_pred, axis=-1) if self.from_logits else y_pred
        return ops.max(p, axis=-1), ops.cast(ops.argmax(p, axis=-1), "int32")

    def result(self):
        return ops.divide_no_nan(ops.sum(ops.abs(self.gaps)), self.samples)

    def get_config(self):
        config = {"num_bins": self.num_bins, "from_logits": self.from_logits}
        return {**super().get_config(), **config}
