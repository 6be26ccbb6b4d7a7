"""Saving the model that several processes trained."""

import keras

from kerascnn._runs import atomic_path, is_writer
from kerascnn.callbacks import _together

__all__ = ["save"]


def save(model, path):
    """Save a model; every process calls it, worker 0 writes, and all go on when the file is there.

    `model.save` in one process alone waits for the others for ever: Keras makes variables while it
    saves, and under `start()` making one is a step that all must take.

    Args:
        model: `keras.Model`.
        path: str or path that ends in ".keras". The file is whole or absent.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> save(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), f"{folder}/model.keras")
    >>> keras.models.load_model(f"{folder}/model.keras").count_params()
    3
    """
    if is_writer():
        found = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            with atomic_path(path) as partial:
                model.save(partial)
        finally:
            keras.distribution.set_distribution(found)
    _together.wait()
