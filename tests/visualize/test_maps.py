import numpy as np
import pytest
from matplotlib import colormaps

from kerascnn import InputError
from kerascnn.visualize import plot_maps

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 2), (3, 3), (8, 3)])
def test_each_photo_its_map_and_both(count, rows):
    photos = RNG.integers(256, size=(count, 20, 30, 3), dtype="uint8")
    maps = RNG.uniform(size=(count, 20, 30))
    axes = plot_maps(photos, maps, [f"photo {i}" for i in range(count)]).axes
    assert len({round(a.get_position().y0, 6) for a in axes}) == rows
    table = np.array(axes).reshape(rows, -1)
    table = table if count <= 2 else table.T
    for number, (photo, heat, both) in enumerate(table):
        assert [a.get_title() for a in (photo, heat, both)] == [f"photo {number}", "", ""]
        np.testing.assert_allclose(photo.images[0].get_array(), photos[number] / 255)
        scaled = np.clip(maps[number] / np.percentile(maps[number], 99), 0, 1)
        expected = colormaps["inferno"](scaled)[..., :3]
        np.testing.assert_allclose(heat.images[0].get_array(), expected)
        cold = np.unravel_index(scaled.argmin(), scaled.shape)
        grey = (photos[number] / 255).mean(axis=-1)[cold]
        np.testing.assert_allclose(both.images[0].get_array()[cold], grey, atol=0.02)


@pytest.mark.parametrize("heat", [0.0, -1.0])
def test_a_map_without_evidence_is_dark(heat):
    photos = RNG.uniform(size=(1, 8, 8, 1))
    drawn = plot_maps(photos, np.full((1, 8, 8), heat)).axes
    np.testing.assert_allclose(
        drawn[1].images[0].get_array(), colormaps["inferno"](0.0)[:3] + photos[0] * 0
    )
    np.testing.assert_allclose(drawn[2].images[0].get_array(), photos[0].repeat(3, axis=-1))


def test_one_bright_pixel_leaves_the_others_visible():
    maps = np.full((1, 20, 20), 0.5)
    maps[0, 3, 3] = 1000
    drawn = plot_maps(np.zeros((1, 20, 20, 3)), maps).axes[1].images[0].get_array()
    assert drawn[10, 10].mean() > 0.5


def test_it_is_written(tmp_path):
    plot_maps(RNG.uniform(size=(2, 8, 8, 3)), RNG.uniform(size=(2, 8, 8)), path=tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("images", "maps", "titles", "sentence"),
    [
        ((2, 8, 8, 3), (2, 8, 7), None, "Received: (2, 8, 8, 3) and (2, 8, 7)."),
        ((8, 8, 3), (8, 8), None, "Received: (8, 8, 3) and (8, 8)."),
        ((2, 8, 8, 4), (2, 8, 8), None, "C 1 or 3"),
        ((2, 8, 8, 3), (2, 8, 8), ["a"], "2 photos need as many titles. Received: 1."),
        ((0, 8, 8, 3), (0, 8, 8), None, "no pictures"),
    ],
)
def test_what_does_not_fit_is_said(images, maps, titles, sentence):
    with pytest.raises(InputError) as error:
        plot_maps(np.zeros(images), np.zeros(maps), titles)
    assert sentence in str(error.value)
