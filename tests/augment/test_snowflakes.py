import numpy as np
import pytest
from scipy import ndimage

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import Snowflakes

SEEDS = augment.seeds(0, epoch=0, indices=range(10))
BLACK = np.zeros((10, 224, 224, 1), "uint8")


@pytest.mark.parametrize("engine", ["augment", "augment_numpy"])
def test_number_of_flakes(engine):
    layer = Snowflakes(flakes=(60, 60), streak=(0, 0))
    snow = np.asarray(getattr(layer, engine)(BLACK, SEEDS))[..., 0]
    counts = [ndimage.label(image > 30)[1] for image in snow]
    assert 50 < np.mean(counts) < 65  # a few fall together
    assert np.std(counts) < 4 * 60**0.5


def test_flakes_of_three_sizes():
    layer = Snowflakes(flakes=(60, 60), streak=(0, 0))
    snow = layer.augment_numpy(BLACK, SEEDS)[..., 0]
    areas = np.concatenate(
        [np.bincount(label.ravel())[1:] for label in (ndimage.label(s > 30)[0] for s in snow)]
    )
    assert np.percentile(areas, 20) < 8 and np.percentile(areas, 98) > 20


@pytest.mark.parametrize("angle", [-60, 0, 60])
def test_streaks_lean_by_the_angle(angle):
    """The main axis of the flakes' autocorrelation."""
    layer = Snowflakes(flakes=(40, 40), streak=(3, 3), angle=0)
    drawn = layer.draw(augment._draws.Draws(SEEDS, np), 224.0, 224.0)
    length = np.linalg.norm(drawn["fall"], axis=1)
    np.testing.assert_allclose(length, 3 * 224, rtol=1e-5)
    way = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))], "float32")
    for image, seeds, fall in zip(BLACK, range(10), 3 * 224 * way[None].repeat(10, 0)):
        own = {name: values[seeds] for name, values in drawn.items()} | {"fall": fall}
        snow = layer.kernel(image, **own)[..., 0].astype(float)
        spectrum = np.abs(np.fft.fft2(snow - snow.mean())) ** 2
        correlation = np.fft.fftshift(np.fft.ifft2(spectrum).real)[106:119, 106:119]
        y, x = np.indices((13, 13)) - 6
        weight = np.maximum(correlation, 0)
        moments = [(weight * a * b).sum() for a, b in ((x, x), (x, y), (y, y))]
        lean = np.degrees(0.5 * np.arctan2(2 * moments[1], moments[2] - moments[0]))
        assert abs(lean - angle) < 12


def test_snow_only_lightens():
    images = np.random.default_rng(0).integers(0, 256, (10, 50, 60, 3)).astype("uint8")
    snow = np.asarray(Snowflakes().augment(images, SEEDS))
    assert (snow >= images).all() and (snow > images).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(Snowflakes(flakes=(0, 0)).augment(images, SEEDS), images)


def test_bad_arguments():
    with pytest.raises(InputError, match="flakes must be"):
        Snowflakes(flakes=(-1, 3))
    with pytest.raises(InputError, match="angle must be"):
        Snowflakes(angle=100)
    with pytest.raises(InputError, match="streak must be"):
        Snowflakes(streak=(0, 9))
