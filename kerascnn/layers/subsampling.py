"""Subsampling with a trainable weight and bias per map."""

import keras
from keras import ops

from kerascnn._errors import whole

__all__ = ["TrainableSubsampling"]


@keras.saving.register_keras_serializable(package="kerascnn")
class TrainableSubsampling(keras.layers.Layer):
    """The sum of each window, times one weight, plus one bias per map, then the activation.

    y[c] = activation(weight[c] * sum of x[c] over the window + bias[c]). Windows do not overlap;
    rows and columns that fill no whole window are left out.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), Sec. II-B, layers S2 and S4. Differs from the
    paper: by default `weight` starts as average pooling; LeNet5 passes the paper's random start.

    Args:
        pool_size: int >= 1. Height, width and stride of the window.
        activation: as in Keras layers; None is linear.
        weight_initializer: initialiser of `weight`, or None for 1 / pool_size**2 (an average).

    Input shape:
        (N, H, W, C), float.

    Output shape:
        (N, H // pool_size, W // pool_size, C), float.

    Raises:
        InputError: `pool_size` is no int >= 1.

    >>> x = keras.ops.reshape(keras.ops.arange(16, dtype="float32"), (1, 4, 4, 1))
    >>> keras.ops.convert_to_numpy(TrainableSubsampling()(x))[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """

    def __init__(self, pool_size=2, activation=None, weight_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = whole(pool_size, "pool_size", 1)
        self.activation = keras.activations.get(activation)
        self.weight_initializer = keras.initializers.get(weight_initializer)

    def build(self, input_shape):
        maps = (input_shape[-1],)
        average = keras.initializers.Constant(1 / self.pool_size**2)
        self.weight = self.add_weight(
            shape=maps, initializer=self.weight_initializer or average, name="weight"
        )
        self.bias = self.add_weight(shape=maps, initializer="zeros", name="bias")

    def call(self, x):
        x = ops.average_pool(x, self.pool_size, self.pool_size, data_format="channels_last")
        return self.activation(x * self.pool_size**2 * self.weight + self.bias)

    def get_config(self):
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "activation": keras.activations.serialize(self.activation),
            "weight_initializer": keras.initializers.serialize(self.weight_initializer),
        }
