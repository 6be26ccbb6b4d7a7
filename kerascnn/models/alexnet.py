"""AlexNet: Krizhevsky, Sutskever and Hinton 2012 (NeurIPS 25), Fig. 2 and Sec. 3.5."""

from keras import initializers, layers

from kerascnn._errors import one_of
from kerascnn.layers import LocalResponseNormalization
from kerascnn.models._builder import documented, finish, image_input
from kerascnn.models._fully_connected import fully_connected_top, normal

__all__ = ["AlexNet"]

VARIANTS = {  # filters of conv1-5, towers, response normalisation, image size, padding of conv1
    "two-tower": ((96, 256, 384, 384, 256), 2, True, 227, 0),
    "single-tower": ((96, 256, 384, 384, 256), 1, True, 227, 0),
    "one-weird-trick": ((64, 192, 384, 256, 256), 1, False, 224, 2),
}


def conv(x, filters, kernel_size, name, strides=1, padding="same", towers=1, bias=0.0):
    """Convolution and ReLU; each tower reads and writes its own part of the maps."""
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        groups=towers,
        activation="relu",
        kernel_initializer=normal(),
        bias_initializer=initializers.Constant(bias),
        name=name,
    )(x)


def pool(x, name, normalized=False):
    """Overlapping maximum, 3x3/2, of the normalised responses if wanted."""
    if normalized:
        x = LocalResponseNormalization(name=name.replace("pool", "norm"))(x)
    return layers.MaxPooling2D(3, 2, name=name)(x)


@documented
def AlexNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="alexnet",
    *,
    variant="two-tower",
):
    """AlexNet, the winner of ILSVRC 2012: 60,965,224 parameters, 227x227 photos.

    | layer    | output    | parameters |                                                  |
    |----------|-----------|------------|--------------------------------------------------|
    | `conv1`  | 55x55x96  | 34,944     | 11x11/4                                          |
    | `norm1`  | 55x55x96  |            | over 5 neighbouring channels                     |
    | `pool1`  | 27x27x96  |            | 3x3/2, overlapping                               |
    | `conv2`  | 27x27x256 | 307,456    | 5x5, each tower for itself                       |
    | `norm2`  | 27x27x256 |            |                                                  |
    | `pool2`  | 13x13x256 |            |                                                  |
    | `conv3`  | 13x13x384 | 885,120    | 3x3, reads both towers                           |
    | `conv4`  | 13x13x384 | 663,936    | 3x3, each tower for itself                       |
    | `conv5`  | 13x13x256 | 442,624    | 3x3, each tower for itself                       |
    | `pool5`  | 6x6x256   |            |                                                  |
    | `fc6`    | 4096      | 37,752,832 | dropout 0.5 after it                             |
    | `fc7`    | 4096      | 16,781,312 | dropout 0.5 after it                             |
    | `output` | 1000      | 4,097,000  |                                                  |

    The two towers, a GPU each in 2012, are the two groups of a grouped convolution. Weights start
    as N(0, 0.01^2), biases at 1 in `conv2`, `conv4`, `conv5`, `fc6` and `fc7` and at 0 elsewhere.
    Inputs: RGB of 0-255 minus the training set's mean image.

    Sizes from 67x67 up work. Without the top the network ends in `pool5`; for the features of `fc6`
    or `fc7` build it with the top and take `model.get_layer("fc6").output`.

    Source: Krizhevsky et al. 2012, Fig. 2; Sec. 3.3 (normalisation, before the pooling), 3.4
    (pooling), 3.5 (layers), 4.2 (dropout), 5 (start). Differs from the paper: its text says
    224x224, but only 227x227 gives the 55x55 of its Fig. 2 without padding; at the seam of the
    towers the normalisation reads channels of both, as in Caffe.

    Args:
        variant: "two-tower", the paper's; "single-tower", the same without groups (62,378,344
            parameters); or "one-weird-trick", the narrower single tower of Krizhevsky 2014,
            arXiv:1404.5997, in the form of torchvision's `alexnet` (61,100,840 parameters): 64,
            192, 384, 256 and 256 filters, 224x224 photos with a padding of 2, sizes from 63x63 up,
            no response normalisation. Its author's own files keep the normalisation, and
            torchvision has the dropout before `fc6` and `fc7`, here it is after them.

    >>> model = AlexNet(input_shape=(67, 67, 3), classes=10)
    >>> model.get_layer("conv2").groups, model.get_layer("pool5").output.shape
    (2, (None, 1, 1, 256))
    """
    filters, towers, normalized, size, padding = VARIANTS[one_of(variant, VARIANTS, "variant")]
    image = image_input(
        input_tensor,
        input_shape,
        default=(size, size, 3),
        minimum=67 - 2 * padding,
        fixed_size=include_top,
    )
    x = layers.ZeroPadding2D(padding, name="conv1_pad")(image) if padding else image
    x = conv(x, filters[0], 11, "conv1", strides=4, padding="valid")
    x = pool(x, "pool1", normalized)
    x = conv(x, filters[1], 5, "conv2", towers=towers, bias=1.0)
    x = pool(x, "pool2", normalized)
    x = conv(x, filters[2], 3, "conv3")
    x = conv(x, filters[3], 3, "conv4", towers=towers, bias=1.0)
    x = conv(x, filters[4], 3, "conv5", towers=towers, bias=1.0)
    x = pool(x, "pool5")
    top = fully_connected_top(classifier_activation, hidden_bias=1.0)
    builder = f"AlexNet-{variant}"
    return finish(image, x, top, builder, include_top, weights, pooling, classes, name)
