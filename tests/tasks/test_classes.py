import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.tasks import binary, multi_class, multi_label, ordinal
from kerascnn.tasks._classes import one_each

NAMES = ["cat", "dog", "horse"]


def test_labels_are_names_or_ints():
    task = multi_class(NAMES)
    objects = [np.array(labels, object) for labels in (["dog", "cat"], [1, 0], [[1.0], [0.0]])]
    arrays = [np.array(["dog", "cat"]), *objects]
    for labels in (["dog", "cat"], [1, 0], [[1], [0]], [1.0, 0.0], *arrays):
        assert task.encode(labels).tolist() == [1, 0]
    assert multi_class(3, one_hot=True).encode([2]).tolist() == [[0, 0, 1]]
    assert binary(["no", "yes"]).encode(["yes", "no"]).tolist() == [[1], [0]]
    assert multi_label(NAMES).encode([{"cat", "horse"}, ()]).tolist() == [[1, 0, 1], [0, 0, 0]]
    rows = np.array([[1, 0, 1], [0, 0, 0]])
    for labels in (rows, keras.ops.array(rows), keras.ops.array(rows == 1), Table(rows)):
        assert multi_label(NAMES).encode(labels).tolist() == rows.tolist()
    assert multi_label(3, labels=keras.ops.array(rows)).bias == multi_label(3, labels=rows).bias


class Table:
    """As a data frame is: its elements are the names of its columns."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter("abc")

    def __array__(self, dtype=None, copy=None):
        return self.values


@pytest.mark.parametrize(
    "row", [[0, 1, 0], [True, False, True], np.array([0, 1, 0]), [1.0, 1.0], np.array([False])]
)
def test_rows_of_0_and_1_in_lists_are_no_numbers(row):
    with pytest.raises(InputError, match=r"Received: \[.*For rows of 0 and 1 pass np.array"):
        multi_label(3).encode([[2], row])


def test_one_label_each():
    expected = [2, 0, 1, 0]
    rows = np.eye(3)[expected]
    for labels in (expected, np.reshape(expected, (4, 1)), rows, rows == 1, rows.astype("uint8")):
        assert one_each(labels, 4).tolist() == expected
    assert one_each(np.array([["a"], ["b"]]), 2).tolist() == ["a", "b"]
    assert one_each(np.array([3, 1], object), 2).dtype.kind == "i"
    assert one_each([[1]], 1).tolist() == [1]
    several, mixed = np.array([[1, 1], [1, 0]]), np.array([[0.9, 0.1], [0, 1]])
    for wrong in ([0, 1, 2], [[0, 1]], 1, several, mixed, [["a", "b"], ["a", "c"]]):
        with pytest.raises(InputError, match=r"for each of 2 samples.*Received: shape \("):
            one_each(wrong, 2)


@pytest.mark.parametrize("make", [binary, multi_class, multi_label, ordinal])
def test_numbers_are_no_names(make):
    """Labels of 1 and 2 would be positions, not the classes that are called so."""
    with pytest.raises(InputError, match=r"which are strings. Received: classes=\[1, 2\]"):
        make([1, 2])


def test_answers_are_names_where_there_are_names():
    p = [[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]]
    assert multi_class(NAMES).decide(p).tolist() == ["dog", "cat"]
    assert multi_class(3).decide(p).tolist() == [1, 0]
    assert binary(["no", "yes"], logits=True).decide([[-0.1], [0.1]]).tolist() == ["no", "yes"]
    assert binary().decide([[0.4], [0.6]]).tolist() == [0, 1]
    assert multi_label(NAMES, logits=True).decide([[-1, 2, 0.1]]) == [("dog", "horse")]
    assert multi_label(3).decide([[0.1, 0.9, 0.6]]).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "ints from 0 to 2. Received: 3"),
        ([-1], "Received: -1"),
        ([0.5], "Received: 0.5"),
        (["dgo"], "Unknown class 'dgo'. Did you mean 'dog'"),
        (np.eye(3), r"one class a sample.*\(3, 3\)"),
    ],
)
def test_wrong_labels_are_named(labels, message):
    with pytest.raises(InputError, match=message):
        multi_class(NAMES).encode(labels)


def test_names_are_unknown_without_names():
    with pytest.raises(InputError, match="does not know names.*'cat'"):
        multi_class(3).encode(["cat"])


@pytest.mark.parametrize("classes", [1, 0, True, "cat", ["cat"], ["cat", "cat"], 2.5])
def test_classes_are_a_number_or_names(classes):
    with pytest.raises(InputError, match="`classes` must be an int of at least 2"):
        multi_class(classes)


def test_labels_that_are_none():
    for make in (lambda: binary(labels=[]), lambda: multi_label(3, labels=[])):
        with pytest.raises(InputError, match="`labels` are empty"):
            make()


def test_binary_has_two_classes():
    with pytest.raises(InputError, match="2 classes, not 3: take multi_class"):
        binary(3)


def test_an_array_of_labels_has_a_column_a_class():
    for wrong in (np.ones((2, 2)), np.full((2, 3), 2), np.array([0, 1])):
        with pytest.raises(InputError, match=r"shape \(N, 3\) and hold 0 and 1"):
            multi_label(3).encode(wrong)


def test_losses_are_kerass_where_it_has_them():
    assert isinstance(multi_class(3).loss, keras.losses.SparseCategoricalCrossentropy)
    smooth = multi_class(3, one_hot=True, label_smoothing=0.1, logits=True).loss.get_config()
    assert (smooth["label_smoothing"], smooth["from_logits"]) == (0.1, True)
    assert isinstance(binary().loss, keras.losses.BinaryCrossentropy)
    with pytest.raises(InputError, match="`label_smoothing` must be"):
        multi_class(3, label_smoothing=1.0)


@pytest.mark.parametrize("form", [{}, {"one_hot": True}, {"label_smoothing": 0.1}])
def test_class_weights_are_in_the_loss(form):
    labels = [0] * 6 + [1] * 3 + [2]
    plain = multi_class(NAMES, **form)
    p = np.full((1, 3), 1 / 3, "float32")
    for choice, expected in [
        ({"dog": 5.0}, [1, 5, 1]),
        ({0: 0.5, 2: 2.0}, [0.5, 1, 2]),
        ("balanced", [10 / 18, 10 / 9, 10 / 3]),
        ("effective", [0.3333, 0.6667, 2.0]),
    ]:
        task = multi_class(NAMES, labels=labels, class_weight=choice, **form)
        for label, weight in enumerate(expected):
            y = plain.encode([label])
            ratio = float(task.loss(y, p)) / float(plain.loss(y, p))
            assert ratio == pytest.approx(weight, rel=1e-3)


def test_balanced_classes_start_equal():
    labels = [0] * 9 + [1]
    assert binary(labels=labels).bias == pytest.approx((np.log(1 / 9),))
    assert binary(labels=labels, class_weight="balanced").bias == pytest.approx((0,), abs=1e-9)
    smooth = multi_class(2, labels=labels, label_smoothing=0.2).bias
    assert np.exp(smooth) == pytest.approx([0.82, 0.18])


def test_a_class_that_counts_nothing_starts_as_one_label():
    ignored = {2: 0.0}
    labels = [0] * 6 + [1] * 3 + [2] * 5
    found = multi_class(3, labels=labels, class_weight=ignored).bias
    assert np.exp(found) == pytest.approx([0.6, 0.3, 0.1])
    assert np.isfinite(ordinal(3, labels=labels, class_weight=ignored).bias).all()
    assert binary(labels=[0, 0, 1], class_weight={1: 0.0}).bias == pytest.approx((np.log(1 / 2),))


def test_wrong_class_weights():
    with pytest.raises(InputError, match="counts the training labels: pass them as `labels`"):
        binary(class_weight="balanced")
    with pytest.raises(InputError, match="Unknown class_weight 'balance'. Did you mean 'balanced'"):
        multi_class(3, class_weight="balance")
    with pytest.raises(InputError, match="Unknown class 'dgo'"):
        multi_class(NAMES, class_weight={"dgo": 2.0})
    for wrong in ({"cat": -1.0}, {"cat": "much"}, [1.0, 2.0, 3.0]):
        with pytest.raises(InputError, match="`class_weight` must be .class: number"):
            multi_class(NAMES, class_weight=wrong)
    with pytest.raises(InputError, match="1 without any"):
        multi_class(NAMES, labels=[0, 1], class_weight="balanced")
