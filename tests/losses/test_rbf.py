import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.losses import RBFLoss
from tests.oracles import lenet as oracle

RNG = np.random.default_rng(0)
PENALTIES = RNG.uniform(0, 20, (6, 10)).astype("float32")
LABELS = RNG.integers(0, 10, 6)


def test_eq_8_is_the_mean_penalty_of_the_right_class():
    expected = oracle.mean_squared_error(PENALTIES, LABELS)
    assert float(RBFLoss()(LABELS, -PENALTIES)) == pytest.approx(expected, rel=1e-6)
    assert float(RBFLoss()(LABELS[:, None], -PENALTIES)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("j", [0.5, 5.0, 50.0])
def test_eq_9(j):
    expected = oracle.maximum_a_posteriori(PENALTIES.astype(float), LABELS, j)
    assert float(RBFLoss(rubbish=j)(LABELS, -PENALTIES)) == pytest.approx(expected, rel=1e-5)


def test_eq_9_becomes_cross_entropy_for_a_large_j():
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = float(crossentropy(LABELS, -PENALTIES))
    assert float(RBFLoss(rubbish=1000.0)(LABELS, -PENALTIES)) == pytest.approx(expected, rel=1e-5)


def test_eq_9_leaves_classes_alone_whose_penalty_is_beyond_j():
    def rise(rubbish):  # of the loss as the wrong class, nearer than the right one, moves away
        near, far = (np.array([[-30.0, -y]], dtype="float32") for y in (20.0, 21.0))
        loss = RBFLoss(rubbish=rubbish)
        return float(loss(np.array([0]), far)) - float(loss(np.array([0]), near))

    assert rise(1000.0) == pytest.approx(-1, abs=1e-3)
    assert rise(5.0) == pytest.approx(0, abs=1e-5)


def test_loss_survives_its_config():
    loss = RBFLoss(rubbish=2.0, reduction="sum", name="map")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (again.rubbish, again.reduction, again.name) == (2.0, "sum", "map")


def test_loss_refuses_what_it_cannot_mean():
    with pytest.raises(InputError, match="`rubbish` must be positive"):
        RBFLoss(rubbish=0)
    with pytest.raises(InputError, match=r"int labels.*\(6, 10\)"):
        RBFLoss()(np.eye(10)[LABELS], -PENALTIES)
