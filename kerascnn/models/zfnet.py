"""ZFNet: Zeiler and Fergus 2014 (ECCV), arXiv:1311.2901, Fig. 3."""

from keras import layers

from kerascnn.constraints import MaxRMS
from kerascnn.layers import LocalResponseNormalization
from kerascnn.models._builder import documented, finish, image_input
from kerascnn.models._fully_connected import fully_connected_top, normal

__all__ = ["ZFNet"]


def conv(x, filters, kernel_size, name, strides=1, padding="same"):
    """Convolution and ReLU; in training, no filter's root mean square exceeds 0.1."""
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        activation="relu",
        kernel_initializer=normal(),
        kernel_constraint=MaxRMS(0.1),
        name=name,
    )(x)


def pool(x, name, padding="valid"):
    """Overlapping maximum, 3x3/2. "same" halves an even size, as Fig. 3 does."""
    return layers.MaxPooling2D(3, 2, padding, name=name)(x)


@documented
def ZFNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="zfnet",
    *,
    wide=False,
):
    """ZFNet, AlexNet after a look inside: 62,357,608 parameters, 224x224 photos.

    | layer    | output     | parameters |                                        |
    |----------|------------|------------|----------------------------------------|
    | `conv1`  | 110x110x96 | 14,208     | 7x7/2 (AlexNet: 11x11/4)               |
    | `pool1`  | 55x55x96   |            | 3x3/2, overlapping                     |
    | `norm1`  | 55x55x96   |            | over 5 neighbouring channels           |
    | `conv2`  | 26x26x256  | 614,656    | 5x5/2 (AlexNet: 5x5, in two towers)    |
    | `pool2`  | 13x13x256  |            |                                        |
    | `norm2`  | 13x13x256  |            |                                        |
    | `conv3`  | 13x13x384  | 885,120    | 3x3; no towers here or below           |
    | `conv4`  | 13x13x384  | 1,327,488  | 3x3                                    |
    | `conv5`  | 13x13x256  | 884,992    | 3x3                                    |
    | `pool5`  | 6x6x256    |            |                                        |
    | `fc6`    | 4096       | 37,752,832 | dropout 0.5 after it                   |
    | `fc7`    | 4096       | 16,781,312 | dropout 0.5 after it                   |
    | `output` | 1000       | 4,097,000  |                                        |

    During training each convolution's filters whose root mean square exceeds 0.1 are scaled back to
    it (`kerascnn.constraints.MaxRMS`). Weights start as N(0, 0.01^2), biases at 0. Inputs: RGB of
    0-255 minus the training set's mean image.

    Sizes from 53x53 up work. Without the top the network ends in `pool5`; for the features of `fc6`
    or `fc7` build it with the top and take `model.get_layer("fc6").output`.

    Source: Zeiler and Fergus 2014, arXiv:1311.2901, Fig. 3 and Sec. 3. Differs from the paper where
    it has to be read: "weights are initialized to 10^-2" as the standard deviation, since equal
    weights would stay equal; "contrast normalized across feature maps", after the pooling, as the
    response normalisation of AlexNet; the padding, which is not given, from the sizes of Fig. 3: 1
    around the image, and pooling windows over the edge where a size is even.

    Args:
        wide: bool. 512, 1024 and 512 filters in `conv3`, `conv4` and `conv5` (Sec. 5.1, Table 2;
            107,627,624 parameters) instead of 384, 384 and 256.

    >>> model = ZFNet(input_shape=(64, 64, 3), classes=10)
    >>> model.get_layer("pool5").output.shape, model.output_shape
    ((None, 1, 1, 256), (None, 10))
    """
    image = image_input(
        input_tensor, input_shape, default=(224, 224, 3), minimum=53, fixed_size=include_top
    )
    x = layers.ZeroPadding2D(1, name="conv1_pad")(image)
    x = conv(x, 96, 7, "conv1", strides=2, padding="valid")
    x = pool(x, "pool1", padding="same")
    x = LocalResponseNormalization(name="norm1")(x)
    x = conv(x, 256, 5, "conv2", strides=2, padding="valid")
    x = pool(x, "pool2", padding="same")
    x = LocalResponseNormalization(name="norm2")(x)
    for i, filters in enumerate((512, 1024, 512) if wide else (384, 384, 256), start=3):
        x = conv(x, filters, 3, f"conv{i}")
    x = pool(x, "pool5")
    top = fully_connected_top(classifier_activation)
    return finish(
        image,
        x,
        top,
        "ZFNet-wide" if wide else "ZFNet",
        include_top,
        weights,
        pooling,
        classes,
        name,
    )
