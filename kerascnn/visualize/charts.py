"""Charts of what a classifier does: confusions, calibration, an embedding of its features."""

import numpy as np

from kerascnn._errors import InputError
from kerascnn.visualize._legend import add_legend

__all__ = ["plot_confusion", "plot_embedding", "plot_reliability"]

_INK, _QUIET = "#22303c", "#8a8f98"
_BAR, _MISSING, _MORE = "#4a7fb5", "#e0a294", "#b9d0e6"
_NAMED = 20  # classes that a legend or the cells of a matrix can still tell apart


def plot_confusion(matrix, class_names=None, path=None):
    """Draw a confusion matrix: row true, column predicted, colour the share of the row.

    Up to 20 classes have their counts written in, those on the diagonal are right.

    Args:
        matrix: array (classes, classes) of counts, as `kerascnn.metrics.ConfusionMatrix` gives.
        class_names: list of str, or None for numbers.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: the matrix is not square, has negative entries, or other names than classes.

    >>> figure = plot_confusion([[8, 2], [0, 5]], ["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['8', '2', '0', '5']
    """
    counts = np.asarray(matrix, "float64")
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not (counts >= 0).all():
        raise InputError(
            f"A confusion matrix is square and holds counts. Received: shape {counts.shape}."
        )
    names = _names(class_names, len(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-30)
    side = min(max(2.5 + 0.42 * len(counts), 3.5), 12)
    figure, axes = _canvas((side + 0.7, side))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(counts)) if len(counts) <= 5 * _NAMED else []
    style = {"fontsize": 9 if len(counts) <= _NAMED else 5, "parse_math": False}
    axes.set_xticks(ticks, [names[i] for i in ticks], rotation=90, **style)
    axes.set_yticks(ticks, [names[i] for i in ticks], **style)
    axes.set(xlabel="predicted", ylabel="true")
    if len(counts) <= _NAMED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else _INK if count else _QUIET
            axes.text(column, row, f"{count:g}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the true class")
    return _finished(figure, path)


def plot_reliability(rows, path=None):
    """Draw accuracy against confidence, and how many samples each bin holds.

    The bars of a classifier that is right as often as it says end on the diagonal. Red is what they
    lack, pale what they have above it.

    Args:
        rows: list of `ReliabilityBin`, of `reliability`.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: `rows` is empty.

    >>> from kerascnn.visualize import reliability
    >>> rows = reliability([[0.9, 0.1], [0.2, 0.8]], [0, 0])
    >>> plot_reliability(rows).axes[0].get_title()
    'expected calibration error 0.45'
    """
    if not rows:
        raise InputError("There are no rows to draw. Pass what `reliability` returned.")
    filled = [row for row in rows if row.count]
    low, confidence, accuracy, count = (
        np.array([getattr(row, name) for row in filled])
        for name in ("low", "confidence", "accuracy", "count")
    )
    bars = {"width": rows[0].high - rows[0].low, "align": "edge", "edgecolor": "white"}
    gap = confidence - accuracy
    figure, (axes, below) = _canvas((4.6, 5.2), 2, sharex=True, height_ratios=(3, 1))
    axes.bar(low, accuracy, color=_BAR, label="accuracy", **bars)
    over, under = np.maximum(gap, 0), np.maximum(-gap, 0)
    axes.bar(low, over, bottom=accuracy, color=_MISSING, label="overconfident", **bars)
    axes.bar(low, under, bottom=confidence, color=_MORE, label="underconfident", **bars)
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    error = np.sum(count * np.abs(gap)) / np.sum(count)
    axes.set_title(f"expected calibration error {error:.2g}", fontsize=10)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    below.bar(low, count, color=_QUIET, **bars)
    below.set(xlabel="confidence", ylabel="samples")
    return _finished(figure, path)


def plot_embedding(points, labels, class_names=None, path=None, *, title=None):
    """Draw points in the plane, coloured by label: the figure of DeCAF.

    Source: Donahue et al. 2014, arXiv:1310.1531, Fig. 1.

    Args:
        points: array (N, 2), of `embed`; N >= 1.
        labels: int array (N,), class numbers from 0.
        class_names: list of str, or None for numbers. Up to 20 classes have a legend.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).
        title: str or None.

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: `points` has another shape, there are more or fewer labels, one that is no int
            >= 0, or fewer names than classes.

    >>> figure = plot_embedding(np.eye(3)[:, :2], [0, 1, 1], ["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['cat', 'dog']
    """
    points, labels = np.asarray(points), np.asarray(labels)
    if points.shape[1:] != (2,) or labels.shape != points.shape[:1] or not len(points):
        raise InputError(
            "Points have shape (N, 2) and labels (N,), N >= 1. "
            f"Received: {points.shape} and {labels.shape}."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError(
            "Labels are class numbers, ints >= 0: of others pass np.unique(labels, "
            f"return_inverse=True)[1]. Received: {labels.dtype}, the first is {labels[0]}."
        )
    present = np.unique(labels)
    names = _names(class_names, int(present.max()) + 1)
    figure, axes = _canvas((6.2, 4.8))
    clouds = []
    for i, label in enumerate(present):
        x, y = points[labels == label].T
        clouds.append(axes.scatter(x, y, 14, color=_colour(i, len(present)), linewidths=0))
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[["left", "bottom"]].set_visible(False)
    if len(present) <= _NAMED:
        place = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
        shown = [names[label] for label in present]
        add_legend(axes, clouds, shown, fontsize=8, markerscale=1.6, **place)
    if title is not None:
        axes.set_title(title, fontsize=10, parse_math=False)
    return _finished(figure, path)


def _colour(i, count):
    import matplotlib as mpl

    if count <= 10:
        return mpl.colormaps["tab10"](i)
    return mpl.colormaps["tab20"](i) if count <= 20 else mpl.colormaps["turbo"](i / (count - 1))


def _names(class_names, count):
    names = [str(i) for i in range(count)] if class_names is None else list(class_names)
    if len(names) < count:
        raise InputError(f"{count} classes need {count} names. Received: {len(names)}.")
    return names


def _canvas(size, rows=1, **options):
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=100, facecolor="white", layout="constrained")
    axes = figure.subplots(rows, **options)
    for one in np.atleast_1d(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finished(figure, path):
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
