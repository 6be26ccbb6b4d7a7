"""Heat maps on the photos they belong to."""

import numpy as np

from kerascnn._errors import InputError
from kerascnn.visualize.pictures import plot_images

__all__ = ["plot_maps"]

_COLOURS = "inferno"
_STRENGTH = 0.8  # of the colour where the map is hottest


def plot_maps(images, maps, titles=None, path=None):
    """Draw photos, their heat maps, and the maps on the photos in grey.

    One or two photos have a row each, more have a column each. A map is scaled by its 99th
    percentile, so that a few pixels do not leave all others dark (Smilkov et al. 2017); what is
    below 0 is dark.

    Args:
        images: array (N, H, W, C), C 1 or 3: ints are 0-255, floats 0-1, or 0-255 if one is above
            1.
        maps: array (N, H, W), of `grad_cam` for instance.
        titles: N strings, or None.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`, with 3 N axes; a notebook shows it.

    Raises:
        InputError: there is no photo, or not one map and one title for each, of its size.

    >>> images = np.random.default_rng(0).integers(256, size=(4, 8, 8, 3), dtype="uint8")
    >>> figure = plot_maps(images, images.mean(axis=-1), titles=list("abcd"))
    >>> [axes.get_title() for axes in figure.axes[:5]]
    ['a', 'b', 'c', 'd', '']
    """
    images, maps = np.asarray(images), np.asarray(maps)
    if images.ndim != 4 or maps.shape != images.shape[:3] or images.shape[-1] not in (1, 3):
        raise InputError(
            "Photos are (N, H, W, C), C 1 or 3, and maps (N, H, W). "
            f"Received: {images.shape} and {maps.shape}."
        )
    rows = [_coloured(photo, heat) for photo, heat in zip(_unit(images), maps)]
    if titles is not None:
        titles = list(titles)
        if len(titles) != len(rows):
            raise InputError(f"{len(rows)} photos need as many titles. Received: {len(titles)}.")
    titles = [""] * len(rows) if titles is None else titles
    table = [[(picture, "") for picture in row] for row in rows]
    for row, title in zip(table, titles):
        row[0] = row[0][0], title
    if len(rows) > 2:
        table = list(zip(*table))
    cells = [cell for row in table for cell in row]
    columns = len(table[0]) if table else 1
    return plot_images([cell[0] for cell in cells], [cell[1] for cell in cells], columns, path)


def _unit(images):
    is_wide = images.dtype.kind in "ui" or (images.size and images.max() > 1)
    return np.clip(images / (255.0 if is_wide else 1.0), 0, 1)


def _coloured(photo, heat):
    """The photo, its map in colours, and both in one."""
    from matplotlib import colormaps

    top = np.percentile(heat, 99)
    scaled = np.clip(heat / (top if top > 0 else max(heat.max(), 1e-12)), 0, 1)
    colours = colormaps[_COLOURS](scaled)[..., :3]
    grey = photo.mean(axis=-1, keepdims=True)
    share = _STRENGTH * scaled[..., None]
    return photo, colours, (1 - share) * grey + share * colours
