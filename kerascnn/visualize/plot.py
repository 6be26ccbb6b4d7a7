"""Pictures of networks, drawn by matplotlib without pyplot: nothing global is touched."""

from kerascnn.visualize.architecture import (
    MARGIN,
    NAME_SIZE,
    TEXT_SIZE,
    graph_layout,
    label,
)
from kerascnn.visualize.resolutions import stage_layout

__all__ = ["plot_graph", "plot_stages"]

FONT = "DejaVu Sans Mono"  # comes with matplotlib
INK, QUIET = "#22303c", "#5c6b78"
COLOURS = {  # part of a class's name: fill
    "Conv": "#cfe2f7",
    "Dense": "#d9d2f0",
    "RBF": "#d9d2f0",
    "Maxout": "#d9d2f0",
    "Pool": "#f9d9c8",
    "Subsampling": "#f9d9c8",
    "Add": "#cdebd3",
    "Join": "#cdebd3",
    "Average": "#cdebd3",
    "Concatenate": "#cdebd3",
    "Norm": "#fbf0c4",
    "BN": "#fbf0c4",
    "LU": "#fbf0c4",
}
OTHER = "#eceff2"
MAP_FACES = "#cfe2f7", "#e6f0fb", "#a9c7e6"  # front, top, side
UNIT_FACES = "#d9d2f0", "#ece8f8", "#bdb2e0"
HEAD = 0.1  # inches; an arrow ends straight


def plot_graph(model, first=None, last=None, path=None, *, input_shape=None):
    """Draw the layers between two layers of a model as boxes and arrows.

    Needs no graphviz. What is shown, and how it is placed: `graph_layout`.

    Args:
        model, first, last, input_shape: as for `graph_layout`.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: as `graph_layout`.

    >>> import kerascnn as kc
    >>> model = kc.models.GoogLeNet()
    >>> plot_graph(model, "pool2", "inception3a").axes[0].texts[0].get_text()
    'pool2'
    """
    drawing = graph_layout(model, first, last, input_shape=input_shape)
    figure, axes = _canvas(drawing.width, drawing.height)
    for arrow in drawing.arrows:
        _draw_arrow(axes, arrow.points)
    for box in drawing.boxes:
        _draw_box(axes, box)
    return _finished(figure, path)


def _canvas(width, height):
    """A figure whose axes are inches, y downwards."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def _finished(figure, path):
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _draw_box(axes, box):
    from matplotlib.patches import FancyBboxPatch

    corner = box.x - box.width / 2, box.y - box.height / 2
    axes.add_patch(
        FancyBboxPatch(
            corner,
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=_colour(box.kind),
            edgecolor=INK,
            linewidth=0.8,
        )
    )
    _write(axes, box.x, box.y - 0.085, box.layers[0], NAME_SIZE, weight="bold")
    _write(axes, box.x, box.y + 0.095, label(box.kind, box.output), TEXT_SIZE)


def _colour(kind):
    first = kind.partition(" ")[0]
    return next((colour for part, colour in COLOURS.items() if part in first), OTHER)


def _write(axes, x, y, text, size, **style):
    style = {"color": INK, "ha": "center", "va": "center", "family": FONT} | style
    axes.text(x, y, text, fontsize=size, parse_math=False, **style)


def _draw_arrow(axes, points):
    """Straight down where it can be, else an S that begins and ends downwards."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    corners, codes = [points[0]], [Path.MOVETO]
    for (x, y), (next_x, next_y) in zip(points, points[1:]):
        if x != next_x:
            end = next_y - HEAD
            corners += [(x, y + 0.7 * (end - y)), (next_x, end - 0.7 * (end - y)), (next_x, end)]
            codes += [Path.CURVE4] * 3
        corners.append((next_x, next_y))
        codes.append(Path.LINETO)
    axes.add_patch(
        FancyArrowPatch(
            path=Path(corners, codes),
            arrowstyle="-|>",
            mutation_scale=7,
            linewidth=0.9,
            color=INK,
            shrinkA=0,
            shrinkB=0,
        )
    )


def plot_stages(model, path=None, *, input_shape=None):
    """Draw a network as blocks, one for each resolution and dense layer, with their numbers below.

    What a stage is: `stages`; the sizes of the blocks: `stage_layout`.

    Args:
        model, input_shape: as for `stages`.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: as `stages`.

    >>> import kerascnn as kc
    >>> figure = plot_stages(kc.models.LeNet5())
    >>> [text.get_text() for text in figure.axes[0].texts][5:10]
    ['32x32x1', '-', '-', '-', 'image']
    """
    slabs = stage_layout(model, input_shape=input_shape)
    titles = ("output", "layers", "parameters", "multiply-adds", "last layer")
    left, top = 1.0, MARGIN + max(slab.height / 2 + slab.shift for slab in slabs)
    bottom = top + max(slab.height for slab in slabs) / 2 + 0.2
    width = left + sum(slab.room for slab in slabs) + MARGIN / 2
    figure, axes = _canvas(width, bottom + 0.16 * len(titles) + MARGIN)
    rows = [bottom + 0.16 * i for i in range(len(titles))]
    for y, title in zip(rows, titles):
        _write(axes, MARGIN, y, title, TEXT_SIZE, ha="left", color=QUIET)
    for slab in slabs:
        _draw_slab(axes, slab, left, top)
        for y, text in zip(rows, slab.texts):
            weight = "bold" if y == bottom else "normal"
            _write(axes, left + slab.centre, y, text, TEXT_SIZE, weight=weight)
    return _finished(figure, path)


def _draw_slab(axes, slab, left, middle):
    from matplotlib.patches import Polygon

    x, right = left + slab.left, left + slab.left + slab.width
    top, bottom, back = middle - slab.height / 2, middle + slab.height / 2, slab.shift
    faces = [
        [(x, top), (right, top), (right, bottom), (x, bottom)],
        [(x, top), (x + back, top - back), (right + back, top - back), (right, top)],
        [(right, top), (right + back, top - back), (right + back, bottom - back), (right, bottom)],
    ]
    colours = MAP_FACES if "x" in slab.texts[0] else UNIT_FACES
    for colour, corners in zip(colours, faces):
        axes.add_patch(
            Polygon(corners, facecolor=colour, edgecolor=INK, linewidth=0.8, joinstyle="round")
        )
