"""A grid of pictures: what is drawn where."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kerascnn import InputError
from kerascnn.visualize import plot_images


def drawn(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def places(figure):
    """(left, top) of each picture, in shares of the figure."""
    boxes = [axes.get_position() for axes in figure.axes]
    return [(round(box.x0, 6), round(box.y1, 6)) for box in boxes]


@pytest.fixture
def photos():
    return np.random.default_rng(0).integers(256, size=(7, 6, 9, 3), dtype="uint8")


def test_pictures_come_out_as_they_are(photos):
    for shown, photo in zip(drawn(plot_images(photos)), photos, strict=True):
        np.testing.assert_allclose(shown * 255, photo)


@pytest.mark.parametrize("form", ["uint8", "0-255", "0-1"])
def test_the_range_is_that_of_the_dtype_or_of_the_values(photos, form):
    images = {"uint8": photos, "0-255": photos.astype("float32"), "0-1": photos / 255}[form]
    np.testing.assert_allclose(drawn(plot_images(images))[3] * 255, photos[3], atol=1e-4)


def test_what_is_outside_the_range_is_clipped():
    (shown,) = drawn(plot_images([np.array([[-3.0, 0.25], [0.5, 1.0]])]))
    np.testing.assert_array_equal(shown, [[0, 0.25], [0.5, 1]])
    (shown,) = drawn(plot_images([np.array([[-3.0, 51.0], [255.0, 300.0]])]))
    np.testing.assert_allclose(shown, [[0, 0.2], [1, 1]])


def test_one_channel_is_grey_and_black_is_0():
    (axes,) = plot_images(np.full((1, 4, 4, 1), 128, "uint8")).axes
    (image,) = axes.images
    assert image.get_array().shape == (4, 4) and image.get_clim() == (0, 1)
    assert image.get_cmap().name == "gray"


def test_grey_pictures_may_be_as_small_as_a_kernel():
    kernels = np.random.default_rng(0).uniform(size=(5, 3, 3))
    np.testing.assert_array_equal(drawn(plot_images(kernels)), kernels)
    np.testing.assert_array_equal(drawn(plot_images(kernels[..., None])), kernels)


def test_row_by_row_from_the_upper_left(photos):
    found = places(plot_images(photos[:6], columns=3))
    assert found == sorted(found, key=lambda place: (-place[1], place[0]))
    assert len({top for _, top in found}) == 2 and len({left for left, _ in found}) == 3


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 5), (7, 4), (9, 3), (64, 8), (96, 12)])
def test_default_columns_leave_few_holes(count, columns):
    figure = plot_images(np.zeros((count, 2, 2), "uint8"))
    assert len({left for left, _ in places(figure)}) == columns


def test_pictures_keep_their_proportions_and_stay_within_the_figure(photos):
    figure = plot_images([photos[0], photos[1][:, :3]], titles=["wide", "tall " * 20])
    renderer = FigureCanvasAgg(figure).get_renderer()
    for axes in figure.axes:
        box = axes.get_tightbbox(renderer)
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height
        assert axes.get_aspect() == 1


def test_the_file_is_written_and_titles_stand_as_they_are(photos, tmp_path):
    titles = ["$x_$", "_b_", "$5_10^$"]
    figure = plot_images(photos[:3], titles, path=tmp_path / "grid.png")
    assert [axes.get_title() for axes in figure.axes] == titles
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "no pictures"),
        ({"images": np.zeros((2, 4, 4, 5))}, r"\(4, 4, 5\)"),
        ({"images": np.zeros((4, 4))}, r"shape \(4,\)"),
        ({"images": np.zeros((64, 48, 3))}, r"one photo: pass photo\[None\].*\(64, 48, 3\)"),
        ({"images": np.zeros((28, 28, 1), "uint8")}, "one photo"),
        ({"images": [np.full((2, 2), np.nan)]}, "finite"),
        ({"images": [np.zeros((2, 0))]}, "finite"),
        ({"images": np.zeros((2, 4, 4)), "titles": ["one"]}, "2 pictures need 2 titles"),
        ({"images": np.zeros((2, 4, 4)), "columns": 0}, "`columns`"),
    ],
)
def test_one_sentence_for_what_cannot_be_drawn(arguments, message):
    with pytest.raises(InputError, match=message):
        plot_images(**arguments)
