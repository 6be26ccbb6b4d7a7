"""Bounds of the layers' arguments."""

import math
import numbers

from kerascnn._errors import InputError


def bounded(name, value, low=0, high=math.inf):
    """`value` if it is a number from `low` to `high`, else an `InputError`."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (real and low <= value <= high and math.isfinite(value)):
        limits = f"from {low:g} to {high:g}" if high < math.inf else f">= {low:g}"
        raise InputError(f"{name} must be a number {limits}. Received: {value!r}.")
    return value


def rising(name, value, low=0, high=math.inf):
    """`value` as a tuple of two rising numbers from `low` to `high`, else an `InputError`."""
    try:
        first, last = value
    except (TypeError, ValueError):
        raise InputError(f"{name} must be (lowest, highest). Received: {value!r}.") from None
    if bounded(name, first, low, high) > bounded(name, last, low, high):
        raise InputError(f"{name} must be (lowest, highest). Received: {value!r}.")
    return first, last


def size_of(name, value):
    """(height, width) of an int or of a pair of ints >= 1, else an `InputError`."""
    pair = (value, value) if isinstance(value, numbers.Integral) else value
    try:
        height, width = pair
    except (TypeError, ValueError):
        height = width = None
    if not all(isinstance(side, numbers.Integral) and side >= 1 for side in (height, width)):
        raise InputError(
            f"{name} must be an int >= 1 or (height, width). Received: {value!r}."
        ) from None
    return int(height), int(width)


def in_color(images):
    """`images` if their last axis is red, green and blue, else an `InputError`."""
    if images.shape[-1] != 3:
        raise InputError(
            "This augmentation changes colours: it needs images of three channels. "
            f"Received: shape {tuple(images.shape)}."
        )
    return images
