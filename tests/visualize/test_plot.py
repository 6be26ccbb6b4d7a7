"""What is drawn: text that can be read, files, nothing global."""

import keras
import matplotlib
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from kerascnn import models
from kerascnn.visualize import graph_layout, plot_graph, plot_stages, stages

FIGURES = {
    "residual": lambda: plot_graph(models.CifarResNet20(), "stem_relu", "stage1_block2_out"),
    "inception": lambda: plot_graph(models.GoogLeNet(), "pool2", "inception3b"),
    "fractal": lambda: plot_graph(models.FractalNet20(), "stage1_pool", "stage2_join4"),
    "lenet": lambda: plot_graph(models.LeNet5()),
    "stages of GoogLeNet": lambda: plot_stages(models.GoogLeNet()),
    "stages of LeNet": lambda: plot_stages(models.LeNet5()),
}


@pytest.fixture(params=FIGURES)
def figure(request):
    return FIGURES[request.param]()


@pytest.mark.thorough
def test_texts_do_not_overlap_and_are_inside(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    width, height = figure.bbox.size
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    for i, box in enumerate(boxes):
        assert box.x0 > 0 and box.x1 < width and box.y0 > 0 and box.y1 < height
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_texts_of_a_graph_are_inside_their_boxes():
    figure = FIGURES["inception"]()
    renderer = FigureCanvasAgg(figure).get_renderer()
    patches = [p for p in figure.axes[0].patches if type(p).__name__ == "FancyBboxPatch"]
    texts = figure.axes[0].texts
    assert len(texts) == 2 * len(patches)
    for i, patch in enumerate(patches):
        box = patch.get_window_extent(renderer)
        for text in texts[2 * i : 2 * i + 2]:
            extent = text.get_window_extent(renderer)
            assert box.x0 < extent.x0 and extent.x1 < box.x1
            assert box.y0 < extent.y0 and extent.y1 < box.y1


def test_texts_of_stages_are_below_the_blocks():
    figure = FIGURES["stages of LeNet"]()
    renderer = FigureCanvasAgg(figure).get_renderer()
    lowest = min(patch.get_window_extent(renderer).y0 for patch in figure.axes[0].patches)
    assert all(text.get_window_extent(renderer).y1 < lowest for text in figure.axes[0].texts)


def test_graph_has_all_boxes_arrows_and_colours():
    model = models.GoogLeNet()
    figure, drawing = FIGURES["inception"](), graph_layout(model, "pool2", "inception3b")
    kinds = [type(patch).__name__ for patch in figure.axes[0].patches]
    assert kinds.count("FancyArrowPatch") == len(drawing.arrows)
    assert kinds.count("FancyBboxPatch") == len(drawing.boxes)
    patches = [p for p in figure.axes[0].patches if type(p).__name__ == "FancyBboxPatch"]
    colours = {box.kind[:4]: to_hex(p.get_facecolor()) for box, p in zip(drawing.boxes, patches)}
    assert len(set(colours.values())) == len(colours) == 3  # convolution, pooling, joining


def test_stages_show_every_number():
    model = models.LeNet5()
    texts = [text.get_text() for text in plot_stages(model).axes[0].texts]
    for stage in stages(model):
        assert stage.name in texts
        assert not stage.parameters or f"{stage.parameters:,}" in texts
        assert not stage.multiply_adds or f"{stage.multiply_adds:,}" in texts


@pytest.mark.parametrize("plot", [plot_graph, plot_stages])
@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_files(tmp_path, plot, suffix, start):
    path = tmp_path / f"picture.{suffix}"
    plot(models.LeNet5(), path=path)
    assert path.read_bytes().startswith(start)


def test_names_stand_as_they_are(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="$x_$")])
    (axes,) = plot_graph(model, path=tmp_path / "graph.png").axes
    assert "$x_$" in [text.get_text() for text in axes.texts]


def test_pyplot_is_not_touched():
    backend, interactive = matplotlib.get_backend(auto_select=False), pyplot.isinteractive()
    for plot in (plot_graph, plot_stages):
        plot(models.LeNet5())
    assert not pyplot.get_fignums()
    assert (matplotlib.get_backend(auto_select=False), pyplot.isinteractive()) == (
        backend,
        interactive,
    )
