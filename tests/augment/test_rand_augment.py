"""Which operations RandAugment draws, and what it leaves alone."""

import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment._draws import Draws
from kerascnn.augment._policy import FOURTEEN, NUMBERS

SEEDS = augment.seeds(0, epoch=0, indices=range(7000))


def drawn(layer):
    return layer.draw(Draws(SEEDS, np), 331.0, 331.0)


def test_all_fourteen_alike_and_independent_of_each_other():
    operation = drawn(augment.RandAugment(num_ops=2))["operation"]
    assert operation.shape == (7000, 2)
    pairs = np.zeros((15, 15))
    np.add.at(pairs, (operation[:, 0], operation[:, 1]), 1)
    pairs = pairs[np.ix_(FOURTEEN, FOURTEEN)]
    assert pairs.sum() == 7000  # no Invert
    chi2 = ((pairs - 7000 / 196) ** 2 / (7000 / 196)).sum()
    assert chi2 < 265  # 195 degrees of freedom: exceeded with probability 0.001


def test_values_follow_the_magnitude():
    found = drawn(augment.RandAugment(num_ops=1, magnitude=10))
    turns = found["value"][found["operation"] == NUMBERS["Rotate"]]
    assert set(np.round(turns, 4)) == {-10, 10}
    assert 0.4 < (turns > 0).mean() < 0.6
    bits = found["value"][found["operation"] == NUMBERS["Posterize"]]
    assert np.round(bits).max() == np.round(bits).min() == 7


def test_at_magnitude_zero_only_contrast_and_histogram_change():
    images = np.random.default_rng(0).integers(60, 200, (100, 32, 32, 3), "uint8")
    layer = augment.RandAugment(num_ops=1, magnitude=0)
    changed = layer.augment_numpy(images, SEEDS[:100])
    operation = layer.draw(Draws(SEEDS[:100], np), 32.0, 32.0)["operation"][:, 0]
    stretching = np.isin(operation, [NUMBERS["AutoContrast"], NUMBERS["Equalize"]])
    moved = (np.abs(changed.astype(int) - images) > 1).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(moved, stretching)


def test_the_number_of_operations_may_be_an_int_of_numpy():
    config = augment.RandAugment(num_ops=np.int64(3)).get_config()
    assert config["num_ops"] == 3 and type(config["num_ops"]) is int


@pytest.mark.parametrize("bad", [{"num_ops": 0}, {"num_ops": 1.5}, {"magnitude": 31}])
def test_bad_values_are_said(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        augment.RandAugment(**bad)
