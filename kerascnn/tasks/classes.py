"""Tasks of classes: one of two, one of many, any of many."""

import dataclasses

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn.losses import SmoothSparseCrossentropy
from kerascnn.metrics import BalancedAccuracy, MacroF1
from kerascnn.tasks import _classes
from kerascnn.tasks._task import Task

__all__ = ["binary", "multi_class", "multi_label"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Binary(Task):
    names: tuple | None
    weights: tuple | None
    activation = "sigmoid"

    @property
    def loss(self):
        loss = keras.losses.BinaryCrossentropy(from_logits=self.logits)
        return _classes.with_weights(loss, self.weights)

    @property
    def metrics(self):
        return [
            keras.metrics.BinaryAccuracy("accuracy", threshold=self._threshold),
            BalancedAccuracy(2, self.logits),
            keras.metrics.AUC(name="auc", from_logits=self.logits),
        ]

    def encode(self, labels):
        return _classes.numbered(labels, 2, self.names)[:, None].astype(np.float32)

    def decide(self, predictions):
        above = self._checked(predictions)[:, 0] > self._threshold
        return _classes.chosen(above.astype(np.int64), self.names)


def binary(classes=2, *, labels=None, logits=False, class_weight=None):
    """One of two classes: one sigmoid, binary cross-entropy, the second class above 1/2.

    Args:
        classes: 2, or the names of the two, the "no" first.
        labels: training labels, ints or names, (N,), or None. The head's bias starts at the
            logarithm of the odds of the classes in them, as the loss weighs them (Lin et al. 2017,
            arXiv:1708.02002, Sec. 4.1): training does not begin with unlearning a wrong guess.
        logits: bool. Leave out the sigmoid; loss, metrics and decision know.
        class_weight: None; {class: weight}, with 1 for those that are left out; "balanced" or
            "effective", by the counts in `labels`: `kerascnn.losses.balanced_weights` and
            `effective_number_weights`. They are part of the loss.

    Returns:
        `Task`. `encode`: float32 (N, 1) of 0 and 1. `decide`: names, or ints, (N,).

    Raises:
        InputError: more than two classes, unknown labels, or a rule for weights without labels.

    >>> task = binary(["no", "yes"])
    >>> task.encode(["yes", "no"]).ravel(), task.decide([[0.7], [0.2]])
    (array([1., 0.], dtype=float32), array(['yes', 'no'], dtype='<U3'))
    """
    number, names = _classes.named(classes)
    if number != 2:
        raise InputError(f"A binary task has 2 classes, not {number}: take multi_class.")
    counts = _classes.counted(labels, 2, names)
    weights = _classes.weighted(class_weight, counts, 2, names)
    bias = None
    if counts is not None:
        no, yes = _classes.shares(counts, weights)
        bias = (float(np.log(yes / no)),)
    return _Binary(units=1, logits=logits, bias=bias, names=names, weights=weights)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _MultiClass(Task):
    names: tuple | None
    weights: tuple | None
    one_hot: bool
    label_smoothing: float
    activation = "softmax"

    @property
    def loss(self):
        if self.one_hot:
            loss = keras.losses.CategoricalCrossentropy(self.logits, self.label_smoothing)
        elif self.label_smoothing:
            loss = SmoothSparseCrossentropy(self.label_smoothing, self.logits)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=self.logits)
        return _classes.with_weights(loss, self.weights)

    @property
    def metrics(self):
        accuracy = keras.metrics.SparseCategoricalAccuracy
        if self.one_hot:
            accuracy = keras.metrics.CategoricalAccuracy
        return [accuracy("accuracy"), BalancedAccuracy(self.units), MacroF1(self.units)]

    def encode(self, labels):
        ids = _classes.numbered(labels, self.units, self.names)
        return np.eye(self.units, dtype=np.float32)[ids] if self.one_hot else ids

    def decide(self, predictions):
        return _classes.chosen(self._checked(predictions).argmax(axis=-1), self.names)


def multi_class(
    classes,
    *,
    labels=None,
    logits=False,
    one_hot=False,
    label_smoothing=0.0,
    class_weight=None,
):
    """One of many classes: softmax, cross-entropy, the most probable class.

    Args:
        classes: int >= 2, or the names of the classes.
        labels: training labels, ints or names, (N,), or None. The head's bias starts at the
            logarithm of their shares, as the loss weighs them.
        logits: bool. Leave out the softmax; loss, metrics and decision know.
        one_hot: bool. Labels are float rows, which may be mixed (`MixUp`), or ints.
        label_smoothing: float in [0, 1). As in `kerascnn.losses.SmoothSparseCrossentropy`.
        class_weight: as in `binary`.

    Returns:
        `Task`. `encode`: int64 (N,), or float32 (N, classes) if `one_hot`. `decide`: names, or
        ints, (N,).

    Raises:
        InputError: fewer than two classes, unknown labels, a rule for weights without labels, or
            `label_smoothing` is outside [0, 1).

    >>> task = multi_class(3, labels=[0, 0, 1, 2], class_weight={0: 0.5})
    >>> [round(b, 3) for b in task.bias]  # log(1 / 3): the weights made the classes equal
    [-1.099, -1.099, -1.099]
    >>> task.decide([[0.2, 0.7, 0.1]])
    array([1])
    """
    number, names = _classes.named(classes)
    if not 0 <= label_smoothing < 1:
        raise InputError(f"`label_smoothing` must be in [0, 1). Received: {label_smoothing}.")
    counts = _classes.counted(labels, number, names)
    weights = _classes.weighted(class_weight, counts, number, names)
    bias = None
    if counts is not None:
        shares = _classes.shares(counts, weights)
        bias = tuple(np.log((1 - label_smoothing) * shares + label_smoothing / number).tolist())
    return _MultiClass(
        units=number,
        logits=logits,
        bias=bias,
        names=names,
        weights=weights,
        one_hot=one_hot,
        label_smoothing=label_smoothing,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _MultiLabel(Task):
    names: tuple | None
    activation = "sigmoid"

    @property
    def loss(self):
        return keras.losses.BinaryCrossentropy(from_logits=self.logits)

    @property
    def metrics(self):
        return [
            keras.metrics.BinaryAccuracy("accuracy", threshold=self._threshold),
            keras.metrics.AUC(
                name="auc", multi_label=True, num_labels=self.units, from_logits=self.logits
            ),
        ]

    def encode(self, labels):
        labels = np.asarray(labels) if hasattr(labels, "shape") else labels  # also data frames
        if isinstance(labels, np.ndarray) and labels.dtype != object:
            if labels.shape[1:] != (self.units,) or not np.isin(labels, (0, 1)).all():
                raise InputError(
                    f"An array of labels must have shape (N, {self.units}) and hold 0 and 1; for "
                    f"names or numbers pass lists. Received: shape {labels.shape}."
                )
            return labels.astype(np.float32)
        rows = np.zeros((len(labels), self.units), np.float32)
        for row, present in zip(rows, labels):
            row[_classes.numbered(self._listed(present), self.units, self.names)] = 1
        return rows

    def _listed(self, present):
        """The classes of one sample as an array; a row of 0 and 1 is none."""
        present = np.asarray(list(present))
        twice = present.dtype.kind in "iuf" and len(np.unique(present)) < len(present)
        if twice or present.dtype == bool:
            raise InputError(
                "A list for each sample holds the names or numbers of its classes. Received: "
                f"{present.tolist()}. For rows of 0 and 1 pass np.array(labels)."
            )
        return present

    def decide(self, predictions):
        above = self._checked(predictions) > self._threshold
        if self.names is None:
            return above.astype(np.int64)
        return [tuple(np.array(self.names)[row].tolist()) for row in above]


def multi_label(classes, *, labels=None, logits=False):
    """Any of many classes: a sigmoid each, binary cross-entropy, all classes above 1/2.

    Args:
        classes: int >= 1, or the names of the classes.
        labels: training labels in the forms of `encode`, or None. The head's biases start at the
            logarithms of the odds of the classes in them.
        logits: bool. Leave out the sigmoid; loss, metrics and decision know.

    Returns:
        `Task`. `encode`: float32 (N, classes) of 0 and 1, of lists of names or numbers for each
        sample, or of such an array, tensor or data frame; lists of 0 and 1 are numbers. `decide`:
        tuples of names, or int64 (N, classes) of 0 and 1.

    Raises:
        InputError: no classes, unknown labels, or a list that can only be a row of 0 and 1.

    >>> task = multi_label(["cat", "dog", "grass"])
    >>> task.encode([["dog", "grass"], []])
    array([[0., 1., 1.],
           [0., 0., 0.]], dtype=float32)
    >>> task.decide([[0.1, 0.8, 0.9]])
    [('dog', 'grass')]
    """
    number, names = _classes.named(classes, least=1)
    task = _MultiLabel(units=number, logits=logits, names=names)
    if labels is None:
        return task
    _classes.refuse_empty(labels)
    rows = task.encode(labels)
    present = np.clip(rows.sum(axis=0), 1, max(len(rows) - 1, 1))
    bias = np.log(present / np.maximum(len(rows) - present, 1))
    return dataclasses.replace(task, bias=tuple(bias.tolist()))
