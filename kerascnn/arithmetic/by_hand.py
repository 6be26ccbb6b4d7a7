"""Sizes and counts of single layers, from the numbers of a paper."""

import math
from dataclasses import dataclass

from kerascnn._errors import InputError, one_of

__all__ = ["Counts", "convolution", "output_size", "receptive_field"]

_PADDINGS = ("valid", "same", "full")


def output_size(size, kernel_size, stride=1, padding=0, *, dilation=1, rounding=None):
    """Height or width of what a convolution or pooling gives: (w - f + 2p) / s + 1.

    Args:
        size: int >= 1. w, height or width of the input.
        kernel_size: int >= 1. f, height or width of the window.
        stride: int >= 1. s.
        padding: int >= 0, p on each side; or "valid" (none: where the window overlaps the input
            fully), "full" (f - 1: where it overlaps at all), "same" (w / s, rounded up).
        dilation: int >= 1. A window of f places reaches over (f - 1) * dilation + 1.
        rounding: None: a stride must fit; "floor", as Keras and PyTorch do: what is left over is
            not seen; "ceil", as Caffe's pooling does: the last window is cut off, unless it would
            begin behind the input, in the padding.

    Returns:
        int >= 1.

    Raises:
        InputError: the window is larger than the padded input, or the stride does not fit.

    >>> output_size(227, 11, stride=4), output_size(7, 3, stride=2)
    (55, 3)
    >>> output_size(7, 3, stride=3)
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: A window of 3 with stride 3 does not fit 7: 1 is left over. \
Strides that fit: 1, 2, 4; or pad, or pass rounding="floor" or "ceil".
    >>> output_size(7, 3, stride=3, padding=1), output_size(7, 3, stride=3, rounding="floor")
    (3, 2)
    """
    one_of(rounding, [None, "floor", "ceil"], "rounding")
    if min(size, kernel_size, stride, dilation) < 1:
        raise InputError(
            "Sizes, strides and dilations must be at least 1. Received: "
            f"size={size}, kernel_size={kernel_size}, stride={stride}, dilation={dilation}."
        )
    if padding == "same":
        return -(-size // stride)
    reach = (kernel_size - 1) * dilation + 1
    padded = size + 2 * _padding(padding, reach)
    if reach > padded:
        raise InputError(
            f"A window of {reach} is larger than {size} with padding {padding}. "
            "Pass a larger size or padding."
        )
    number, left_over = divmod(padded - reach, stride)
    if left_over and rounding is None:
        fitting = [s for s in range(1, padded - reach + 1) if (padded - reach) % s == 0]
        raise InputError(
            f"A window of {reach} with stride {stride} does not fit {padded}: {left_over} is left "
            f"over. Strides that fit: {', '.join(map(str, fitting))}; or pad, or pass "
            'rounding="floor" or "ceil".'
        )
    cut_off = left_over > 0 and rounding == "ceil"
    behind = (number + 1) * stride >= padded - _padding(padding, reach)
    return number + 1 + (cut_off and not behind)


def _padding(padding, reach):
    """Zeros on each side."""
    if isinstance(padding, str):
        return {"valid": 0, "full": reach - 1}[one_of(padding, _PADDINGS, "padding")]
    if padding < 0:
        raise InputError(
            f'`padding` must be at least 0, or "valid", "same" or "full". Received: '
            f"padding={padding}."
        )
    return padding


@dataclass(frozen=True)
class Counts:
    """What one layer has and does, as `convolution` gives it.

    Attributes:
        output_shape: (H, W, C).
        parameters: int, weights and biases.
        connections: int. Each unit has one for each value that it reads and one for its bias.
        multiply_adds: int for one image, those of biases not counted.

    >>> convolution((1, 1, 120), 84, 1)  # LeNet-5's F6
    Counts(output_shape=(1, 1, 84), parameters=10164, connections=10164, multiply_adds=10080)
    """

    output_shape: tuple
    parameters: int
    connections: int
    multiply_adds: int


def convolution(
    input_shape,
    filters,
    kernel_size,
    stride=1,
    padding="same",
    *,
    groups=1,
    use_bias=True,
    rounding=None,
):
    """Size, parameters, connections and multiply-adds of a convolution.

    Args:
        input_shape: (H, W, C).
        filters: int >= 1, maps that it gives.
        kernel_size, stride, padding, rounding: as in `output_size`.
        groups: int >= 1 that divides C and `filters`; each filter reads C / groups maps.
        use_bias: bool.

    Returns:
        `Counts`.

    Raises:
        InputError: `groups` does not divide the maps, or the window does not fit.

    >>> convolution((27, 27, 96), 256, 5, groups=2).parameters  # AlexNet's second layer
    307456
    """
    height, width, channels = input_shape
    if channels % groups or filters % groups:
        raise InputError(
            f"`groups` must divide the {channels} maps that are read and the {filters} that are "
            f"given. Received: groups={groups}."
        )
    sizes = [
        output_size(n, kernel_size, stride, padding, rounding=rounding) for n in (height, width)
    ]
    kernel = kernel_size**2 * channels // groups * filters
    biases = filters if use_bias else 0
    places = math.prod(sizes)
    return Counts((*sizes, filters), kernel + biases, places * (kernel + biases), places * kernel)


def receptive_field(layers):
    """How many pixels a unit after a stack of layers sees, along one axis.

    r = 1 + sum over the layers of (f - 1) times the strides of all layers before.

    Args:
        layers: sequence of kernel sizes or of (kernel size, stride) pairs, first layer first.

    Returns:
        int >= 1.

    >>> receptive_field([3, 3])  # sees as much as one 5x5
    5
    >>> receptive_field([3, 3, (2, 2)] * 2 + [3, 3, 3, (2, 2)] * 3)  # VGG-16's last map
    212
    """
    field, jump = 1, 1
    for layer in layers:
        kernel_size, stride = layer if isinstance(layer, tuple | list) else (layer, 1)
        field += (kernel_size - 1) * jump
        jump *= stride
    return field
