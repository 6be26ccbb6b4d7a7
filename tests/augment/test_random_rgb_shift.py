import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import RandomRGBShift

SEEDS = augment.seeds(0, epoch=0, indices=range(500))


def test_each_channel_moves_by_its_own_uniform_number():
    grey = np.full((500, 1, 2, 3), 128, "float32")
    moved = np.asarray(RandomRGBShift(30).augment(grey, SEEDS)) - 128
    np.testing.assert_array_equal(moved[:, :, 0], moved[:, :, 1])
    moved = moved[:, 0, 0]
    assert -30 <= moved.min() < -29 and 29 < moved.max() <= 30
    np.testing.assert_allclose(moved.std(axis=0), 30 / np.sqrt(3), rtol=0.1)
    assert np.abs(np.corrcoef(moved.T) - np.eye(3)).max() < 0.15


def test_values_are_cut_off_at_black_and_white():
    levels = np.arange(256, dtype="uint8").reshape(1, 256, 1, 1).repeat(3, axis=-1)
    layer = RandomRGBShift(200)
    shift = layer.draw(augment._draws.Draws(SEEDS[:1], np), 256.0, 1.0)["color"][0]
    expected = np.clip(np.rint(levels + shift), 0, 255)
    np.testing.assert_array_equal(layer.augment_numpy(levels, SEEDS[:1]), expected)
    np.testing.assert_array_equal(layer.augment(levels, SEEDS[:1]), expected)


@pytest.mark.parametrize("shift", [-1, 256, "much", None])
def test_bad_shift(shift):
    with pytest.raises(InputError, match="shift must be"):
        RandomRGBShift(shift)
