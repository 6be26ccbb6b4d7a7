import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.losses import OrdinalCrossentropy

RNG = np.random.default_rng(0)


def test_two_classes_are_binary_crossentropy():
    labels, logits = RNG.integers(2, size=9), RNG.normal(size=(9, 1)).astype("float32")
    binary = keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits)
    ours = OrdinalCrossentropy(from_logits=True)(labels, logits)
    assert float(ours) == pytest.approx(float(binary), rel=1e-6)


def test_a_far_class_costs_more():
    certain_of_3 = np.array([[0.99, 0.98, 0.97, 0.02]])
    losses = [float(OrdinalCrossentropy()([label], certain_of_3)) for label in range(5)]
    assert losses.index(min(losses)) == 3
    assert losses[0] > losses[1] > losses[2] > losses[3] < losses[4]


def test_other_labels():
    with pytest.raises(InputError, match="OrdinalCrossentropy needs int labels"):
        OrdinalCrossentropy()(np.eye(3), np.full((3, 2), 0.5))
    assert np.isnan(float(OrdinalCrossentropy()([3], np.array([[0.5, 0.5]]))))
