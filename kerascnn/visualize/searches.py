"""Pictures of a hyperparameter search: what mattered, and where the good trials lie."""

import numpy as np

from kerascnn._errors import InputError

__all__ = ["plot_importance", "plot_parallel_coordinates"]

_INK, _BAR, _BEST = "#22303c", "#4a7fb5", "#c8553d"
_WIDE = 20  # times the smallest value, from which a logarithm is in question
_ABSENT = -0.09  # height at which trials pass an axis whose hyperparameter they do not have


def plot_importance(shares, path=None):
    """Draw which share of the scores' variance each hyperparameter explains.

    Args:
        shares: {hyperparameter: share}, as `kerascnn.search.importance` returns.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: `shares` is empty.

    >>> figure = plot_importance({"batch_size": 0.02, "learning_rate": 0.81})
    >>> [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    ['learning_rate', 'batch_size']
    """
    if not shares:
        raise InputError("There are no shares to draw. Pass what `importance` returned.")
    names = sorted(shares, key=shares.get, reverse=True)
    values = [shares[name] for name in names]
    figure, axes = _canvas(6, 0.9 + 0.3 * len(names))
    axes.spines[["top", "right"]].set_visible(False)
    bars = axes.barh(range(len(names)), values, height=0.7, color=_BAR)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.bar_label(bars, [f"{value:.0%}" for value in values], padding=3, color=_INK, fontsize=8)
    axes.set(xlim=(0, max(1, *values) * 1.08), xlabel="share of the scores' variance")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.invert_yaxis()
    return _finished(figure, path)


def plot_parallel_coordinates(trials, objective="score", path=None):
    """Draw each trial as a line through the values of its hyperparameters to its score.

    An axis is logarithmic where the largest value is 20 times the smallest or more, and half of the
    values are in the lowest third; values that are no numbers stand by name. A trial that lacks a
    hyperparameter passes under its axis. The best trial is drawn last, and red; for an objective
    whose name ends in "loss" that is the lowest.

    Source: Inselberg 1985, "The plane with parallel coordinates".

    Args:
        trials: list of dicts with "values" ({hyperparameter: value}), "score" and "metrics", as
            `kerascnn.search.trials` returns. Those without the objective are counted, not drawn.
        objective: "score", or the name of a metric.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: no trial has the objective.

    >>> rows = [{"values": {"rate": rate}, "score": 1 - rate} for rate in (0.001, 0.01, 0.1)]
    >>> figure = plot_parallel_coordinates(rows)
    >>> [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    ['rate', 'score']
    """
    rows = [(row["values"], _value(row, objective)) for row in trials]
    rows = [(values, score) for values, score in rows if score is not None and np.isfinite(score)]
    if not rows:
        raise InputError(f"None of {len(trials)} trials has a {objective!r} to draw.")
    lowest = _is_loss(trials, objective)
    names = _names(rows)
    rows = sorted(rows[::-1], key=lambda row: row[1], reverse=lowest)  # the best is last, on top
    columns = [[values.get(name) for values, _ in rows] for name in names]
    columns.append([score for _, score in rows])
    figure, axes = _canvas(1.6 + 1.15 * len(names), 4.2)
    heights = [_axis(axes, x, column) for x, column in enumerate(columns)]
    _lines(figure, axes, np.stack(heights, axis=1), columns[-1], objective)
    style = {"rotation": 25, "ha": "right", "fontsize": 9, "parse_math": False}
    axes.set_xticks(range(len(columns)), [*names, objective], **style)
    axes.tick_params(length=0)
    axes.set(yticks=[], xlim=(-0.35, len(columns) - 0.5), ylim=(_ABSENT - 0.04, 1.04))
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    left_out = len(trials) - len(rows)
    without = f", {left_out} without {objective!r} left out" if left_out else ""
    axes.set_title(f"{len(rows)} trials{without}", fontsize=10, parse_math=False)
    return _finished(figure, path)


def _value(row, objective):
    return row["score"] if objective == "score" else row.get("metrics", {}).get(objective)


def _is_loss(trials, objective):
    """Whether lower is better: of a score, if it is the loss among the trial's metrics."""
    if objective != "score":
        return objective.endswith("loss")
    scored = [row for row in trials if row["score"] is not None and row.get("metrics")]
    same = [{k for k, v in row["metrics"].items() if v == row["score"]} for row in scored]
    names = set.intersection(*same) if same else set()
    return bool(names) and all(name.endswith("loss") for name in names)


def _names(rows):
    """All hyperparameters; one that not all trials have stands beside its neighbour there."""
    names = []
    for values, _ in rows:
        place = 0
        for name in values:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return names


def _axis(axes, x, values):
    """Draw the axis at `x` with its ticks: where the values stand on it, from 0 to 1."""
    known = [value for value in values if value is not None]
    place, ticks = _scale(known)
    ticks = {place(value): text for value, text in ticks.items()}
    if len(known) < len(values):
        ticks[_ABSENT] = "absent"
    axes.plot([x, x], [0, 1], color=_INK, linewidth=0.8)
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    label = {"ha": "right", "va": "center", "fontsize": 7, "bbox": box, "zorder": 5}
    for height, text in ticks.items():
        axes.plot([x - 0.03, x], [height, height], color=_INK, linewidth=0.8)
        axes.text(x - 0.05, height, text, parse_math=False, **label)
    return np.array([_ABSENT if value is None else place(value) for value in values])


def _scale(values):
    """(function value -> height from 0 to 1, {value: text of its tick})."""
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        levels = sorted(set(values), key=str)
        heights = {level: (i + 0.5) / len(levels) for i, level in enumerate(levels)}
        return heights.get, {level: str(level) for level in levels}
    low, high = min(values), max(values)
    if low == high:
        return lambda value: 0.5, {low: f"{low:.3g}"}
    by_size = low > 0 and high >= _WIDE * low and np.median(values) < (low + high) / 3
    spread = np.log if by_size else float
    span = spread(high) - spread(low)
    distinct = sorted(set(values))
    if len(distinct) > 5:
        distinct = np.linspace(low, high, 5) if spread is float else np.geomspace(low, high, 5)
    return lambda value: (spread(value) - spread(low)) / span, {v: f"{v:.3g}" for v in distinct}


def _lines(figure, axes, heights, scores, objective):
    from matplotlib.collections import LineCollection

    paths = [np.column_stack([np.arange(len(row)), row]) for row in heights]
    lines = LineCollection(
        paths, array=scores, cmap="viridis", linewidths=1.2, alpha=0.75, zorder=2
    )
    axes.add_collection(lines)
    axes.plot(*paths[-1].T, color=_BEST, linewidth=2.4, zorder=3)
    figure.colorbar(lines, ax=axes, pad=0.01).set_label(objective, parse_math=False)


def _canvas(width, height):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, facecolor="white", layout="constrained")
    return figure, figure.add_subplot()


def _finished(figure, path):
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
