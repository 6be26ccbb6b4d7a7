"""The stages of a network, and the blocks that show them, as plain numbers."""

import math
from dataclasses import dataclass

from kerascnn._calls import calls
from kerascnn.arithmetic import analyze
from kerascnn.visualize._paths import between, inputs, makers, sources_of
from kerascnn.visualize.architecture import TEXT_SIZE, by, text_width

__all__ = ["Slab", "Stage", "stage_layout", "stages"]

TALLEST, DEPTH = 1.6, 0.25  # inches of the image; share of a size that is seen askew


@dataclass(frozen=True)
class Stage:
    """What a network does at one resolution.

    Attributes:
        name: str, of the last layer, whose output is all that later stages read.
        output_shape: tuple, (H, W, C), or (units,) of a dense layer.
        num_layers: int, convolution and dense layers.
        parameters: int.
        multiply_adds: int, for one image.
    """

    name: str
    output_shape: tuple
    num_layers: int
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Slab:
    """A stage in a picture, in inches: a block whose front is `width` x `height`.

    Attributes:
        texts: tuple of str: output, layers, parameters, multiply-adds and last layer of the stage.
        left, width, height: floats, of its front; all fronts are centred on one line.
        shift: float, how far its back stands to the right and above.
        centre: float, where its texts stand.
        room: float, the width of what is its own, block and texts.
    """

    texts: tuple
    left: float
    width: float
    height: float
    shift: float
    centre: float
    room: float


def stages(model, *, input_shape=None):
    """The resolutions that an image goes through, from the image to the model's (first) output.

    A stage ends with the last layer of its resolution whose output is all that follows reads: the
    sum of a residual block, the concatenation of an inception module. Dense layers are stages of
    their own; padding, flattening and global pooling are none.

    Args:
        model: functional or `Sequential` `keras.Model`.
        input_shape: (H, W, C) for a model that takes any size, or None.

    Returns:
        List of `Stage`, the image first.

    Raises:
        InputError: the model is not functional, or its input size is not known.

    >>> import kerascnn as kc
    >>> [(stage.name, stage.output_shape) for stage in stages(kc.models.LeNet5())][1:4]
    [('c1', (28, 28, 6)), ('s2', (14, 14, 6)), ('c3', (10, 10, 16))]
    """
    found, outputs = calls(model, input_shape)
    counts = analyze(model, input_shape).layers
    sources = between(sources_of(found), inputs(found), makers(found, outputs[:1]))
    return _grouped([counts[i] for i in sources], _cuts(sources))


def _cuts(sources):
    """Of each call whether all behind it reads what is before it through it alone."""
    order = {call: i for i, call in enumerate(sources)}
    reach = list(range(len(order)))  # the last reader of each
    for call, read in sources.items():
        for source in read:
            reach[order[source]] = max(reach[order[source]], order[call])
    return [max(reach[:i], default=0) <= i for i in range(len(reach))]


def _grouped(counts, cuts):
    """The stages, from the counts of each call and whether it is a cut."""
    found, waiting = [], []
    for layer, is_cut in zip(counts, cuts):
        waiting.append(layer)
        shape = layer.output_shape
        is_map = len(shape) > 1 and isinstance(shape[0], int) and "Padding" not in layer.kind
        if found and not (is_cut and (is_map or layer.multiply_adds)):
            continue
        joined = len(found) > 1 and is_map and found[-1].output_shape[:-1] == shape[:-1]
        before = found.pop() if joined else Stage("", (), 0, 0, 0)
        found.append(
            Stage(
                layer.name,
                shape,
                before.num_layers + sum(1 for part in waiting if part.multiply_adds),
                before.parameters + sum(part.parameters for part in waiting),
                before.multiply_adds + sum(part.multiply_adds for part in waiting),
            )
        )
        waiting = []
    return found


def stage_layout(model, *, input_shape=None):
    """The stages of a model as blocks side by side: the classic picture of a network.

    Heights grow with the square root of H, depths with that of W, widths with the logarithm of the
    number of channels, so that both 224x224x3 and 7x7x2048 can be seen.

    Args:
        model, input_shape: as for `stages`.

    Returns:
        List of `Slab`, the image first.

    >>> import kerascnn as kc
    >>> [round(slab.height, 2) for slab in stage_layout(kc.models.LeNet5())]
    [1.6, 1.5, 1.06, 0.89, 0.63, 0.28, 0.28, 0.28]
    """
    slabs, left = [], 0.0
    found = stages(model, input_shape=input_shape)
    scale = TALLEST / math.sqrt(max(found[0].output_shape[:-1], default=1))
    for stage in found:
        height, width = (*stage.output_shape[:-1], 1, 1)[:2]
        block = 0.06 * (1 + math.log2(stage.output_shape[-1]))
        shift = DEPTH * scale * math.sqrt(width)
        numbers = (stage.num_layers, stage.parameters, stage.multiply_adds)
        texts = (
            by(stage.output_shape),
            *(f"{number:,}" if number else "-" for number in numbers),
            stage.name,
        )
        room = max(block + shift, *(text_width(text, TEXT_SIZE) for text in texts)) + 0.15
        start = left + (room - block - shift) / 2
        slabs.append(
            Slab(texts, start, block, scale * math.sqrt(height), shift, left + room / 2, room)
        )
        left += room
    return slabs
