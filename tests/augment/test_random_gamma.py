import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import RandomGamma

SEEDS = augment.seeds(0, epoch=0, indices=range(500))
LEVELS = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)


def test_every_level_by_hand():
    layer = RandomGamma(gamma=(1.7, 1.7))
    expected = [round(255 * (level / 255) ** 1.7) for level in range(256)]
    np.testing.assert_array_equal(np.ravel(layer.augment_numpy(LEVELS, SEEDS[:1])), expected)
    np.testing.assert_array_equal(np.ravel(layer.augment(LEVELS, SEEDS[:1])), expected)


def test_half_of_the_exponents_are_below_one_and_logarithms_are_uniform():
    level = np.full((500, 1, 1, 1), 255 / np.e, "float32")
    changed = np.ravel(RandomGamma(gamma=(0.25, 4)).augment(level, SEEDS))
    exponents = -np.log(changed / 255)
    assert 0.25 <= exponents.min() < 0.27 and 3.8 < exponents.max() <= 4
    shares = np.histogram(np.log(exponents), bins=4, range=(-np.log(4), np.log(4)))[0] / 500
    np.testing.assert_allclose(shares, 0.25, atol=0.06)


def test_black_and_white_stay():
    ends = np.array([0, 255], "uint8").reshape(1, 1, 2, 1)
    np.testing.assert_array_equal(RandomGamma().augment(ends, SEEDS[:1]), ends)
    below = np.full((1, 1, 1, 1), -0.5, "float32")  # a sharp resize overshoots
    assert float(np.ravel(RandomGamma().augment(below, SEEDS[:1]))[0]) == 0


@pytest.mark.parametrize("gamma", [(2, 1), (0, 1), 2, (1, 1000)])
def test_bad_range(gamma):
    with pytest.raises(InputError, match="gamma must be"):
        RandomGamma(gamma=gamma)
