"""The picture: a blob for each network in its place, names that can be read."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from kerascnn import InputError
from kerascnn.overview import overview, plot_overview

OWN = [row for row in overview() if row.source == "kerascnn"]


def blobs(figure):
    """(multiply-adds in 10^9, accuracy, area) of each."""
    found = (c for c in figure.axes[0].collections if len(c.get_offsets()))
    return [(*c.get_offsets()[0], c.get_sizes()[0]) for c in found]


@pytest.mark.parametrize("data", ["ImageNet", "CIFAR-10", "MNIST"])
def test_a_blob_for_each_network_as_large_as_its_parameters(data):
    shown = [row for row in OWN if row.data == data]
    drawn = blobs(plot_overview(OWN, data=data))
    assert len(drawn) == len(shown) > 0
    for (x, y, area), row in zip(drawn, shown):
        assert (x, y) == pytest.approx((row.multiply_adds / 1e9, 100 - row.top1_error))
        assert area / drawn[0][2] == pytest.approx(row.parameters / shown[0].parameters)


@pytest.mark.parametrize("data", ["ImageNet", "CIFAR-10"])
def test_names_are_beside_each_other_and_inside(data):
    figure = plot_overview(OWN, data=data)
    (axes,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = {text.get_text(): Text.get_window_extent(text, renderer) for text in axes.texts}
    assert set(boxes) == {row.name for row in OWN if row.data == data}
    frame = axes.get_window_extent(renderer)
    for box in boxes.values():
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1
    for one, other in itertools.combinations(boxes.values(), 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_file(tmp_path, suffix):
    path = tmp_path / f"overview.{suffix}"
    plot_overview(OWN, path)
    assert path.stat().st_size > 10_000
    if suffix == "png":
        with Image.open(path) as picture:
            assert picture.size == (1350, 900)


@pytest.mark.parametrize(
    ("rows", "data", "sentence"),
    [
        (OWN, "CIFAR-100", "Unknown data 'CIFAR-100'. Did you mean 'CIFAR-10'?"),
        ([], "ImageNet", "None of the 0 networks has a published top-1 error on ImageNet."),
        (OWN[:1], "ImageNet", "None of the 1 networks"),
    ],
)
def test_nothing_to_draw_is_said(rows, data, sentence):
    with pytest.raises(InputError) as error:
        plot_overview(rows, data=data)
    assert sentence in str(error.value) and "\n" not in str(error.value)
