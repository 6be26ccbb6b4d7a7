"""Networks with dense layers, made convolutional: they read images of any size."""

import keras
from keras import layers

from kerascnn._errors import InputError
from kerascnn._state import set_weights

__all__ = ["to_fully_convolutional"]


def to_fully_convolutional(model):
    """A network that ends in dense layers as one that reads larger images, with the same weights.

    The first dense layer becomes a convolution as large as the feature map that it read, the others
    become 1x1. The last one, without its activation, is `score_map`: the class scores that the
    network would give at each place of a window of its own size, moved by the network's stride (32
    pixels for VGG), except that the windows see each other where `model` would see zero padding.
    `avg_pool` averages the map and `output` applies the activation. At the size of `model` the
    result is that of `model`; the weights are copies.

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, Sec. 3.2 (dense evaluation). Differs from
    the paper: no; the "class scores" that are averaged are read as what enters the softmax.

    Args:
        model: functional `keras.Model` (N, H, W, C) -> (N, classes) that ends in one Flatten and
            then only dense layers and dropout: `VGG16`, `AlexNet`, `ZFNet` and their families, or
            those of `keras.applications`, trained or not.

    Returns:
        A functional `keras.Model` (N, any H, any W, C) -> (N, classes). H and W must not be smaller
        than those of `model`.

    Raises:
        InputError: the model does not end so.

    >>> import kerascnn as kc
    >>> model = kc.models.VGG11(input_shape=(64, 64, 1), classes=10)
    >>> dense = to_fully_convolutional(model)
    >>> dense(keras.ops.zeros((2, 96, 160, 1))).shape == (2, 10)
    True
    >>> maps = keras.Model(dense.input, dense.get_layer("score_map").output)
    >>> maps(keras.ops.zeros((2, 96, 160, 1))).shape == (2, 2, 4, 10)
    True
    """
    flatten, top = _split(model)
    features = keras.Model(model.input, flatten.input)
    shape = (None, None, model.input_shape[-1])
    image = keras.Input(shape, dtype=model.input.dtype, name=model.input.name)
    clone = keras.models.clone_model(features, input_tensors=image)
    set_weights(clone, features.get_weights())
    x, window = clone.output, flatten.input.shape[1:3]
    for layer in top[:-1]:
        if isinstance(layer, layers.Dense):
            x = _convolution(layer, x, window, layer.activation, layer.name)
            window = (1, 1)
        else:
            x = layers.Dropout(layer.rate, name=layer.name)(x)
    last = top[-1]
    x = _convolution(last, x, window, None, "score_map")
    x = layers.GlobalAveragePooling2D(name="avg_pool", dtype=last.dtype_policy)(x)
    x = layers.Activation(last.activation, name=last.name, dtype=last.dtype_policy)(x)
    return keras.Model(image, x, name=f"{model.name}_fully_convolutional")


def _split(model):
    """The Flatten layer and the list of what follows."""
    operations = keras.Model(model.inputs, model.outputs).operations  # `layers` lacks `keras.ops`
    names = [type(layer).__name__ for layer in operations]
    first = names.index("Flatten") if "Flatten" in names else len(names)
    if names[-1] != "Dense" or not set(names[first + 1 :]) <= {"Dense", "Dropout"}:
        raise InputError(
            "The model must end in Flatten and dense layers, as VGG16, AlexNet and ZFNet do. "
            f"Received: {model.name}, which ends in {', '.join(names[-3:])}."
        )
    return operations[first], operations[first + 1 :]


def _convolution(dense, x, window, activation, name):
    """A dense layer as a convolution over windows of `x`."""
    layer = layers.Conv2D(
        dense.units,
        window,
        activation=activation,
        use_bias=dense.use_bias,
        kernel_initializer="zeros",
        dtype=dense.dtype_policy,
        name=name,
    )
    y = layer(x)
    layer.set_weights(
        [old.reshape(new.shape) for old, new in zip(dense.get_weights(), layer.weights)]
    )
    return y
