"""Maxout: the largest of several affine functions."""

import keras
from keras import ops

from kerascnn._errors import InputError

__all__ = ["Maxout"]


@keras.saving.register_keras_serializable(package="kerascnn")
class Maxout(keras.layers.Layer):
    """The maximum of each group of `pieces` adjacent channels.

    y[u] = max over j < pieces of x[u * pieces + j]. The affine pieces are the dense or convolution
    layer before it, without activation: maxout units over 10 features with 3 pieces each are
    `Dense(30)` and `Maxout(3)`.

    Source: Goodfellow et al. 2013, arXiv:1302.4389, Sec. 3. Differs from the paper: no.

    Args:
        pieces: int >= 1. The paper's k.

    Input shape:
        (N, ..., units * pieces), float.

    Output shape:
        (N, ..., units), float.

    Raises:
        InputError: `pieces` is below 1, or does not divide the number of channels.

    >>> keras.ops.convert_to_numpy(Maxout(2)(keras.ops.array([[1.0, 4.0, -2.0, -3.0]])))
    array([[ 4., -2.]], dtype=float32)
    """

    def __init__(self, pieces, **kwargs):
        super().__init__(**kwargs)
        if pieces < 1:
            raise InputError(f"`pieces` must be at least 1. Received: pieces={pieces}.")
        self.pieces = pieces

    def build(self, input_shape):
        if input_shape[-1] % self.pieces:
            raise InputError(
                f"The channels must be a multiple of pieces={self.pieces}. "
                f"Received: input shape {tuple(input_shape)}."
            )

    def call(self, x):
        groups = (x.shape[-1] // self.pieces, self.pieces)
        return ops.max(ops.reshape(x, (*ops.shape(x)[:-1], *groups)), axis=-1)

    def get_config(self):
        return {**super().get_config(), "pieces": self.pieces}
