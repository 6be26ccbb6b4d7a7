"""The curves are the numbers of `fit`."""

import keras
import numpy as np
import pytest
from PIL import Image

import kerascnn as kc
from kerascnn.visualize import plot_history

X = np.linspace(-1, 1, 24, dtype="float32")[:, None]


def fitted(epochs=4, **options):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    rate = kc.callbacks.LearningRateLogger()
    return model.fit(X, X**2, epochs=epochs, verbose=0, callbacks=[rate], **options)


def test_a_panel_for_each_name(tmp_path):
    history = fitted(validation_split=0.2)
    figure = plot_history(history, tmp_path / "curves.png")
    panels = {axes.get_ylabel(): axes for axes in figure.axes}
    assert list(panels) == ["loss", "mae", "learning rate"]
    for name in ("loss", "mae"):
        training, validation = panels[name].lines[:2]
        np.testing.assert_allclose(training.get_ydata(), history.history[name])
        np.testing.assert_allclose(validation.get_ydata(), history.history[f"val_{name}"])
        assert training.get_xdata().tolist() == validation.get_xdata().tolist() == [1, 2, 3, 4]
        assert training.get_linestyle() == "--" and validation.get_linestyle() == "-"
    assert panels["learning rate"].get_yscale() == "log"
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["training", "validation"]
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width == 1800


def test_several_runs_and_validation_now_and_then():
    runs = {
        "all": fitted(validation_split=0.2).history,
        "half": fitted(6, validation_split=0.2, validation_freq=2),
    }
    axes = plot_history(runs).axes[0]
    half = axes.lines[3]
    assert half.get_xdata().tolist() == [2, 4, 6]
    np.testing.assert_allclose(half.get_ydata(), runs["half"].history["val_loss"])
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["all", "half", "training", "validation"]


def test_a_metric_for_each_class_is_left_out():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy", keras.metrics.F1Score()])
    history = model.fit(X, np.eye(2)[[0, 1] * 12], epochs=2, verbose=0)
    assert np.shape(history.history["f1_score"]) == (2, 2)
    for given in (history, history.history):
        assert {a.get_ylabel() for a in plot_history(given).axes} == {"accuracy", "loss"}
    with pytest.raises(kc.InputError, match="no curves to draw"):
        plot_history({"f1_score": history.history["f1_score"]})


def test_names_stand_as_they_are(tmp_path):
    runs = {name: {"$x_$": [2.0, 1.0]} for name in ("_first", "$5_10^$")}
    (axes,) = plot_history(runs, tmp_path / "curves.png").axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(runs)


def test_one_run_of_one_curve_needs_no_legend():
    assert plot_history({"loss": [3.0, float("nan"), 1.0]}).axes[0].get_legend() is None


@pytest.mark.parametrize(
    "history", [{}, None, {"loss": []}, {"first": {"loss": []}}, {"loss": ["low"]}, [1.0, 2.0]]
)
def test_bad_input(history):
    with pytest.raises(kc.InputError, match="There are no curves to draw: expected what `fit`"):
        plot_history(history)
