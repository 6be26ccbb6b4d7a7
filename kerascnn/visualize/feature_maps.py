"""What the layers inside a network give for an image."""

import keras
import numpy as np
from keras import ops

from kerascnn import _graph
from kerascnn._errors import InputError

__all__ = ["feature_maps", "plot_feature_maps"]


def feature_maps(model, images, layers=None, *, batch_size=32):
    """Outputs of layers for images.

    `kerascnn.transfer.extract_features` is for whole data sets; this is for a few photos.

    Args:
        model: functional or `Sequential` `keras.Model`; models may be nested in it, and layers in
            them are called by their own name.
        images: array (N, H, W, C), as the model takes them.
        layers: name of a layer, list of names, or None for the last layer of each resolution.
        batch_size: int >= 1. Images at a time.

    Returns:
        float32 array (N, ...), or for a list or None a dict name -> array, first layer first.

    Raises:
        InputError: no such layer, the model is not functional, or takes images of another shape.

    >>> import kerascnn as kc
    >>> maps = feature_maps(kc.models.LeNet5(), np.zeros((2, 32, 32, 1)))
    >>> {name: array.shape for name, array in maps.items()}
    {'c1': (2, 28, 28, 6), 's2': (2, 14, 14, 6), ..., 's4': (2, 5, 5, 16), 'c5': (2, 1, 1, 120)}
    """
    if not getattr(model, "inputs", None):
        raise InputError(
            "The model must be functional, or Sequential and begin with keras.Input(shape). "
            f"Received: {model!r}."
        )
    images = _fitting(model, images)
    flat = _graph.flatten(model)
    names = _graph.stage_ends(flat) if layers is None else layers
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise InputError(f"{model.name!r} has no feature maps. Name the layers you want.")
    part = keras.Model(flat.inputs[0], [_graph.output_of(flat, name) for name in names])
    starts = range(batch_size, len(images), batch_size)
    batches = [
        keras.tree.flatten(part(batch, training=False)) for batch in np.split(images, starts)
    ]
    found = [
        np.concatenate([ops.convert_to_numpy(ops.cast(y, "float32")) for y in outputs])
        for outputs in zip(*batches)
    ]
    return found[0] if isinstance(layers, str) else dict(zip(names, found))


def _fitting(model, images):
    """The images as float32, if the model takes such."""
    images, expected = np.asarray(images, "float32"), model.inputs[0].shape
    if images.ndim != len(expected) or any(
        wanted not in (None, size) for wanted, size in zip(expected, images.shape)
    ):
        raise InputError(
            f"{model.name!r} takes images of shape {tuple(expected)}. Received: {images.shape}."
        )
    return images


def plot_feature_maps(maps, image=0, columns=8, path=None):
    """Draw the strongest feature maps of each layer for one image: a row a layer.

    The strongest are those with the largest mean magnitude. White is the layer's largest value in
    this image, black is 0, or the layer's smallest value if that is negative.

    Args:
        maps: dict name -> array (N, H, W, C), of `feature_maps`.
        image: int. Which of the N.
        columns: int >= 1. Maps of each layer.
        path: str, path or None. A file to write; its suffix is the format (.png, .svg, .pdf).

    Returns:
        `matplotlib.figure.Figure`; a notebook shows it.

    Raises:
        InputError: `maps` is no such dict.

    >>> figure = plot_feature_maps({"conv": np.random.default_rng(0).random((1, 4, 4, 16))})
    >>> len(figure.axes), figure.axes[0].get_ylabel()
    (8, 'conv\\n4x4x16')
    """
    from matplotlib.figure import Figure

    if not isinstance(maps, dict) or any(np.ndim(array) != 4 for array in maps.values()):
        raise InputError("Pass what `feature_maps` gives for a list: {name: array (N, H, W, C)}.")
    figure = Figure(figsize=(1.05 * columns + 0.9, 1.1 * len(maps)), dpi=100, layout="constrained")
    grid = figure.subplots(len(maps), columns, squeeze=False)
    for row, (name, array) in zip(grid, maps.items()):
        chosen = array[image]
        order = np.argsort(-np.abs(chosen).mean(axis=(0, 1)), kind="stable")
        low, high = min(chosen.min(), 0), chosen.max()
        for axes, channel in zip(row, order):
            axes.imshow(chosen[..., channel], cmap="gray", vmin=low, vmax=high)
            axes.set_title(str(channel), fontsize=7, pad=2)
        for axes in row:
            axes.set(xticks=[], yticks=[], frame_on=False)
        shape = "x".join(map(str, chosen.shape))
        row[0].set_ylabel(f"{name}\n{shape}", fontsize=8, parse_math=False)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
