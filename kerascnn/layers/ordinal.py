"""The output of ordered classes: one score, many thresholds."""

import keras

from kerascnn._errors import whole

__all__ = ["OrdinalOutput"]


@keras.saving.register_keras_serializable(package="kerascnn")
class OrdinalOutput(keras.layers.Layer):
    """The probability that the class is above 0, above 1, ..., above classes - 2.

    p[k] = sigmoid(w x + bias[k]): every threshold shares the weights, so that the answers do not
    contradict each other once the biases fall from threshold to threshold, as they do where
    `kerascnn.losses.OrdinalCrossentropy` is least. The class is the number of p above 1/2.

    Source: Cao, Mirjalili and Raschka 2020, arXiv:1901.07884, CORAL, Sec. 3 and Theorem 1.
    Differs from the paper: no.

    Args:
        classes: int >= 2.
        activation: as in Keras layers; None returns the logits.
        bias_initializer: initialiser of the thresholds, shape (classes - 1,).

    Input shape:
        (N, features), float.

    Output shape:
        (N, classes - 1), float, in [0, 1] with the sigmoid.

    Raises:
        InputError: `classes` is no int >= 2.

    >>> OrdinalOutput(5)(keras.ops.zeros((2, 8))).shape
    TensorShape([2, 4])
    """

    def __init__(self, classes, activation="sigmoid", bias_initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        self.classes = whole(classes, "classes", 2)
        self.activation = keras.activations.get(activation)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], 1), initializer="glorot_uniform", name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.classes - 1,), initializer=self.bias_initializer, name="bias"
        )

    def call(self, x):
        return self.activation(keras.ops.matmul(x, self.kernel) + self.bias)

    def get_config(self):
        return {
            **super().get_config(),
            "classes": self.classes,
            "activation": keras.activations.serialize(self.activation),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
