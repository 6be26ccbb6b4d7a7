"""VGG: Simonyan and Zisserman 2015, arXiv:1409.1556, Table 1."""

from keras import layers

from kerascnn._errors import InputError, one_of
from kerascnn.layers import LocalResponseNormalization
from kerascnn.models._builder import documented, finish, image_input, named_variant
from kerascnn.models._fully_connected import fully_connected_top, normal

__all__ = ["VGG", "VGG11", "VGG11LRN", "VGG13", "VGG16", "VGG16C", "VGG19", "initialize_from"]

FILTERS = (64, 128, 256, 512, 512)
TABLE_1 = {  # config: what stands before the max pooling of each stage, convolutions by their size
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3, "LRN"), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
NAMES = {
    "A": "VGG11",
    "A-LRN": "VGG11LRN",
    "B": "VGG13",
    "C": "VGG16C",
    "D": "VGG16",
    "E": "VGG19",
}


def conv(x, filters, kernel_size, batch_norm, name):
    """Convolution and ReLU, with batch normalisation in between if wanted; H and W stay."""
    x = layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        activation=None if batch_norm else "relu",
        kernel_initializer=normal(),
        name=name,
    )(x)
    if not batch_norm:
        return x
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


@documented
def VGG(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="vgg",
    *,
    config="D",
    batch_norm=False,
):
    """VGG, networks of 3x3 convolutions that halve the image five times: any row of Table 1.

    | config  | builder    | convolutions in stage 1, 2, 3, 4, 5      | parameters  |
    |---------|------------|------------------------------------------|-------------|
    | "A"     | `VGG11`    | 1, 1, 2, 2, 2                            | 132,863,336 |
    | "A-LRN" | `VGG11LRN` | 1 and response normalisation, 1, 2, 2, 2 | 132,863,336 |
    | "B"     | `VGG13`    | 2, 2, 2, 2, 2                            | 133,047,848 |
    | "C"     | `VGG16C`   | 2, 2, 3, 3, 3, each third one 1x1        | 133,638,952 |
    | "D"     | `VGG16`    | 2, 2, 3, 3, 3                            | 138,357,544 |
    | "E"     | `VGG19`    | 2, 2, 4, 4, 4                            | 143,667,240 |

    | layer         | output     |
    |---------------|------------|
    | `stage1_pool` | 112x112x64 |
    | `stage2_pool` | 56x56x128  |
    | `stage3_pool` | 28x28x256  |
    | `stage4_pool` | 14x14x512  |
    | `stage5_pool` | 7x7x512    |
    | `fc6`         | 4096       |
    | `fc7`         | 4096       |
    | `output`      | 1000       |

    Convolutions are `stage1_conv1`, ..., with their ReLU. `fc6` and `fc7` have dropout 0.5 after
    them. Weights start as N(0, 0.01^2), biases at 0. Inputs: RGB of 0-255 minus the training set's
    mean RGB; from this start the inputs must be of that size, since each layer shrinks them.

    Sizes from 32x32 up work. Without the top the network ends in `stage5_pool`; for the features of
    `fc6` or `fc7` build it with the top and take `model.get_layer("fc7").output`. For images of any
    size at test time (Sec. 3.2) see `kerascnn.models.to_fully_convolutional`. To start a deep
    network from a trained shallow one (Sec. 3.1) see `kerascnn.models.initialize_from`.

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, Table 1, Sec. 2.1 and 3.1. Differs from
    the paper: its "10^-2 variance" of the start is read as the standard deviation, since weights
    of N(0, 0.1^2) would make the first outputs explode; `batch_norm`.

    Args:
        config: "A", "A-LRN", "B", "C", "D" or "E", a column of Table 1.
        batch_norm: bool. Whether batch normalisation, which is younger than the paper, follows each
            convolution (`stage1_conv1_bn`, then `stage1_conv1_relu`; the convolution keeps its
            bias). It makes the deep networks trainable from the start.

    >>> model = VGG(config="A", input_shape=(32, 32, 3), classes=10)
    >>> model.get_layer("stage5_pool").output.shape, model.output_shape
    ((None, 1, 1, 512), (None, 10))
    """
    one_of(config, TABLE_1, "config")
    image = image_input(
        input_tensor, input_shape, default=(224, 224, 3), minimum=32, fixed_size=include_top
    )
    x = image
    for stage, (filters, row) in enumerate(zip(FILTERS, TABLE_1[config]), start=1):
        for i, size in enumerate(row, start=1):
            if size == "LRN":
                x = LocalResponseNormalization(name=f"stage{stage}_norm")(x)
            else:
                x = conv(x, filters, size, batch_norm, f"stage{stage}_conv{i}")
        x = layers.MaxPooling2D(name=f"stage{stage}_pool")(x)
    top = fully_connected_top(classifier_activation)
    builder = NAMES[config] + ("-bn" if batch_norm else "")
    return finish(image, x, top, builder, include_top, weights, pooling, classes, name)


def _variant(config):
    summary = f"VGG, configuration {config}, for 224x224 photos."
    return named_variant(VGG, NAMES[config], summary, config=config)


VGG11, VGG11LRN, VGG13, VGG16C, VGG16, VGG19 = map(_variant, NAMES)


def initialize_from(deeper, shallower):
    """Start a deep VGG from a trained shallower one, in place.

    The first four convolutions of `shallower` (with their batch normalisation) and its three dense
    layers give their weights to the layers of the same names in `deeper`; the other layers keep
    their random start. From N(0, 0.01^2) alone the deep networks do not train.

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556, Sec. 3.1. Differs from the paper: no; "the
    first four convolutional layers" are read as those of net A, which fit only in the same stages.

    Args:
        deeper: a VGG, whose weights are overwritten.
        shallower: a VGG of the same input size, channels, classes and `batch_norm`.

    Raises:
        InputError: a layer does not fit. Nothing is copied then.

    >>> shape = {"input_shape": (32, 32, 1), "classes": 10}
    >>> shallow, deep = VGG11(**shape), VGG13(**shape)
    >>> initialize_from(deep, shallow)
    >>> kernels = [model.get_layer("fc6").get_weights()[0] for model in (shallow, deep)]
    >>> bool((kernels[0] == kernels[1]).all())
    True
    """
    first = [layer.name for layer in shallower.layers if isinstance(layer, layers.Conv2D)][:4]
    given = {
        layer.name: layer.get_weights()
        for layer in shallower.layers
        if isinstance(layer, layers.Dense) or layer.name.removesuffix("_bn") in first
    }
    taken = {layer.name: layer for layer in deeper.layers if layer.name in given}
    for name, weights in given.items():
        own = [w.shape for w in taken[name].get_weights()] if name in taken else "missing"
        if own != (passed := [w.shape for w in weights]):
            raise InputError(
                f"Layer `{name}` of {shallower.name} has weights {passed}; in {deeper.name} it is "
                f"{own}. Build both with the same input_shape, classes and batch_norm."
            )
    for name, weights in given.items():
        taken[name].set_weights(weights)
