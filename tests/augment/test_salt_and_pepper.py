import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import SaltAndPepper

SEEDS = augment.seeds(0, epoch=0, indices=range(4))
GREY = np.full((4, 200, 200, 3), 100, "uint8")


@pytest.mark.parametrize("engine", ["augment", "augment_numpy"])
@pytest.mark.parametrize("salt", [0, 0.25, 1])
def test_shares_of_white_and_black(engine, salt):
    layer = SaltAndPepper(rate=(0.2, 0.2), salt=salt)
    changed = np.asarray(getattr(layer, engine)(GREY, SEEDS))
    for value, share in ((255, 0.2 * salt), (0, 0.2 * (1 - salt)), (100, 0.8)):
        of_each = (changed == value).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(of_each, share, atol=4 * (share * (1 - share) / 40000) ** 0.5)
    assert (changed == changed[..., :1]).all()  # all channels alike


def test_pixels_are_independent():
    black = np.asarray(SaltAndPepper((0.5, 0.5), salt=0).augment(GREY, SEEDS))[..., 0] == 0
    for neighbour in (black[:, 1:], black[:, :, 1:], black[1:]):
        own = black[tuple(slice(size) for size in neighbour.shape)]
        assert abs(np.corrcoef(own.ravel(), neighbour.ravel())[0, 1]) < 0.02


def test_rate_of_zero_leaves_all():
    np.testing.assert_array_equal(SaltAndPepper((0, 0)).augment(GREY, SEEDS), GREY)


def test_bad_arguments():
    with pytest.raises(InputError, match="rate must be"):
        SaltAndPepper(rate=0.1)
    with pytest.raises(InputError, match="salt must be"):
        SaltAndPepper(salt=2)
