"""The picture of accuracy, operations and size."""

import math
import re

from kerascnn._errors import InputError, one_of

__all__ = ["plot_overview"]

DATA = ("ImageNet", "CIFAR-10", "MNIST")
LARGEST = 2600  # area in square points of the blob of the network with the most parameters


def plot_overview(rows, path=None, *, data="ImageNet"):
    """Draw accuracy over multiply-adds; the area of each blob is the number of parameters.

    Networks without a published top-1 error on `data` are left out. The axis of the operations is
    logarithmic. Power, which the paper shows too, is not measured.

    Source: Canziani, Paszke and Culurciello 2016, arXiv:1605.07678, Fig. 2. Differs from the paper:
    accuracies are those that the networks' papers print, with their own crops and scales, and a
    multiply-add is one operation.

    Args:
        rows: list of `Network`, as `overview` returns it.
        path: where to write the picture (.png, .svg or .pdf), or None.
        data: "ImageNet", "CIFAR-10" or "MNIST", what the accuracy is measured on.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        InputError: no row has a published error on `data`.

    >>> from kerascnn.overview import overview
    >>> figure = plot_overview([row for row in overview() if row.source == "kerascnn"])
    >>> figure.axes[0].get_xlabel()
    'multiply-adds for one image [10⁹]'
    """
    from matplotlib.figure import Figure

    one_of(data, DATA, "data")
    shown = [row for row in rows if row.data == data and row.top1_error is not None]
    if not shown:
        raise InputError(
            f"None of the {len(rows)} networks has a published top-1 error on {data}. "
            "Pass rows of overview()."
        )
    figure = Figure(figsize=(9, 6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    _draw_blobs(axes, shown)
    axes.set_xlabel("multiply-adds for one image [10⁹]")
    axes.set_ylabel(f"top-1 accuracy on {data}, as published [%]")
    _draw_names(figure, axes, shown)
    if path is not None:
        figure.savefig(path)
    return figure


def _draw_blobs(axes, rows):
    """A blob for each network, a colour for each family, and a key of the sizes."""
    from matplotlib import colormaps

    largest = max(row.parameters for row in rows)
    families = list(dict.fromkeys(map(_family, rows)))
    for row in rows:
        axes.scatter(
            row.multiply_adds / 1e9,
            100 - row.top1_error,
            LARGEST * row.parameters / largest,
            color=colormaps["tab20"](families.index(_family(row)) % 20),
            alpha=0.6,
            edgecolors="0.2",
            linewidths=0.5,
        )
    axes.legend(
        handles=[
            axes.scatter([], [], LARGEST * size / largest, color="0.8", label=f"{size / 1e6:g} M")
            for size in _round_sizes(largest)
        ],
        title="parameters",
        loc="lower right",
        labelspacing=2.4,
        handletextpad=2,
        borderpad=1.6,
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(0.12)
    axes.grid(alpha=0.3, which="both")
    axes.set_axisbelow(True)


def _round_sizes(largest):
    top = 10 ** math.floor(math.log10(largest))
    return top / 10, top / 2, top


def _family(row):
    return row.source, re.match(r"\D+", row.name)[0]


def _draw_names(figure, axes, rows):
    """Each name beside its blob, where it covers least; the smallest blobs choose first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is measured now stays where it is
    points = {row: (row.multiply_adds / 1e9, 100 - row.top1_error) for row in rows}
    pixel = figure.dpi / 72
    largest = max(row.parameters for row in rows)
    blobs = {}
    for row, point in points.items():
        x, y = axes.transData.transform(point)
        blobs[row] = x, y, pixel * math.sqrt(LARGEST * row.parameters / largest / math.pi)
    taken = [(x - r, y - r, x + r, y + r) for x, y, r in blobs.values()]
    taken.append(axes.get_legend().get_window_extent(renderer).extents)
    frame = axes.get_window_extent(renderer).extents
    for row in sorted(rows, key=lambda row: row.parameters):
        text = axes.annotate(
            row.name,
            points[row],
            (0, 0),
            textcoords="figure fraction",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "0.4"},
        )
        size = Text.get_window_extent(text, renderer).size  # without the line to the blob
        box = min(_boxes(*blobs[row], *size, pixel), key=lambda box: _covered(box, taken, frame))
        text.set_position((box[0] / figure.bbox.width, box[1] / figure.bbox.height))
        taken.append(box)


def _boxes(x, y, radius, width, height, pixel):
    """Boxes (left, bottom, right, top) of this size around a blob, the nearest and best first."""
    for distance in (3, 12, 24, 40):
        for degrees in (0, 90, 180, 270, 30, 150, 330, 210, 60, 120, 240, 300):
            away = radius + distance * pixel
            left = x + math.cos(math.radians(degrees)) * (away + width / 2) - width / 2
            bottom = y + math.sin(math.radians(degrees)) * (away + height / 2) - height / 2
            yield left, bottom, left + width, bottom + height


def _covered(box, taken, frame):
    """The area of what a box lies on, and of what is outside the frame."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return sum(_shared(box, other) for other in taken) + 10 * (area - _shared(box, frame))


def _shared(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)
