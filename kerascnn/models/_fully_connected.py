"""The three dense layers in which AlexNet, ZFNet and VGG end, and how their weights start."""

from keras import initializers, layers

from kerascnn.models._builder import output_dtype

__all__ = ["fully_connected_top", "normal"]


def normal():
    """N(0, 0.01^2). A new one for each layer: an initialiser of Keras draws the same twice."""
    return initializers.RandomNormal(stddev=0.01)


def fully_connected_top(activation, hidden_bias=0.0):
    """4096, 4096 and `classes` units, as a function (N, H, W, C) -> (N, classes).

    Args:
        activation: of the last layer.
        hidden_bias: float. The biases of `fc6` and `fc7` at the start.
    """

    def dense(units, activation, bias, **options):
        bias = initializers.Constant(bias)
        return layers.Dense(
            units, activation, kernel_initializer=normal(), bias_initializer=bias, **options
        )

    def top(x, classes):
        x = layers.Flatten(name="flatten")(x)
        for name in ("fc6", "fc7"):
            x = dense(4096, "relu", hidden_bias, name=name)(x)
            x = layers.Dropout(0.5, name=f"{name}_dropout")(x)
        return dense(classes, activation, 0.0, dtype=output_dtype(), name="output")(x)

    return top
