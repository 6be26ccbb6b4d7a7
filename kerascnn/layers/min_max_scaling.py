"""Scaling to [-1, 1] by the smallest and largest training values."""

import keras
import numpy as np
from keras import ops

from kerascnn.layers._fitted import Fitted

__all__ = ["MinMaxScaling"]


@keras.saving.register_keras_serializable(package="kerascnn")
class MinMaxScaling(Fitted):
    """Maps the smallest training value of each channel to -1 and the largest to 1.

    y = (2 * x - minimum - maximum) / (maximum - minimum). Call `adapt(data)` once, with the
    training images. Other images may go beyond [-1, 1]: nothing is clipped. A channel that was
    constant is only shifted, to 0.

    Each channel has its own range, because channels may be of different kinds (depth, infrared)
    and a common range would leave some of them tiny. Photos reach 0 and 255 in every channel, and
    there it makes no difference: for them `keras.layers.Rescaling(1 / 127.5, -1)` needs no fitting.

    Input shape:
        (N, H, W, C), int or float, of the training images' scale. Called eagerly, it warns of
        another one; for `fit`, `evaluate` and `predict` see `check_value_range`.

    Output shape:
        The same, float. Computed in float32 under any dtype policy.

    Raises:
        InputError: called before `adapt`; within compiled code the output is NaN then.

    >>> layer = MinMaxScaling()
    >>> layer.adapt(np.array([10.0, 30.0]).reshape(1, 1, 2, 1))
    >>> keras.ops.convert_to_numpy(layer(np.array([10.0, 15.0, 30.0]).reshape(1, 1, 3, 1))).ravel()
    array([-1. , -0.5,  1. ], dtype=float32)
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.minimum = self.constant("minimum", input_shape[-1:])
        self.maximum = self.constant("maximum", input_shape[-1:])
        self.input_spec = keras.InputSpec(shape=(None, None, None, input_shape[-1]))

    def statistics(self, batches):
        minimum, maximum = np.inf, -np.inf
        for images in batches:
            minimum = np.minimum(minimum, images.min(axis=(0, 1, 2)))
            maximum = np.maximum(maximum, images.max(axis=(0, 1, 2)))
        return {"minimum": minimum, "maximum": maximum}

    def transform(self, x):
        middle = (self.minimum + self.maximum) / 2
        half = (self.maximum - self.minimum) / 2
        return (x - middle) / ops.where(ops.equal(half, 0), 1.0, half)
