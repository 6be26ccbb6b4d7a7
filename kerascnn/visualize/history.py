"""The curves of a training: losses, metrics and rates by epoch."""

import math

import numpy as np

from kerascnn._errors import InputError
from kerascnn.visualize._legend import add_legend

__all__ = ["plot_history"]

COLUMNS = 4
TRAINING, VALIDATION = {"linestyle": "--", "linewidth": 1.2}, {"linewidth": 2.2}


def plot_history(history, path=None):
    """Draw what `fit` returned: a panel for each loss, metric and rate, a colour for each run.

    Training is dashed, validation bold. The gap between them is what the network knows by heart of
    its training images; both high is too small a network, too short a training or another rate.
    Keras measures training while the weights change, with dropout and augmentation: it may be the
    worse of the two.

    Args:
        history: `keras.callbacks.History`, its dict {name: one number an epoch}, or {label: one of
            these} for several runs. Metrics of several numbers an epoch, as a score for each class,
            are left out. With `validation_freq` the points of validation are spread evenly over the
            epochs.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it. Panels are in the order of the names.

    Raises:
        InputError: there is no curve, or `history` is none of these.

    >>> run = {"loss": [2.0, 1.0], "val_loss": [2.1, 1.4], "accuracy": [0.3, 0.6]}
    >>> [axes.get_ylabel() for axes in plot_history({"first": run, "second": run}).axes]
    ['loss', 'accuracy']
    """
    from matplotlib.figure import Figure

    runs = _runs(history)
    names = list(dict.fromkeys(name.removeprefix("val_") for run in runs.values() for name in run))
    columns = min(len(names), COLUMNS)
    shape = (math.ceil(len(names) / columns), columns)
    figure = Figure(
        figsize=(4 * columns, 3 * shape[0]), dpi=100, facecolor="white", layout="constrained"
    )
    panels = figure.subplots(*shape, squeeze=False).ravel()
    for axes, name in zip(panels, names):
        for number, run in enumerate(runs.values()):
            _draw(axes, run, name, f"C{number}")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "), parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[len(names) :]:
        axes.remove()
    _legend(panels[0], runs)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _draw(axes, run, name, color):
    epochs = max(map(len, run.values()))
    for key, style in ((name, TRAINING), (f"val_{name}", VALIDATION)):
        if key in run:
            values = run[key]
            x = np.linspace(epochs / len(values), epochs, len(values))
            axes.plot(x, values, color=color, marker="." * (epochs < 30), **style)
    if name.startswith("learning_rate"):
        axes.set_yscale("log")


def _legend(axes, runs):
    """What colours mean where there are several runs, and what lines mean where there are both."""
    entries = []
    if list(runs) != [""]:
        entries = [(label, {"color": f"C{number}"}) for number, label in enumerate(runs)]
    if any(name.startswith("val_") for run in runs.values() for name in run):
        entries.append(("training", {"color": "grey", **TRAINING}))
        entries.append(("validation", {"color": "grey", **VALIDATION}))
    if entries:
        handles = [axes.plot([], [], **style)[0] for _, style in entries]
        add_legend(axes, handles, [label for label, _ in entries])


def _runs(history):
    """{label: {name: float array}}; the label of a run that stands alone is ""."""
    if isinstance(history, dict) and not any(map(_is_numbers, history.values())):
        return {str(label): _run(one) for label, one in history.items()} or _run(None)
    return {"": _run(history)}


def _run(history):
    found = getattr(history, "history", history)
    if isinstance(found, dict):
        found = {name: values for name, values in found.items() if _is_numbers(values)}
    if not isinstance(found, dict) or not found:
        raise InputError(
            "There are no curves to draw: expected what `fit` returns after an epoch or more, its "
            f"dict of lists of numbers, or {{label: one of these}}. Received: {history!r}."
        )
    return {name: np.asarray(values, "float64") for name, values in found.items()}


def _is_numbers(values):
    """Whether these are one number an epoch, of one epoch at least."""
    try:
        return np.asarray(values, "float64").ndim == 1 and len(values) > 0
    except (TypeError, ValueError):
        return False
