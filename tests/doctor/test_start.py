"""Where a network starts: its layers, and the loss of knowing nothing."""

import keras
import numpy as np
import pytest
from keras import layers

import kerascnn as kc
from kerascnn.doctor import LayerStart, layer_starts, uninformed_output
from kerascnn.doctor.start import are_numbers, classes_of, num_classes, perfect_output

L = keras.losses
INTS = np.array([0, 1, 2, 0])


def compiled(loss, units, activation=None):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(units, activation)])
    model.compile("sgd", loss)
    return model


def losses(model, y):
    """The loss of knowing nothing, and of knowing all."""
    x = np.zeros((len(y), 2))
    return [
        float(model.compute_loss(x, *map(keras.ops.convert_to_tensor, (y, output))))
        for output in (uninformed_output(model, y), perfect_output(model, y))
    ]


ENTROPY = -(0.9 + 0.1 / 3) * np.log(0.9 + 0.1 / 3) - 2 * 0.1 / 3 * np.log(0.1 / 3)
NUMBERS = np.array([[1.0], [5.0], [-2.0], [4.0]])
KNOWN = [  # loss, units, activation, labels, loss of knowing nothing, of knowing all
    (L.SparseCategoricalCrossentropy(), 3, "softmax", INTS, np.log(3), 0),
    (L.SparseCategoricalCrossentropy(from_logits=True), 7, None, INTS, np.log(7), 0),
    (L.CategoricalCrossentropy(), 3, "softmax", np.eye(3)[INTS], np.log(3), 0),
    (
        L.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        *(3, None, np.eye(3)[INTS], np.log(3), ENTROPY),
    ),
    (L.BinaryCrossentropy(), 1, "sigmoid", INTS[:, None] % 2, np.log(2), 0),
    (L.BinaryCrossentropy(from_logits=True), 3, None, np.eye(3)[INTS], np.log(2), 0),
    (kc.losses.OrdinalCrossentropy(), 2, "sigmoid", INTS, 2 * np.log(2), 0),
    ("mse", 1, None, NUMBERS, NUMBERS.var(), 0),
    ("mse", 2, None, np.hstack([NUMBERS, -NUMBERS]), NUMBERS.var(), 0),
]


@pytest.mark.parametrize(("loss", "units", "activation", "y", "nothing", "all_"), KNOWN)
def test_losses_of_guessing_and_of_knowing(loss, units, activation, y, nothing, all_):
    found = losses(compiled(loss, units, activation), y.astype("float32"))
    assert found[0] == pytest.approx(nothing, rel=1e-4)
    assert found[1] == pytest.approx(all_, abs=2e-6, rel=1e-4)


def test_losses_that_are_not_known():
    model = compiled(L.Poisson(), 1, "softplus")
    assert uninformed_output(model, NUMBERS) is None and perfect_output(model, NUMBERS) is None
    assert classes_of(model, NUMBERS) is None and not are_numbers(model)
    hinge = compiled("hinge", 1)
    assert not uninformed_output(hinge, NUMBERS).any() and perfect_output(hinge, NUMBERS) is None


def test_several_outputs_are_not_known():
    inputs = keras.Input((2,))
    outputs = [layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", ["mse", "mse"])
    assert uninformed_output(model, [NUMBERS, NUMBERS]) is None


@pytest.mark.parametrize(
    ("loss", "units", "activation", "y", "classes", "number"),
    [
        (L.SparseCategoricalCrossentropy(), 3, "softmax", INTS[:, None], INTS, 3),
        (L.CategoricalCrossentropy(), 3, "softmax", np.eye(3)[INTS], INTS, 3),
        (L.BinaryCrossentropy(), 1, "sigmoid", INTS % 2, INTS % 2, 2),
        ("hinge", 1, None, 2 * (INTS % 2) - 1, INTS % 2, 2),
        (kc.losses.OrdinalCrossentropy(), 2, "sigmoid", INTS, INTS, 3),
    ],
)
def test_classes(loss, units, activation, y, classes, number):
    model = compiled(loss, units, activation)
    np.testing.assert_array_equal(classes_of(model, y), classes)
    assert num_classes(model) == number and not are_numbers(model)


def test_labels_that_are_no_classes():
    assert classes_of(compiled("binary_crossentropy", 3, "sigmoid"), np.eye(3)) is None
    assert classes_of(compiled("mse", 1), INTS) is None and are_numbers(compiled("mse", 1))
    assert classes_of(compiled("categorical_crossentropy", 3, "softmax"), INTS) is None


def test_labels_that_are_not_known():
    sparse = compiled("sparse_categorical_crossentropy", 3, "softmax")
    one_hot = compiled("categorical_crossentropy", 3, "softmax")
    names, missing = np.array(["cat", "dog"]), np.array([0, np.nan])
    for labels in (names, names.astype(object), missing, np.array([1, np.inf])):
        assert classes_of(sparse, labels) is None
    assert classes_of(one_hot, np.array([[1, 0, 0], [np.nan, 0, 1]])) is None


def test_only_signs_below_0_are_the_first_class():
    for loss, units in (("sparse_categorical_crossentropy", 3), ("binary_crossentropy", 1)):
        model = compiled(loss, units, "softmax" if units > 1 else "sigmoid")
        np.testing.assert_array_equal(classes_of(model, np.array([-1, 1, 0])), [-1, 1, 0])


def row(name, verdict, signal=1.0, gradient=1.0):
    histogram = ([1], [0, 1])
    return LayerStart(name, verdict, 0.0, 1.0, signal, 0.0, 0.0, 0.0, gradient, histogram, None)


def test_the_worst_verdict_counts():
    rows = [row("a", "fine"), row("b", "exploding"), row("c", "symmetric"), row("d", "symmetric")]
    assert layer_starts(rows).message.startswith("2 of 4 layers start symmetric, the first is 'c'")
    assert layer_starts(rows[:1]).severity == "fine"


@pytest.mark.parametrize(
    ("signal", "gradient", "severity"),
    [(0.002, 1.0, "fine"), (0.0009, 1.0, "problem"), (0.5, 1e-5, "problem"), (0.5, None, "fine")],
)
def test_signals_may_shrink_but_not_gradients(signal, gradient, severity):
    rows = [row("a", "fine"), row("b", "vanishing", signal, gradient), row("c", "fine")]
    assert layer_starts(rows).severity == severity
