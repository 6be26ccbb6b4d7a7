"""The histograms of a start, drawn by matplotlib without pyplot."""

import math

import numpy as np

from kerascnn._errors import InputError

__all__ = ["plot_initialization"]

_COLUMNS = 8
_FINE, _WRONG, _GRADIENT = "#4a7fb5", "#c8553d", "#8a8f98"


def plot_initialization(rows, path=None, *, title=None):
    """Draw what `kerascnn.doctor.audit_initialization` found: a column of histograms a layer.

    Above are the outputs, blue where the layer is fine and red where not, with mean and standard
    deviation; below, where the layer has a kernel, the gradient of the loss by it. Each histogram
    has its own scale.

    Args:
        rows: list of `LayerStart`.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).
        title: str or None.

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: `rows` is empty.

    >>> import keras
    >>> from kerascnn.doctor import audit_initialization
    >>> model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(9, "tanh", name="fc1"),
    ...                           keras.layers.Dense(3, name="fc2")])
    >>> rows = audit_initialization(model, np.eye(9))
    >>> plot_initialization(rows).axes[0].get_title().splitlines()[0]
    'fc1: fine'
    """
    from matplotlib.figure import Figure

    if not rows:
        raise InputError("There are no rows to draw. Pass what `audit_initialization` returned.")
    bands, columns = math.ceil(len(rows) / _COLUMNS), min(len(rows), _COLUMNS)
    figure = Figure(figsize=(2 * columns + 0.6, 3.6 * bands + 0.3), dpi=100, layout="constrained")
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for i, row in enumerate(rows):
        band, column = divmod(i, _COLUMNS)
        colour = _FINE if row.verdict == "fine" else _WRONG
        text = f"{row.layer}: {row.verdict}\n{row.mean:.2g} ± {row.std:.2g}"
        _draw(grid[2 * band, column], row.activations, colour, text)
        if row.gradients is not None:
            gradient = f"gradient\n± {row.gradient_std:.2g}"
            _draw(grid[2 * band + 1, column], row.gradients, _GRADIENT, gradient)
    if title is not None:
        figure.suptitle(title, fontsize=11, parse_math=False)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _draw(axes, histogram, colour, text):
    counts, edges = map(np.asarray, histogram)
    axes.set_axis_on()
    axes.stairs(counts, edges, fill=True, color=colour)
    axes.set_title(text, fontsize=8, parse_math=False)
    axes.set_yticks([])
    axes.set_xticks([edges[0], edges[-1]], [f"{edge:.2g}" for edge in edges[[0, -1]]], fontsize=7)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
