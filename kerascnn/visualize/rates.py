"""Pictures of learning rates: schedules before training, and a range test after it."""

import numpy as np

from kerascnn._errors import InputError
from kerascnn.schedules import simulate
from kerascnn.visualize._legend import add_legend

__all__ = ["plot_range_test", "plot_schedules"]

INK = "#22303c"


def plot_schedules(schedules, steps, path=None):
    """Draw learning rates by step, before anything is trained.

    Args:
        schedules: a Keras schedule, or {label: schedule or float} for several.
        steps: int >= 1, from step 0.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: there is no schedule, or `steps` is below 1.

    >>> import keras
    >>> figure = plot_schedules({"cosine": keras.optimizers.schedules.CosineDecay(0.1, 100)}, 100)
    >>> figure.axes[0].get_xlabel()
    'step'
    """
    named = schedules if isinstance(schedules, dict) else {"": schedules}
    if not named:
        raise InputError("There is no schedule to draw. Pass one, or {label: schedule}.")
    figure, axes = _canvas("step", "learning rate")
    lines = [
        axes.plot(np.arange(steps), simulate(schedule, steps))[0] for schedule in named.values()
    ]
    axes.set_ylim(bottom=0)
    if any(named):
        add_legend(axes, lines, named)
    return _finished(figure, path)


def plot_range_test(test, path=None):
    """Draw the losses of a learning rate range test over the rates, and what it suggests.

    Args:
        test: `kerascnn.callbacks.LearningRateRangeTest` after its `fit`.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: the test has seen too few steps.

    >>> import types
    >>> rates = np.geomspace(1e-4, 1, 20)
    >>> test = types.SimpleNamespace(rates=rates, losses=(rates - 0.1) ** 2, suggestion=0.01)
    >>> plot_range_test(test).axes[0].get_xscale()
    'log'
    """
    suggestion = test.suggestion  # an InputError if there is none
    figure, axes = _canvas("learning rate", "loss of the step")
    axes.plot(test.rates, test.losses, marker=".", linewidth=1)
    axes.axvline(suggestion, color=INK, linestyle="--", linewidth=1, label=f"use {suggestion:.2g}")
    axes.set_xscale("log")
    start = float(np.median(test.losses[:5]))
    axes.set_ylim(0, max(2 * start, float(np.min(test.losses)) * 1.1))
    axes.legend(frameon=False)
    return _finished(figure, path)


def _canvas(x, y):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), dpi=100, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finished(figure, path):
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
