"""Labels as they should be, and as they are by mistake."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from kerascnn import InputError
from kerascnn.doctor import (
    class_balance,
    label_conflicts,
    label_form,
    label_order,
    occurring_classes,
)

X, Y = load_digits(return_X_y=True)


def severity(check, *arguments, **options):
    return check(*arguments, **options).severity


def test_form_is_what_tasks_tell():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax", name="kind")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.ones((3, 4))
    assert severity(label_form, model, (x, np.array([0, 1, 2]))) == "fine"
    finding = label_form(model, (x, np.eye(3)))
    assert finding.severity == "problem" and "takes int labels" in finding.message


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([3, 2, 1], "fine"),
        ([0, 2, 1], "problem"),  # begins at 1
        ([0, 2], "problem"),  # only one class
        ([3, 0, 1], "warning"),
        ([0, 0, 2, 1], "warning"),
    ],
)
def test_classes_that_occur(counts, expected):
    assert severity(occurring_classes, counts) == expected


def test_classes_that_are_absent_are_named():
    finding = occurring_classes([1, 0, 2, 0, 0, 0, 0, 0, 3])
    assert finding.message == "6 of 9 classes have no samples: 1, 3, 4, 5, 6, ...."
    assert "Subtract 1" in occurring_classes([0, 2, 1]).advice


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([10, 1], "fine"), ([11, 1], "warning"), ([500, 0, 51], "fine"), ([7], "fine")],
)
def test_balance(counts, expected):
    assert severity(class_balance, counts) == expected


def batches(labels, size=32):
    return np.split(labels, range(size, len(labels), size))


@pytest.mark.parametrize("seed", range(5))
def test_random_order_is_fine(seed):
    mixed = np.random.default_rng(seed).permutation(Y)
    assert severity(label_order, batches(mixed)) == "fine"
    assert severity(label_order, batches(mixed[:256])) == "fine"
    rare = (mixed == 3).astype(int)
    assert severity(label_order, batches(rare)) == "fine"


def test_order_by_class():
    finding = label_order(batches(np.sort(Y)))
    assert finding.severity == "problem" and finding.message.startswith("A batch holds 1.16 of 10")
    assert severity(label_order, batches(np.sort(Y)), shuffles=True) == "warning"
    assert severity(label_order, batches(np.tile(np.arange(10), 50))) == "fine"


def test_a_buffer_that_is_too_small_is_found():
    """tf.data's shuffle of 300 images that come class by class: a buffer, from which one leaves."""
    rng, waiting, out = np.random.default_rng(0), [], []
    for label in np.sort(Y):
        waiting.append(label)
        if len(waiting) > 300:
            out.append(waiting.pop(rng.integers(len(waiting))))
    assert severity(label_order, batches(np.array(out))) == "problem"


def test_order_of_little_is_not_judged():
    assert severity(label_order, [[0, 1, 2]]) == "skipped"
    assert severity(label_order, [[0, 0], [0, 0]]) == "skipped"


def test_conflicts():
    assert severity(label_conflicts, X, Y) == "fine"
    twice = np.concatenate([X, X[:3]]), np.concatenate([Y, Y[:3]])
    assert severity(label_conflicts, *twice) == "fine"
    few = label_conflicts(twice[0], np.concatenate([Y, Y[:2], [9]]))
    assert few.severity == "warning"
    assert few.message.startswith("2 of 1,800 samples") and "2 and 1799" in few.message
    many = label_conflicts(np.concatenate([X, X]), np.concatenate([Y, 9 - Y]))
    assert many.severity == "problem" and many.message.startswith("3,594 of 3,594")


def test_conflicts_of_labels_of_other_forms():
    x = np.repeat(X[:1], 4, axis=0)
    for labels in ([0, 0, 0, 0], [[0]] * 4, np.eye(2)[[0, 0, 0, 0]], ["a"] * 4):
        assert severity(label_conflicts, x, labels) == "fine"
    for labels in ([0, 0, 1, 0], [[0], [0], [1], [0]], np.eye(2)[[0, 0, 1, 0]], list("aaba")):
        assert label_conflicts(x, labels).message.startswith("4 of 4 samples")
    with pytest.raises(InputError, match="for each of 4 samples"):
        label_conflicts(x, [0, 1])
