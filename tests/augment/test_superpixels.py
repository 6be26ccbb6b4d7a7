import keras
import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import Superpixels
from kerascnn.augment.superpixels import clusters

SEEDS = augment.seeds(0, epoch=0, indices=range(3))
ENGINES = pytest.mark.parametrize("engine", ["augment", "augment_numpy"])


def by_loops(image, grid, compactness):
    """SLIC's k-means with plain loops: labels (H, W) and the clusters' mean colours."""
    height, width = image.shape[:2]
    weight = (compactness**2) / (height * width / (grid[0] * grid[1]))
    cell = {
        (y, x): (y * grid[0] // height, x * grid[1] // width)
        for y in range(height)
        for x in range(width)
    }
    members = {c: [p for p in cell if cell[p] == c] for c in np.ndindex(*grid)}
    centres = {}
    for iteration in range(6):
        if iteration:
            members = {c: [] for c in np.ndindex(*grid)}
            for p, home in cell.items():
                near = [c for c in centres if max(abs(c[0] - home[0]), abs(c[1] - home[1])) <= 1]
                members[min(near, key=lambda c: far(image, p, centres[c], weight))].append(p)
        for c, own in members.items():
            if own:
                centres[c] = np.mean([[*image[p], *p] for p in own], axis=0)
    labels = np.zeros((height, width), int)
    for c, own in members.items():
        for p in own:
            labels[p] = c[0] * grid[1] + c[1]
    return labels, np.array([centres[c][:-2] for c in np.ndindex(*grid)])


def far(image, place, centre, weight):
    color, position = centre[:-2] - image[place], centre[-2:] - place
    return (color**2).sum() + weight * (position**2).sum()


@pytest.mark.parametrize("xp", [np, keras.ops])
def test_is_k_means_by_loops(xp):
    images = np.random.default_rng(1).integers(0, 256, (3, 12, 15, 3)).astype("float32")
    labels, colors = clusters(images, (3, 4), 40, xp)
    for i in range(3):
        expected, means = by_loops(images[i].astype(float), (3, 4), 40)
        np.testing.assert_array_equal(np.reshape(labels[i], (12, 15)), expected)
        np.testing.assert_allclose(colors[i], means, rtol=1e-5)


@ENGINES
def test_rate_of_zero_leaves_the_image(engine):
    images = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3)).astype("uint8")
    layer = Superpixels(rate=(0, 0), segments=20)
    np.testing.assert_array_equal(getattr(layer, engine)(images, SEEDS), images)


@ENGINES
def test_edges_stay_where_they_are(engine):
    """Two colours, with an edge far from the grid's: no patch mixes them."""
    images = np.full((3, 40, 40, 3), 60, "uint8")
    images[:, :, 17:] = (200, 90, 30)
    images[:, 23:, :9] = 0
    changed = getattr(Superpixels(rate=(1, 1), segments=25), engine)(images, SEEDS)
    np.testing.assert_array_equal(changed, images)


@ENGINES
def test_a_share_of_the_patches_is_replaced_by_their_mean(engine):
    from sklearn.datasets import load_sample_image

    photo = np.repeat(load_sample_image("china.jpg")[None, ::5, ::5], 3, axis=0)
    layer = Superpixels(rate=(0.5, 0.5), segments=200)
    changed = np.asarray(getattr(layer, engine)(photo, SEEDS))
    assert 0.35 < (changed != photo).any(axis=-1).mean() < 0.6
    whole = np.asarray(getattr(Superpixels(rate=(1, 1), segments=200), engine)(photo, SEEDS))
    assert 150 < len(np.unique(whole[0].reshape(-1, 3), axis=0)) <= 210
    assert np.abs(whole.mean(axis=(1, 2)) - photo.mean(axis=(1, 2))).max() < 0.1
    same = (changed == photo).all(axis=-1) | (changed == whole).all(axis=-1)
    assert same.all()


def test_bad_arguments():
    with pytest.raises(InputError, match="segments must be"):
        Superpixels(segments=0)
    with pytest.raises(InputError, match="compactness must be"):
        Superpixels(compactness=0)
    with pytest.raises(InputError, match="rate must be"):
        Superpixels(rate=2)
