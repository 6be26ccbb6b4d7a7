import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import Clouds

SEEDS = augment.seeds(0, epoch=0, indices=range(30))
BLACK = np.zeros((30, 64, 96, 1), "uint8")


@pytest.mark.parametrize("cover", [0.1, 0.3, 0.5, 0.8])
def test_cover_is_the_clouds_share_of_the_area(cover):
    layer = Clouds(cover=(cover, cover), density=(1, 1), level=(250, 250))
    clouds = layer.augment_numpy(BLACK, SEEDS)
    assert abs((clouds > 125).mean() - cover) < 0.04


def test_there_is_clear_sky_and_thick_cloud_with_soft_edges():
    layer = Clouds(cover=(0.5, 0.5), density=(0.9, 0.9), level=(240, 240))
    clouds = np.asarray(layer.augment(BLACK, SEEDS))[..., 0].astype(int)
    assert clouds.max() == round(0.9 * 240) and clouds.min() == 0
    assert (clouds == 0).mean() > 0.04 and (clouds > 200).mean() > 0.04
    assert np.abs(np.diff(clouds, axis=2)).max() < 90
    far = np.corrcoef(clouds[:, :, 0].ravel(), clouds[:, :, 48].ravel())[0, 1]
    near = np.corrcoef(clouds[:, :, 0].ravel(), clouds[:, :, 2].ravel())[0, 1]
    assert near > 0.9 > 0.5 > far


def test_white_under_white_clouds_stays():
    white = np.full((30, 64, 96, 3), 255, "uint8")
    layer = Clouds(level=(255, 255))
    np.testing.assert_array_equal(layer.augment(white, SEEDS), white)
    np.testing.assert_array_equal(layer.augment_numpy(white, SEEDS), white)


def test_bad_arguments():
    with pytest.raises(InputError, match="cover must be"):
        Clouds(cover=(0, 0.5))
    with pytest.raises(InputError, match="density must be"):
        Clouds(density=1)
