import numpy as np
import pytest
from scipy import ndimage

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import RandomEmboss

SEEDS = augment.seeds(0, epoch=0, indices=range(3))


@pytest.mark.parametrize(("alpha", "s"), [(1, 0), (1, 1.5), (0.4, 0.5)])
def test_is_scipys_filter(alpha, s):
    images = np.random.default_rng(0).uniform(0, 255, (3, 9, 7, 2)).astype("float32")
    weights = np.array([[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]])
    relief = ndimage.correlate(images, weights[None, :, :, None], mode="reflect")
    expected = np.clip((1 - alpha) * images + alpha * relief, 0, 255)
    layer = RandomEmboss((alpha, alpha), (s, s))
    np.testing.assert_allclose(layer.augment(images, SEEDS), expected, atol=1e-3)
    whole = images.astype("uint8")
    fast = layer.augment_numpy(whole, SEEDS).astype(int)
    assert np.abs(fast - np.asarray(layer.augment(whole, SEEDS)).astype(int)).max() <= 1


def test_areas_without_edges_stay():
    flat = np.full((3, 5, 5, 3), (20, 120, 220), "uint8")
    np.testing.assert_array_equal(RandomEmboss().augment(flat, SEEDS), flat)
    np.testing.assert_array_equal(RandomEmboss().augment_numpy(flat, SEEDS), flat)


def test_bad_arguments():
    with pytest.raises(InputError, match="alpha must be"):
        RandomEmboss(alpha=(0, 2))
    with pytest.raises(InputError, match="strength must be"):
        RandomEmboss(strength=(-1, 1))
