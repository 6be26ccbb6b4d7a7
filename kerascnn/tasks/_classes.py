"""Classes by number and by name, how frequent they are, and what they weigh."""

import numbers

import numpy as np

from kerascnn._errors import InputError, one_of
from kerascnn.losses import ClassWeighted, balanced_weights, effective_number_weights

RULES = {"balanced": balanced_weights, "effective": effective_number_weights}


def named(classes, least=2):
    """(number, names or None) of `classes`: an int, or the names in order."""
    if isinstance(classes, numbers.Integral) and not isinstance(classes, bool):
        number, names = int(classes), None
    else:
        names = tuple(classes) if np.ndim(classes) == 1 else ()
        if not all(isinstance(name, str) for name in names):  # an int label would be a position
            names = ()
        number = len(set(names))
    if number < least or (names and number < len(names)):
        raise InputError(
            f"`classes` must be an int of at least {least}, or a list of as many different names, "
            f"which are strings. Received: classes={classes!r}."
        )
    return number, names


def numbered(labels, number, names):
    """Int labels (N,) of ints or names, (N,) or (N, 1)."""
    labels = _plain(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InputError(
            f"Labels must be one class a sample, (N,): ints{' or names' if names else ''}. "
            f"Received: shape {labels.shape}."
        )
    if labels.dtype.kind in "OU":
        index = {name: i for i, name in enumerate(names or ())}
        unknown = next((str(label) for label in labels if label not in index), None)
        if unknown is not None:
            if not names:
                raise InputError(
                    f"The task does not know names of classes. Received: label {unknown!r}. "
                    "Make it with a list of names as `classes`."
                )
            one_of(unknown, names, "class")
        return np.array([index[label] for label in labels], dtype=np.int64)
    wrong = labels[~np.isin(labels, np.arange(number))]
    if len(wrong):
        others = f" and {len(wrong) - 1} others that are none" if len(wrong) > 1 else ""
        raise InputError(
            f"Labels must be ints from 0 to {number - 1}. Received: {wrong[0]!s}{others}."
        )
    return labels.astype(np.int64)


def one_each(labels, count):
    """Labels (N,) of any kind for `count` samples, of (N,), (N, 1) or one-hot rows (N, classes)."""
    labels = _plain(labels)
    if labels.shape == (count, 1):
        return labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        is_one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
        labels = labels.argmax(axis=1) if is_one_hot else labels
    if labels.shape != (count,):
        raise InputError(
            f"Labels must be one class for each of {count} samples: (N,), (N, 1), or one-hot rows "
            f"(N, classes). Received: shape {labels.shape}."
        )
    return labels


def _plain(labels):
    """An array, of numbers where it holds numbers alone: columns of a table may be of objects."""
    labels = np.asarray(labels)
    if labels.dtype == object and all(isinstance(label, numbers.Real) for label in labels.flat):
        return np.array(labels.tolist())
    return labels


def counted(labels, number, names):
    """How many samples each class has, (classes,), or None without labels."""
    if labels is None:
        return None
    refuse_empty(labels)
    return np.bincount(numbered(labels, number, names), minlength=number)


def refuse_empty(labels):
    if not len(labels):
        raise InputError("`labels` are empty: pass the training labels, or leave them out.")


def weighted(class_weight, counts, number, names):
    """The weight of every class as a tuple, or None."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        rule = RULES[one_of(class_weight, RULES, "class_weight")]
        if counts is None:
            raise InputError(
                f"class_weight={class_weight!r} counts the training labels: pass them as `labels`."
            )
        return tuple(rule(counts))
    values = class_weight.values() if isinstance(class_weight, dict) else [None]
    if not all(isinstance(w, numbers.Real) and 0 <= w < float("inf") for w in values):
        raise InputError(
            "`class_weight` must be {class: number of at least 0}, 'balanced' or 'effective'. "
            f"Received: class_weight={class_weight!r}."
        )
    weights = np.ones(number)
    weights[numbered(list(class_weight), number, names)] = list(values)
    return tuple(weights.tolist())


def shares(counts, weights):
    """What the loss takes the classes' shares for, (classes,): counts times weights, none 0.

    A class without labels, or of weight 0, counts as one label.
    """
    weights = np.ones(len(counts)) if weights is None else np.asarray(weights)
    totals = np.where(weights > 0, np.maximum(counts, 1) * weights, 1.0)
    return totals / totals.sum()


def with_weights(loss, weights):
    """The loss with weights of classes, if there are any."""
    return loss if weights is None else ClassWeighted(loss, weights, name=loss.name)


def chosen(ids, names):
    """Answers: the names of classes where they have names, else their numbers."""
    return ids if names is None else np.array(names)[ids]
