"""Convolution in which each output map reads only some of the input maps."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError

__all__ = ["PartiallyConnectedConv2D"]


@keras.saving.register_keras_serializable(package="kerascnn")
class PartiallyConnectedConv2D(keras.layers.Layer):
    """A convolution (stride 1, no padding) whose output maps read chosen input maps.

    Only the connections that exist have weights: kernel_size**2 for each 1 in the table, and one
    bias for each output map. For groups of maps Keras has `Conv2D(groups=...)`; this layer is for
    tables that are no groups.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), Table I, layer C3. Differs from the paper: no.

    Args:
        connections: nested list of 0 and 1, shape (C, filters), with at least one 1 in each column.
            1 in row i, column j: output map j reads input map i.
        kernel_size: int >= 1. Height and width of the window.
        activation: as in Keras layers; None is linear.
        kernel_initializer: as in Keras layers. It draws a full (kernel_size, kernel_size, C,
            filters) kernel, of which the connected part is kept.
        kernel_regularizer: as in Keras layers, of the weights that exist. (A constraint would need
            the weights of one output map along an axis, and they are not.)

    Input shape:
        (N, H, W, C), float.

    Output shape:
        (N, H - kernel_size + 1, W - kernel_size + 1, filters), float.

    Raises:
        InputError: `connections` is not such a table, or the input has another number of maps.

    >>> layer = PartiallyConnectedConv2D([[1, 1, 0], [0, 1, 1]], kernel_size=5)
    >>> layer(keras.ops.ones((1, 8, 8, 2))).shape == (1, 4, 4, 3)
    True
    >>> layer.count_params()  # 4 connections of 25 weights, 3 biases
    103
    """

    def __init__(
        self,
        connections,
        kernel_size,
        activation=None,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.connections = _checked(connections)
        self.kernel_size = kernel_size
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape):
        table = np.asarray(self.connections)
        if input_shape[-1] != len(table):
            raise InputError(
                f"`connections` has {len(table)} rows, so the input must have as many maps. "
                f"Received: input shape {tuple(input_shape)}."
            )
        window = (self.kernel_size, self.kernel_size)
        pairs = np.flatnonzero(table)
        # Row k puts the weights of connection k in their place among all pairs of maps.
        self._places = np.eye(table.size)[pairs]

        def connected(shape, dtype=None):
            full = self.kernel_initializer((*window, *table.shape), dtype=dtype)
            return ops.take(ops.reshape(full, (*window, table.size)), pairs, axis=-1)

        self.kernel = self.add_weight(
            shape=(*window, len(pairs)),
            initializer=connected,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(table.shape[1],), initializer="zeros", name="bias")

    def call(self, x):
        kernel = ops.matmul(self.kernel, ops.cast(self._places, self.compute_dtype))
        kernel = ops.reshape(kernel, (*self.kernel.shape[:2], x.shape[-1], self.bias.shape[0]))
        y = ops.conv(x, kernel, padding="valid", data_format="channels_last")
        return self.activation(y + self.bias)

    def get_config(self):
        return {
            **super().get_config(),
            "connections": self.connections,
            "kernel_size": self.kernel_size,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def _checked(connections):
    """The table as nested lists of int, which JSON can hold."""
    table = np.asarray(connections)
    if table.ndim != 2 or not np.isin(table, (0, 1)).all() or not table.any(axis=0).all():
        raise InputError(
            "`connections` must be a table of 0 and 1, a row for each input map and a column with "
            f"at least one 1 for each output map. Received: connections={connections}."
        )
    return table.astype(int).tolist()
