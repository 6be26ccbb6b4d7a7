"""Local response normalisation, as in AlexNet."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError

__all__ = ["LocalResponseNormalization"]


@keras.saving.register_keras_serializable(package="kerascnn")
class LocalResponseNormalization(keras.layers.Layer):
    """Each value, divided by a power of the energy of its neighbours in channel order.

    y[c] = x[c] / (bias + alpha * sum of x[j]**2 over |j - c| <= depth_radius)**beta, at each place;
    channels beyond the first and the last count as 0.

    Source: Krizhevsky, Sutskever and Hinton 2012 (NeurIPS), Sec. 3.3: k = 2, n = 5, alpha = 1e-4,
    beta = 0.75, where n = 2 * depth_radius + 1. Differs from the paper: no. Caffe divides alpha by
    n and adds 1, so the alpha of 1e-4 with n = 5 in Caffe's files (GoogLeNet's among them) is
    `LocalResponseNormalization(2, bias=1.0, alpha=2e-5)` here.

    Args:
        depth_radius: int >= 0. Channels on each side that take part.
        bias: float > 0. The paper's k.
        alpha: float >= 0. Weight of the sum, which is not divided by the number of channels.
        beta: float. The exponent.

    Input shape:
        (N, ..., C), float.

    Output shape:
        The same. Under 16-bit precision the sums are computed in float32, where they do not
        overflow, and the result is cast back.

    Raises:
        InputError: a constant is outside its range.

    >>> layer = LocalResponseNormalization(depth_radius=1, bias=1.0, alpha=1.0, beta=0.5)
    >>> keras.ops.convert_to_numpy(layer(keras.ops.array([[2.0, 2.0, 0.0, 0.0]]))).round(3)
    array([[0.667, 0.667, 0.   , 0.   ]], dtype=float32)
    """

    def __init__(self, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        if depth_radius < 0 or bias <= 0 or alpha < 0:
            raise InputError(
                "`depth_radius` and `alpha` must be at least 0 and `bias` positive. Received: "
                f"depth_radius={depth_radius}, bias={bias}, alpha={alpha}."
            )
        self.depth_radius = depth_radius
        self.bias = bias
        self.alpha = alpha
        self.beta = beta

    def call(self, x):
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        channel = np.arange(x.shape[-1])
        near = abs(channel[:, None] - channel) <= self.depth_radius
        # One product with a band of ones: on a CPU several times faster than a sum of slices.
        energy = ops.matmul(ops.square(wide), ops.cast(near, wide.dtype))
        # exp and log: several times faster on a CPU than a power.
        scale = ops.exp(-self.beta * ops.log(self.bias + self.alpha * energy))
        return ops.cast(wide * scale, x.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "depth_radius": self.depth_radius,
            "bias": self.bias,
            "alpha": self.alpha,
            "beta": self.beta,
        }
