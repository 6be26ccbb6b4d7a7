"""A grid of pictures, drawn by matplotlib without pyplot."""

import math
import textwrap

import numpy as np

from kerascnn._errors import InputError, whole

__all__ = ["plot_images"]

_WIDTH, _SMALLEST, _LARGEST = 9.0, 0.6, 4.0  # inches: of a row, and of one picture
_GAP, _LINE = 0.06, 0.15  # inches: between pictures, and a line of a title
_LETTERS = 13  # of a title in an inch


def plot_images(images, titles=None, columns=None, path=None):
    """Draw pictures in a grid, row by row.

    Args:
        images: array (N, H, W) or (N, H, W, C), or a list of arrays (H, W) or (H, W, C) of any
            sizes; C is 1 (grey) or 3. One array with three axes, of which the last is 1 or 3 and
            the second larger than 3, is one photo: pass photo[None]. Ints are 0-255. Floats are
            0-1, or 0-255 if one of all is above 1; what is outside the range is clipped.
        titles: N strings, or None. Long ones are wrapped.
        columns: int >= 1, or None: about as many as rows, or more where that leaves fewer holes.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`, with N axes; a notebook shows it.

    Raises:
        InputError: there are no pictures or it is a single photo, one has another shape or values
            that are not finite, or there are more or fewer titles.

    >>> images = np.random.default_rng(0).integers(256, size=(6, 8, 8, 3), dtype="uint8")
    >>> figure = plot_images(images, titles=list("abcdef"))
    >>> [axes.get_title() for axes in figure.axes]
    ['a', 'b', 'c', 'd', 'e', 'f']
    """
    from matplotlib.figure import Figure

    pictures = _pictures(images)
    columns = _columns(len(pictures)) if columns is None else whole(columns, "`columns`", 1)
    aspect = max(len(picture) / picture.shape[1] for picture in pictures)
    width = min(max(_WIDTH / columns, _SMALLEST), _LARGEST) / max(aspect, 1)
    height = width * aspect
    titles = _titles(titles, len(pictures), width)
    rows = [titles[start : start + columns] for start in range(0, len(titles), columns)]
    heads = [_LINE * max(title.count("\n") + bool(title) for title in row) for row in rows]
    total = columns * (width + _GAP) + _GAP, sum(heads) + len(rows) * (height + _GAP) + _GAP
    figure = Figure(figsize=total, dpi=100, facecolor="white")
    for i, (picture, title) in enumerate(zip(pictures, titles)):
        row, column = divmod(i, columns)
        left = _GAP + column * (width + _GAP)
        bottom = total[1] - sum(heads[: row + 1]) - (row + 1) * (height + _GAP)
        box = left / total[0], bottom / total[1], width / total[0], height / total[1]
        axes = figure.add_axes(box)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(title, fontsize=8, pad=2, parse_math=False)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _pictures(images):
    """Each as float (H, W) or (H, W, 3) with values 0-1."""
    shape = getattr(images, "shape", ())
    if len(shape) == 3 and shape[2] in (1, 3) and shape[1] > 3:
        raise InputError(
            "This is one photo: pass photo[None], or grey pictures as images[..., None]. "
            f"Received: shape {tuple(shape)}."
        )
    arrays = [np.asarray(image) for image in images]
    if not arrays:
        raise InputError("There are no pictures to draw.")
    for array in arrays:
        if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 3)):
            raise InputError(
                "Pictures have shapes (H, W), (H, W, 1) or (H, W, 3), all of them in one array "
                f"(N, H, W, C) or in a list. Received: one of shape {array.shape}."
            )
        if array.dtype.kind not in "uifb" or not array.size or not np.isfinite(array).all():
            raise InputError(
                "Pictures hold finite numbers. "
                f"Received: {array.dtype} of shape {array.shape}, some not finite or none at all."
            )
    is_wide = any(array.dtype.kind in "ui" or array.max() > 1 for array in arrays)
    scaled = [np.clip(array / (255.0 if is_wide else 1.0), 0, 1) for array in arrays]
    return [array[..., 0] if array.shape[2:] == (1,) else array for array in scaled]


def _columns(count):
    """Between as many as rows and twice as many: what leaves the fewest holes."""
    square = math.ceil(math.sqrt(count))
    return min(range(square, 2 * square + 1), key=lambda columns: (-count % columns, columns))


def _titles(titles, count, width):
    titles = [""] * count if titles is None else [str(title) for title in titles]
    if len(titles) != count:
        raise InputError(f"{count} pictures need {count} titles. Received: {len(titles)}.")
    letters = max(int(_LETTERS * width), 4)
    return [
        "\n".join(textwrap.fill(line, letters) for line in title.splitlines()) for title in titles
    ]
