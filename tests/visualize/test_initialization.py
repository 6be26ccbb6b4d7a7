import dataclasses

import keras
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kerascnn import InputError
from kerascnn.doctor import audit_initialization
from kerascnn.visualize import plot_initialization


@pytest.fixture(scope="module")
def rows():
    layers = [keras.layers.Dense(9, "tanh", name=f"layer_number_{i}") for i in range(9)]
    model = keras.Sequential([keras.Input((9,)), *layers, keras.layers.ReLU(name="relu")])
    return audit_initialization(model, np.random.default_rng(0).normal(size=(20, 9)))


def test_each_layer_has_its_histograms(rows):
    axes = [a for a in plot_initialization(rows, title="a start").axes if a.axison]
    titles = [a.get_title() for a in axes]
    assert sum(title.startswith("layer_number") for title in titles) == 9
    assert sum(title.startswith("gradient") for title in titles) == 9
    drawn = axes[titles.index(next(t for t in titles if t.startswith("layer_number_3")))]
    counts = drawn.patches[0].get_data().values
    np.testing.assert_array_equal(counts, rows[3].activations[0])
    assert counts.sum() == 180


def test_titles_do_not_overlap(rows):
    figure = plot_initialization(rows)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = [a.title.get_window_extent(renderer) for a in figure.axes if a.axison]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_it_is_written_and_names_stand_as_they_are(rows, tmp_path):
    named = [dataclasses.replace(rows[0], layer="$x_$"), *rows[1:]]
    figure = plot_initialization(named, tmp_path / "start.png", title="$5_10^$")
    assert figure.axes[0].get_title().startswith("$x_$: ")
    assert (tmp_path / "start.png").stat().st_size > 10_000


def test_nothing_to_draw():
    with pytest.raises(InputError, match="no rows"):
        plot_initialization([])
