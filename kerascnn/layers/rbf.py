"""The output layer of LeNet-5: closeness to a fixed code for each class."""

import keras
from keras import ops

from kerascnn.initializers import DigitBitmaps

__all__ = ["RBFOutput"]


@keras.saving.register_keras_serializable(package="kerascnn")
class RBFOutput(keras.layers.Layer):
    """Minus the squared Euclidean distance between the input and the fixed code of each class.

    score[i] = -sum over j of (x[j] - code[i, j])**2, at most 0; the largest is the answer. The
    paper's output y_i is -score[i], a penalty, and the smallest is the answer: with the sign turned
    Keras's accuracy and softmax mean what they say. softmax(score) is the posterior of classes that
    are Gaussians of variance 1/2 around their codes. Train scores with `kerascnn.losses.RBFLoss`,
    and softmax(score) with cross-entropy.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), eq. 7. Differs from the paper: the sign.

    Args:
        units: int >= 1. Number of classes.
        activation: as in Keras layers, applied to the scores; None returns the scores.
        codes_initializer: initialiser of the codes, shape (units, features), which are never
            trained. None is `kerascnn.initializers.DigitBitmaps()`, for 10 units and 84 features;
            for other classes pass e.g. `keras.initializers.RandomUniform(-1, 1)`.

    Input shape:
        (N, features), float.

    Output shape:
        (N, units), float, at most 0 without an activation.

    >>> layer = RBFOutput(2, codes_initializer="identity")
    >>> keras.ops.convert_to_numpy(layer(keras.ops.array([[1.0, 0.0], [0.0, 3.0]])))
    array([[ -0.,  -2.],
           [-10.,  -4.]], dtype=float32)
    """

    def __init__(self, units, activation=None, codes_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.codes_initializer = keras.initializers.get(codes_initializer or DigitBitmaps())

    def build(self, input_shape):
        self.codes = self.add_weight(
            shape=(self.units, input_shape[-1]),
            initializer=self.codes_initializer,
            trainable=False,
            name="codes",
        )

    def call(self, x):
        difference = ops.expand_dims(x, -2) - self.codes
        return self.activation(-ops.sum(ops.square(difference), axis=-1))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "codes_initializer": keras.initializers.serialize(self.codes_initializer),
        }
