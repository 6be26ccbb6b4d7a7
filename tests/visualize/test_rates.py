"""The curves are the numbers."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import LearningRateRangeTest
from kerascnn.visualize import plot_range_test, plot_schedules

S = keras.optimizers.schedules


def test_schedules(tmp_path):
    named = {"constant": 0.05, "warm-up, cosine": kc.schedules.WarmUp(S.CosineDecay(0.1, 90), 10)}
    figure = plot_schedules(named, 100, tmp_path / "rates.png")
    for line, schedule in zip(figure.axes[0].lines, named.values()):
        np.testing.assert_array_equal(line.get_ydata(), kc.schedules.simulate(schedule, 100))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == list(named)
    assert (tmp_path / "rates.png").stat().st_size > 5000
    assert plot_schedules(S.CosineDecay(0.1, 9), 9).axes[0].get_legend() is None


def test_names_of_schedules_stand_as_they_are(tmp_path):
    named = {"_low": 0.01, "$x_$": 0.1}
    legend = plot_schedules(named, 9, tmp_path / "rates.png").axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(named)


def test_range_test(tmp_path):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    test = LearningRateRangeTest(1e-4, 10.0, 60)
    model.fit(x, x.sum(1), epochs=20, callbacks=[test], verbose=0)
    axes = plot_range_test(test, tmp_path / "test.png").axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), test.rates)
    assert axes.lines[1].get_xdata()[0] == test.suggestion
    assert axes.get_legend().get_texts()[0].get_text() == f"use {test.suggestion:.2g}"


def test_bad_input():
    with pytest.raises(kc.InputError, match="no schedule to draw"):
        plot_schedules({}, 9)
    with pytest.raises(kc.InputError, match="has seen 0 steps"):
        plot_range_test(LearningRateRangeTest())
