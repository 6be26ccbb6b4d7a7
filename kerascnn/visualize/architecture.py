"""The graph of a network as plain numbers: boxes and arrows, placed."""

from collections import Counter
from dataclasses import dataclass

import keras

from kerascnn._calls import calls
from kerascnn._errors import InputError
from kerascnn.visualize._layout import place
from kerascnn.visualize._paths import between, inputs, makers, named, sources_of

__all__ = ["Arrow", "Box", "Drawing", "graph_layout"]

MOST_BOXES = 400
BOX_HEIGHT, ROW_HEIGHT, MARGIN = 0.42, 0.8, 0.15  # inches
LETTER = 0.602  # width of a letter of DejaVu Sans Mono, in units of its size
NAME_SIZE, TEXT_SIZE = 8, 7  # points
FOLDED = {  # what stands in the box of the layer that it alone follows
    "Activation",
    "BatchNormalization",
    "Dropout",
    "ELU",
    "LayerNormalization",
    "LeakyReLU",
    "PReLU",
    "RandomizedReLU",
    "ReLU",
}


@dataclass(frozen=True)
class Box:
    """A layer in a picture: centre and size in inches, from the upper left corner.

    Attributes:
        layers: tuple of str: the name of the layer, then of the normalisation, activation and
            dropout that follow it.
        kind: str, their classes, and what matters of the options: "Conv2D 3x3/2 + BN + ReLU".
        output: str, the output without the batch axis: "56x56x64".
        x, y, width, height: floats.
    """

    layers: tuple
    kind: str
    output: str
    x: float
    y: float
    width: float
    height: float = BOX_HEIGHT


@dataclass(frozen=True)
class Arrow:
    """What flows from a box to another.

    Attributes:
        source, target: ints, positions in the boxes of the drawing.
        points: tuple of (x, y) in inches that the arrow passes, from the lower edge of the source
            to the upper edge of the target.
    """

    source: int
    target: int
    points: tuple


@dataclass(frozen=True)
class Drawing:
    """A graph as boxes and arrows, `width` x `height` inches."""

    boxes: tuple
    arrows: tuple
    width: float
    height: float


def graph_layout(model, first=None, last=None, *, input_shape=None):
    """The layers between two layers of a model, placed as boxes with arrows, top to bottom.

    Shown is what lies on a path from `first` to `last`, both included. Rows are by longest path,
    parallel branches side by side in the order in which their join reads them. Normalisation,
    activation and dropout are in the box of the layer that they follow, unless another layer reads
    it too. What only steers and is no map or vector of the images (`kerascnn.layers.FractalPath`)
    is left out.

    Args:
        model: functional or `Sequential` `keras.Model`.
        first: str or None. The name of a layer; None is every input.
        last: str or None. The name of a layer behind it; None is every output.
        input_shape: (H, W, C) for a model that takes any size, or None.

    Returns:
        `Drawing`.

    Raises:
        InputError: there is no such layer, no path, or more than 400 boxes to show.

    >>> import kerascnn as kc
    >>> drawing = graph_layout(kc.models.CifarResNet20(), "stem_relu", "stage1_block1_out")
    >>> [box.kind for box in drawing.boxes]
    ['ReLU', 'Conv2D 3x3 + BN + ReLU', 'Conv2D 3x3 + BN', 'Add + ReLU']
    >>> [(arrow.source, arrow.target) for arrow in drawing.arrows]
    [(0, 1), (1, 2), (0, 3), (2, 3)]
    """
    found, outputs = calls(model, input_shape)
    starts = named(found, first, inputs(found))
    kept = between(sources_of(found), starts, named(found, last, makers(found, outputs)))
    if not kept:
        raise InputError(f"No path leads from {first!r} to {last!r}: swap them, or choose others.")
    groups, sources = _folded(found, kept)
    if len(groups) > MOST_BOXES:
        raise InputError(
            f"A picture shows at most {MOST_BOXES} boxes. {model.name!r} has {len(groups)} "
            f"between first={first!r} and last={last!r}. Choose two layers closer to each other."
        )
    texts = [_texts([found[i] for i in group]) for group in groups]
    rows, centres, bends = place(sources, [_box_width(*text) for text in texts])
    return _drawing(texts, sources, rows, centres, bends)


def _folded(found, kept):
    """The calls of each box, and the boxes that each reads."""
    readers = Counter(source for read in kept.values() for source in read)
    box, groups, sources = {}, [], []
    for call, read in kept.items():
        read = [source for source in read if source in kept]
        follows = type(found[call].inner_layer).__name__ in FOLDED and len(read) == 1
        if follows and readers[read[0]] == 1:
            box[call] = box[read[0]]
            groups[box[call]].append(call)
        else:
            box[call] = len(groups)
            groups.append([call])
            sources.append([box[source] for source in read])
    return groups, sources


def _texts(calls):
    """(names, kind, output) of the calls in one box."""
    layers = [part for call in calls for part in _parts(call.inner_layer)]
    output = ", ".join(by(tensor.shape[1:]) for tensor in calls[-1].outputs)
    return tuple(call.name for call in calls), " + ".join(map(_kind, layers)), output


def _parts(layer):
    return layer.layers if type(layer).__name__ == "Pipeline" else [layer]


def _kind(layer):
    """ "Conv2D 3x3/2, 32 groups, relu"."""
    text = {"BatchNormalization": "BN"}.get(name := type(layer).__name__, name)
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    stride = max(keras.tree.flatten(getattr(layer, "strides", 1) or 1))
    text += f" {by(size)}" if size else ""
    text += f"/{stride}" if stride > 1 else ""
    text += f", {layer.groups} groups" if getattr(layer, "groups", 1) > 1 else ""
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return text + (f", {activation}" if activation != "linear" else "")


def by(sizes):
    """ "56x56x64"; of a single number, the side of a window, "3x3"."""
    return "x".join(map(str, sizes if hasattr(sizes, "__len__") else (sizes, sizes)))


def text_width(text, size):
    """Inches, of DejaVu Sans Mono."""
    return len(text) * size * LETTER / 72


def _box_width(names, kind, output):
    widths = text_width(names[0], NAME_SIZE), text_width(label(kind, output), TEXT_SIZE)
    return max(widths) + 0.16


def label(kind, output):
    """The second line in a box."""
    return f"{kind} · {output}"


def _drawing(texts, sources, rows, centres, bends):
    widths = [_box_width(*text) for text in texts]
    left = min(
        [x - w / 2 for x, w in zip(centres, widths)]
        + [x for bend in bends.values() for _, x in bend]
    )
    half = BOX_HEIGHT / 2

    def at(row, x):
        return round(x - left + MARGIN, 4), round(MARGIN + half + row * ROW_HEIGHT, 4)

    boxes = [
        Box(*text, *at(row, x), round(width, 4))
        for text, row, x, width in zip(texts, rows, centres, widths)
    ]
    arrows = []
    for target, read in enumerate(sources):
        for source in read:
            passed = [at(row, x) for row, x in bends.get((source, target), [])]
            points = [(boxes[source].x, boxes[source].y + half)]
            points += [(x, y + side) for x, y in passed for side in (-half, half)]
            points += [(boxes[target].x, boxes[target].y - half)]
            arrows.append(Arrow(source, target, tuple(points)))
    right = max([b.x + b.width / 2 for b in boxes] + [x for a in arrows for x, _ in a.points])
    height = max(box.y for box in boxes) + half + MARGIN
    return Drawing(tuple(boxes), tuple(arrows), round(right + MARGIN, 4), round(height, 4))
