import keras
import pytest

from kerascnn import losses
from kerascnn.layers import LearnedLossWeight
from kerascnn.tasks._expected import expected

K = keras.losses


@pytest.mark.parametrize(
    ("loss", "name", "labels", "from_logits"),
    [
        ("mse", "MeanSquaredError", "numbers", False),
        (K.MeanAbsoluteError(), "MeanAbsoluteError", "numbers", False),
        ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", "ints", False),
        ("SparseCategoricalCrossentropy", "SparseCategoricalCrossentropy", "ints", False),
        (K.categorical_crossentropy, "CategoricalCrossentropy", "one-hot", False),
        (K.BinaryCrossentropy(from_logits=True), "BinaryCrossentropy", "zeros and ones", True),
        (losses.OrdinalCrossentropy(True), "OrdinalCrossentropy", "ordered ints", True),
        (losses.SmoothSparseCrossentropy(), "SmoothSparseCrossentropy", "ints", False),
        (K.Hinge(), "Hinge", "signs", False),
        (losses.RBFLoss(), "RBFLoss", "ints", False),
    ],
)
def test_losses_are_known_as_compile_takes_them(loss, name, labels, from_logits):
    found = expected(loss)
    assert (found.loss, found.labels, found.from_logits) == (name, labels, from_logits)


def test_losses_within_losses_are_found():
    loss = losses.ClassWeighted(K.SparseCategoricalCrossentropy(from_logits=True), [1, 2, 3])
    found = expected(losses.UncertaintyWeighted(loss, LearnedLossWeight()))
    assert found.loss == "SparseCategoricalCrossentropy"
    assert (found.from_logits, found.weights) == (True, [1, 2, 3])


def test_other_losses_are_not_judged():
    assert expected(lambda y, p: p) is None
    assert expected(K.Poisson()) is None
