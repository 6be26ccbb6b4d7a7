"""The learned weight of an output's loss."""

import zlib

import keras

__all__ = ["LearnedLossWeight"]


@keras.saving.register_keras_serializable(package="kerascnn")
class LayerHandle:
    """How the loss of a compiled model finds the layer, in the model that a file gives too.

    A layer is not saved inside a loss without becoming two. Keras restores what has the same
    `shared_object_id` as one object: this.

    Copies of a model share it, so that one loss serves them all: `layer` is the one that was called
    last, whose predictions the loss is given next.
    """

    layer = None

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()

    def saved(self):
        shared = zlib.crc32(self.layer.name.encode())
        return {**keras.saving.serialize_keras_object(self), "shared_object_id": shared}


@keras.saving.register_keras_serializable(package="kerascnn")
class LearnedLossWeight(keras.layers.Layer):
    """Returns its input; holds log(sigma**2) of the output it ends, which weights that loss.

    Put it on an output and compile with `kerascnn.losses.UncertaintyWeighted(loss, layer)`:
    `kerascnn.tasks.multi_task(..., weights="learned")` does both. The model owns the variable, so
    that it is trained and saved with it.

    Source: Kendall, Gal and Cipolla 2018, arXiv:1705.07115, Sec. 3.2. Differs from the paper: no.

    Input shape:
        Any, float.

    Output shape:
        The same.

    >>> layer = LearnedLossWeight()
    >>> float(layer.log_variance), keras.ops.convert_to_numpy(layer(keras.ops.ones(2)))
    (0.0, array([1., 1.], dtype=float32))
    """

    def __init__(self, handle=None, **kwargs):
        super().__init__(**kwargs)
        self.handle = handle or LayerHandle()
        self.handle.layer = self
        self.log_variance = self.add_weight(shape=(), initializer="zeros", name="log_variance")

    def call(self, x):
        self.handle.layer = self
        return x

    def get_config(self):
        return {**super().get_config(), "handle": self.handle.saved()}

    @classmethod
    def from_config(cls, config):
        handle = keras.saving.deserialize_keras_object(config["handle"])
        return cls(**{**config, "handle": handle})
