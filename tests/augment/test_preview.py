"""The grid shows the photos, their names and what is drawn, and repeats itself."""

import numpy as np
import pytest
from keras import layers

from kerascnn import InputError
from kerascnn.augment import AdditiveNoise, ColorJitter, RandomAffine, preview
from kerascnn.data import from_arrays

IMAGES = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype="uint8")
CHAIN = [RandomAffine(rotation=90), AdditiveNoise()]


def pictures(figure):
    return [axes.images[0].get_array().data for axes in figure.axes]


def test_the_first_column_is_untouched_and_named():
    data = from_arrays(IMAGES, ["cat", "dog"] * 20)
    figure = preview(CHAIN, data, photos=3, draws=4)
    rows = np.array(pictures(figure)).reshape(3, 5, 8, 8, 3)
    names = {image.tobytes(): name for image, name in zip(IMAGES, ["cat", "dog"] * 20)}
    for row, axes in zip(rows, figure.axes[::5]):
        assert names[row[0].tobytes()] == axes.get_ylabel()
        assert all((row[0] != drawn).any() for drawn in row[1:])
        assert len({drawn.tobytes() for drawn in row}) == 5


def test_it_repeats_itself_and_is_written(tmp_path):
    first = preview(CHAIN, IMAGES, tmp_path / "grid.png", seed=1)
    assert (tmp_path / "grid.png").stat().st_size > 5000
    assert np.array_equal(pictures(first), pictures(preview(CHAIN, IMAGES, seed=1)))
    assert not np.array_equal(pictures(first), pictures(preview(CHAIN, IMAGES, seed=2)))


def test_grey_photos_are_drawn_from_black_to_white():
    axes = preview(CHAIN, IMAGES[..., :1], photos=1, draws=1).axes[0]
    assert axes.images[0].get_clim() == (0, 255)


def test_layers_draw_apart_as_in_training():
    row = np.arange(60, 140, 10, dtype="uint8")
    ramp = np.broadcast_to(row[:, None], (60, 8, 8, 3))
    chain = [RandomAffine("horizontal"), ColorJitter(0.5, 0, 0)]
    figure = preview(chain, ramp, photos=60, draws=1)
    drawn = np.array(pictures(figure)).reshape(60, 2, 8, 8, 3)[:, 1].astype(int)
    mirrored = drawn[:, 0, 0, 0] > drawn[:, 0, -1, 0]
    brighter = drawn.mean((1, 2, 3)) > ramp[0].mean()
    assert len(set(zip(mirrored.tolist(), brighter.tolist()))) == 4


def test_what_cannot_be_drawn():
    with pytest.raises(InputError, match="Received: RandomFlip"):
        preview(layers.RandomFlip(), IMAGES)
    with pytest.raises(InputError, match="no photos"):
        preview(CHAIN, IMAGES[:0])
