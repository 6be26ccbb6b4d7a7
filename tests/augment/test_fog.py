import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import Fog

SEEDS = augment.seeds(0, epoch=0, indices=range(20))
ENGINES = pytest.mark.parametrize("engine", ["augment", "augment_numpy"])


@ENGINES
def test_pixels_move_towards_the_level_by_the_density(engine):
    layer = Fog(density=(0.4, 0.4), level=(200, 200))
    images = np.full((20, 60, 80, 3), (0, 100, 200), "uint8")
    foggy = np.asarray(getattr(layer, engine)(images, SEEDS)).astype(float)
    np.testing.assert_allclose(foggy.mean(axis=(0, 1, 2)), [80, 140, 200], atol=1)
    share = foggy[..., 0] / 200
    assert share.min() > 0.15 and share.max() < 0.65
    np.testing.assert_allclose(foggy[..., 1], 100 + share * 100, atol=1)  # one share for a pixel


def test_no_density_leaves_the_image_and_all_hides_it():
    images = np.random.default_rng(0).integers(0, 256, (20, 30, 40, 3)).astype("uint8")
    np.testing.assert_array_equal(Fog(density=(0, 0)).augment(images, SEEDS), images)
    hidden = np.asarray(Fog(density=(1, 1), level=(210, 210)).augment(images, SEEDS))
    assert np.abs(hidden.astype(float) - 210).mean() < 12


def test_contrast_falls_evenly():
    """What is far from even is what makes clouds."""
    rows = np.tile(np.array([0, 255], "uint8"), 40)
    stripes = np.broadcast_to(rows[:, None, None], (20, 80, 80, 3))
    foggy = Fog(density=(0.5, 0.5)).augment_numpy(stripes, SEEDS).astype(float)
    contrast = np.abs(np.diff(foggy[..., 0], axis=1)).reshape(20, -1)
    assert (contrast.std(axis=1) / contrast.mean(axis=1)).max() < 0.2


def test_bad_arguments():
    with pytest.raises(InputError, match="density must be"):
        Fog(density=(0, 2))
    with pytest.raises(InputError, match="level must be"):
        Fog(level=(0, 300))
