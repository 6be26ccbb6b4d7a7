"""Charts show the numbers that they are given."""

import keras
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.metrics import confusion_matrix

from kerascnn import InputError
from kerascnn.metrics import ConfusionMatrix
from kerascnn.visualize import plot_confusion, plot_embedding, plot_reliability, reliability


@pytest.fixture
def predictions():
    """Of 3 classes; the less sure ones are all right, the surer ones as chance has it."""
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(3), size=90), rng.integers(3, size=90)
    return probabilities, np.where(
        probabilities.max(axis=1) < 0.6, probabilities.argmax(axis=1), labels
    )


def test_confusions_are_those_of_scikit_learn(predictions):
    probabilities, labels = predictions
    matrix = keras.ops.convert_to_numpy(ConfusionMatrix(3)(labels, probabilities))
    wanted = confusion_matrix(labels, probabilities.argmax(axis=1))
    figure = plot_confusion(matrix, ["cat", "dog", "owl"])
    axes, colours = figure.axes
    assert [text.get_text() for text in axes.texts] == [str(count) for count in wanted.flat]
    np.testing.assert_allclose(
        axes.images[0].get_array(), wanted / wanted.sum(axis=1, keepdims=True)
    )
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["cat", "dog", "owl"]
    assert axes.get_ylabel() == "true" and axes.get_xlabel() == "predicted"


def test_many_classes_and_classes_without_samples(tmp_path):
    figure = plot_confusion(np.diag([0.0] + [5] * 149), path=tmp_path / "confusions.png")
    assert not figure.axes[0].texts
    assert (tmp_path / "confusions.png").stat().st_size > 1000


def test_bars_of_reliability(predictions, tmp_path):
    rows = reliability(*predictions, bins=10)
    figure = plot_reliability(rows, path=tmp_path / "reliability.png")
    above, below = figure.axes
    filled = [row for row in rows if row.count]
    accuracy, over, under = above.containers
    assert [bar.get_height() for bar in accuracy] == [row.accuracy for row in filled]
    gaps = [row.confidence - row.accuracy for row in filled]
    assert min(gaps) < 0 < max(gaps)
    np.testing.assert_allclose([bar.get_height() for bar in over], np.maximum(gaps, 0))
    np.testing.assert_allclose(
        [bar.get_height() for bar in under], np.maximum(np.negative(gaps), 0)
    )
    np.testing.assert_allclose([bar.get_y() for bar in under], [row.confidence for row in filled])
    assert [bar.get_height() for bar in below.containers[0]] == [row.count for row in filled]
    assert (tmp_path / "reliability.png").stat().st_size > 1000


def test_names_stand_as_they_are(tmp_path):
    names = ["_unknown_", "$5_10^$", "$x_$"]
    (axes, _) = plot_confusion(np.eye(3), names, tmp_path / "confusions.png").axes
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == names
    figure = plot_embedding(
        np.eye(4)[:, :2], [0, 1, 1, 2], names, tmp_path / "points.png", title="$x_$"
    )
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == names
    shown = [to_hex(handle.get_facecolor()[0]) for handle in legend.legend_handles]
    assert shown == [to_hex(cloud.get_facecolor()[0]) for cloud in figure.axes[0].collections]


@pytest.mark.parametrize("classes", [3, 12, 30])
def test_each_label_has_its_colour(classes, tmp_path):
    points = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.arange(60) % classes
    figure = plot_embedding(points, labels, title="fc6", path=tmp_path / "points.png")
    (axes,) = figure.axes
    shown = [to_hex(points.get_facecolor()[0]) for points in axes.collections]
    assert len(set(shown)) == classes
    np.testing.assert_array_equal(axes.collections[1].get_offsets(), points[labels == 1])
    assert (axes.get_legend() is None) == (classes > 20)
    assert axes.get_title() == "fc6"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_confusion(np.ones((2, 3))), "square"),
        (lambda: plot_confusion(-np.eye(2)), "counts"),
        (lambda: plot_confusion(np.eye(3), ["a", "b"]), "3 classes need 3 names"),
        (lambda: plot_reliability([]), "no rows"),
        (lambda: plot_embedding(np.ones((4, 3)), [0] * 4), r"\(4, 3\)"),
        (lambda: plot_embedding(np.ones((4, 2)), [0] * 3), r"\(3,\)"),
        (lambda: plot_embedding(np.ones((0, 2)), []), "N >= 1"),
        (lambda: plot_embedding(np.ones((3, 2)), [-1, 0, 1], ["cat", "dog"]), "the first is -1"),
        (lambda: plot_embedding(np.ones((2, 2)), [0.0, 1.0]), "ints >= 0.*float64"),
        (lambda: plot_embedding(np.ones((2, 2)), [True, False]), "ints >= 0.*bool"),
        (lambda: plot_embedding(np.ones((2, 2)), ["cat", "dog"]), "ints >= 0.*<U3"),
        (lambda: plot_embedding(np.ones((2, 2)), [0, 2], ["cat", "dog"]), "3 classes need 3 names"),
    ],
)
def test_one_sentence_for_what_cannot_be_drawn(draw, message):
    with pytest.raises(InputError, match=message):
        draw()
