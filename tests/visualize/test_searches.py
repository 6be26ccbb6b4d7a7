"""Pictures of a search show the trials that they are given."""

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.visualize import plot_importance, plot_parallel_coordinates

BEST = "#c8553d"


def trial(score, **values):
    return {"values": values, "score": score, "metrics": {"val_loss": 2.0, "val_accuracy": score}}


@pytest.fixture
def rows():
    """Nine with rates from 0.0001 to 1; momentum is there with SGD only; one failed."""
    rates, rows = 10.0 ** -np.arange(4.0, -0.5, -0.5), []
    for i, rate in enumerate(rates):
        sgd = {"optimizer": "sgd", "momentum": 0.1 * i} if i % 2 else {"optimizer": "adamw"}
        rows.append(trial(0.5 + 0.04 * i, rate=float(rate), **sgd, batch_size=32 * 2 ** (i % 3)))
    return [*rows, trial(None, rate=3.0, optimizer="sgd", momentum=0.5, batch_size=32)]


def lines(figure):
    """{score: heights}; the last one is the best, drawn again."""
    (collection,) = figure.axes[0].collections
    paths = [path.vertices[:, 1] for path in collection.get_paths()]
    return dict(zip(collection.get_array().tolist(), paths))


def labels(figure):
    return [tick.get_text() for tick in figure.axes[0].get_xticklabels()]


def texts(figure, axis):
    """{height: text} of the ticks beside an axis."""
    found = [text for text in figure.axes[0].texts if axis - 1 < text.get_position()[0] < axis]
    return {round(float(text.get_position()[1]), 3): text.get_text() for text in found}


def test_each_trial_is_a_line_through_its_values(rows, tmp_path):
    figure = plot_parallel_coordinates(rows, path=tmp_path / "search.png")
    assert labels(figure) == ["rate", "optimizer", "momentum", "batch_size", "score"]
    found = lines(figure)
    assert len(found) == 9
    heights = np.array([found[row["score"]] for row in rows[:-1]])
    np.testing.assert_allclose(heights[:, 0], np.linspace(0, 1, 9), atol=1e-9)  # log
    np.testing.assert_allclose(heights[:, 1], [0.25, 0.75] * 4 + [0.25])  # by name
    assert (heights[::2, 2] < 0).all() and (heights[1::2, 2] >= 0).all()  # absent
    np.testing.assert_allclose(heights[:, 3], [0, 1 / 3, 1] * 3)  # linear
    np.testing.assert_allclose(heights[:, 4], np.linspace(0, 1, 9), atol=1e-9)
    assert texts(figure, 1) == {0.25: "adamw", 0.75: "sgd"}
    assert texts(figure, 2)[-0.09] == "absent"
    assert texts(figure, 0)[0.0] == "0.0001" and texts(figure, 0)[1.0] == "1"
    assert figure.axes[0].get_title() == "9 trials, 1 without 'score' left out"
    assert (tmp_path / "search.png").stat().st_size > 1000


def test_names_stand_as_they_are(tmp_path):
    rows = [{"values": {"$a_$": "$x_$"}, "score": 1.0, "metrics": {"$b_$": 1.0}}, trial(None)]
    figure = plot_parallel_coordinates(rows, "$b_$", tmp_path / "search.png")
    assert labels(figure) == ["$a_$", "$b_$"] and texts(figure, 0) == {0.5: "$x_$"}
    assert [axes.get_ylabel() for axes in figure.axes] == ["", "$b_$"]
    figure = plot_importance({"$a_$": 0.3}, tmp_path / "importance.png")
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["$a_$"]


@pytest.mark.parametrize(("objective", "best"), [("score", 0.82), ("val_accuracy", 0.82)])
def test_the_best_is_drawn_over_all_others(rows, objective, best):
    figure = plot_parallel_coordinates(rows, objective)
    (line,) = [line for line in figure.axes[0].lines if line.get_color() == BEST]
    found = lines(figure)
    assert list(found)[-1] == pytest.approx(best) == max(found)
    np.testing.assert_array_equal(line.get_ydata(), found[list(found)[-1]])


def test_of_a_loss_the_lowest_is_the_best(rows):
    for row in rows[:-1]:
        row["metrics"] = {"val_loss": row["score"], "val_accuracy": 0.3}
    assert list(lines(plot_parallel_coordinates(rows)))[-1] == 0.5
    assert list(lines(plot_parallel_coordinates(rows, "val_loss")))[-1] == 0.5


def test_of_equal_ones_the_first_is_the_best():
    rows = [trial(0.9, rate=1.0), trial(0.9, rate=2.0), trial(0.5, rate=3.0)]
    for given in (rows, rows[::-1]):
        (line,) = [
            x for x in plot_parallel_coordinates(given).axes[0].lines if x.get_color() == BEST
        ]
        assert line.get_ydata()[0] == pytest.approx(0.0 if given is rows else 0.5)


def test_draws_that_are_even_stand_on_a_linear_axis():
    values = np.linspace(0.01, 0.5, 12)
    rows = [trial(i / 12, dropout=float(value), same=3) for i, value in enumerate(values)]
    heights = np.array(list(lines(plot_parallel_coordinates(rows)).values()))
    np.testing.assert_allclose(heights[:, 0], np.linspace(0, 1, 12), atol=1e-9)
    assert (heights[:, 1] == 0.5).all()


def test_bars_of_importance(tmp_path):
    shares = {"small": 0.1, "large": 0.7, "none": 0.0}
    figure = plot_importance(shares, path=tmp_path / "importance.png")
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["large", "small", "none"]
    assert [bar.get_width() for bar in axes.patches] == [0.7, 0.1, 0.0]
    assert [text.get_text() for text in axes.texts] == ["70%", "10%", "0%"]
    assert axes.yaxis_inverted() and (tmp_path / "importance.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_importance({}), "no shares"),
        (lambda: plot_parallel_coordinates([trial(None, x=1)]), "None of 1 trials has a 'score'"),
        (lambda: plot_parallel_coordinates([trial(1.0, x=1)], "f1"), "'f1' to draw"),
    ],
)
def test_one_sentence_for_what_cannot_be_drawn(draw, message):
    with pytest.raises(InputError, match=message):
        draw()
