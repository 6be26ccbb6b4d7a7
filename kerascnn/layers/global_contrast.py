"""Global contrast normalisation: every image has the same contrast."""

import keras
from keras import ops

from kerascnn._errors import InputError

__all__ = ["GlobalContrastNormalization"]


@keras.saving.register_keras_serializable(package="kerascnn")
class GlobalContrastNormalization(keras.layers.Layer):
    """Subtracts from each image its mean, and divides it by its standard deviation.

    y = scale * (x - mean(x)) / max(epsilon, sqrt(regularization + mean((x - mean(x))**2))), where
    the means are over all pixels and channels of one image. Nothing is fitted. A constant image
    becomes 0.

    Source: Goodfellow, Bengio and Courville 2016, Deep Learning, eq. 12.3, where the arguments are
    called s, lambda and epsilon; the defaults are those that Sec. 12.2.1.1 gives for images of
    objects, and regularization=10 with epsilon=0 is for small random patches of 0-255. Differs: no.

    Args:
        scale: float > 0. The standard deviation of an image afterwards, without regularisation.
        regularization: float >= 0, in squared units of the images. Keeps images of little contrast
            from becoming mostly noise.
        epsilon: float >= 0, in units of the images. The smallest divisor.

    Input shape:
        (N, H, W, C), int or float, of any scale if `regularization` is 0.

    Output shape:
        The same, float. Computed in float32 under any dtype policy.

    Raises:
        InputError: a constant is outside its range, or `regularization` and `epsilon` are both 0.

    >>> layer = GlobalContrastNormalization()
    >>> keras.ops.convert_to_numpy(layer(keras.ops.array([[[[10.0], [30.0]]]]))).ravel()
    array([-1.,  1.], dtype=float32)
    """

    def __init__(self, scale=1.0, regularization=0.0, epsilon=1e-8, **kwargs):
        super().__init__(autocast=False, **kwargs)  # 16 bits do not hold the sum of an image
        if scale <= 0 or min(regularization, epsilon) < 0 or regularization + epsilon == 0:
            raise InputError(
                "`scale` must be positive, and `regularization` and `epsilon` at least 0 and not "
                f"both 0. Received: scale={scale}, regularization={regularization}, "
                f"epsilon={epsilon}."
            )
        self.scale = scale
        self.regularization = regularization
        self.epsilon = epsilon

    def build(self, input_shape):
        self.input_spec = keras.InputSpec(ndim=4)

    def call(self, x):
        x = ops.cast(x, "float32")
        x = x - x[:, :1, :1, :1]  # so that a constant image is exactly 0, whatever is rounded
        deviation = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
        variance = ops.mean(ops.square(deviation), axis=(1, 2, 3), keepdims=True)
        # The maximum is within the root, whose gradient at 0 is infinite.
        squared = ops.maximum(self.epsilon**2, self.regularization + variance)
        return ops.cast(self.scale * deviation / ops.sqrt(squared), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "scale": self.scale,
            "regularization": self.regularization,
            "epsilon": self.epsilon,
        }
