"""What stays frozen when part of a network is trained."""

from kerascnn import _graph
from kerascnn._graph import cut_points, freeze_batch_norm, freeze_boundary, stage_ends

__all__ = ["cut_points", "freeze", "freeze_batch_norm", "freeze_boundary", "stage_ends"]


def freeze(model, up_to):
    """Freeze everything up to and including a layer, and every batch normalisation: in place.

    Compile after it: Keras ignores a change of `trainable` after the first `fit` without a word.

    Args:
        model: functional `keras.Model`.
        up_to: str, one of `cut_points(model)`, e.g. `freeze_boundary(model)`.

    Returns:
        int, how many layers still have weights that train.

    Raises:
        InputError: there is no such layer, or something goes around it.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> freeze(model, "conv")
    1
    """
    trunk, _ = _graph.split(model, up_to)
    for layer in trunk.layers:
        layer.trainable = False
    freeze_batch_norm(model)
    return sum(bool(layer.trainable_weights) for layer in model.layers)
