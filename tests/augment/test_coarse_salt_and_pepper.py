import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import CoarseSaltAndPepper

SEEDS = augment.seeds(0, epoch=0, indices=range(50))


@pytest.mark.parametrize("engine", ["augment", "augment_numpy"])
def test_a_small_image_enlarged_by_nearest_neighbour(engine):
    layer = CoarseSaltAndPepper(rate=(0.5, 0.5), size=(0.125, 0.125))
    grey = np.full((50, 64, 96, 3), 100, "uint8")
    changed = np.asarray(getattr(layer, engine)(grey, SEEDS))
    small = changed[:, ::8, ::8]
    np.testing.assert_array_equal(small.repeat(8, axis=1).repeat(8, axis=2), changed)
    for value, share in ((0, 0.25), (255, 0.25), (100, 0.5)):
        assert abs((small[..., 0] == value).mean() - share) < 0.03
    assert (small == small[..., :1]).all()
    assert len(np.unique(small[..., 0], axis=0)) == 50


def test_sizes_are_drawn_between():
    layer = CoarseSaltAndPepper(rate=(0.5, 0.5), size=(0.05, 0.2), salt=1)
    grey = np.full((50, 100, 100, 1), 100, "uint8")
    white = layer.augment_numpy(grey, SEEDS)[..., 0] == 255
    changes = (white[:, :, 1:] != white[:, :, :-1]).any(axis=1).sum(axis=1)  # borders seen
    assert changes.max() <= 20 and changes.min() >= 3
    assert changes.max() > 14 and changes.min() < 7


def test_blocks_have_at_least_one_pixel():
    tiny = np.full((50, 10, 10, 1), 100, "uint8")
    changed = np.asarray(CoarseSaltAndPepper((0.5, 0.5), (0.01, 0.01), salt=1).augment(tiny, SEEDS))
    assert abs((changed == 255).mean() - 0.5) < 0.04


def test_bad_size():
    with pytest.raises(InputError, match="size must be"):
        CoarseSaltAndPepper(size=(0, 0.1))
