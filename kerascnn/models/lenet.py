"""LeNet-5: LeCun, Bottou, Bengio and Haffner 1998, Proc. IEEE 86(11), Sec. II-B and Table I."""

from keras import layers

from kerascnn._errors import InputError, one_of
from kerascnn.initializers import FanInUniform
from kerascnn.layers import (
    PartiallyConnectedConv2D,
    RBFOutput,
    TrainableSubsampling,
    scaled_tanh,
)
from kerascnn.models._builder import documented, finish, image_input, output_dtype

__all__ = ["LeNet5"]

# Table I: an X where a map of C3 (column) reads a map of S2 (row).
TABLE_I = [
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
]


def conv(x, filters, name):
    """5x5 convolution without padding, then squashing."""
    initializer = FanInUniform()
    return layers.Conv2D(
        filters, 5, activation=scaled_tanh, kernel_initializer=initializer, name=name
    )(x)


def table_conv(x, table, name):
    """5x5 convolution whose map j reads the maps that column j of the table marks."""
    connections = [[int(mark == "X") for mark in row] for row in table]
    fan_in = [25 * sum(column) for column in zip(*connections)]
    return PartiallyConnectedConv2D(
        connections,
        5,
        activation=scaled_tanh,
        kernel_initializer=FanInUniform(fan_in),
        name=name,
    )(x)


def subsample(x, name):
    """Sum of 2x2, times a weight, plus a bias, then squashing."""
    return TrainableSubsampling(
        2, activation=scaled_tanh, weight_initializer=FanInUniform(4), name=name
    )(x)


def average(x, name):
    return layers.AveragePooling2D(2, name=name)(x)


@documented
def LeNet5(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="lenet5",
    *,
    variant="paper",
    output="softmax",
):
    """LeNet-5, the network that read the cheques: 60,850 parameters, 32x32 grey images.

    | layer    | maps @ size          | parameters     |
    |----------|----------------------|----------------|
    | `c1`     | 6 @ 28x28            | 156            |
    | `s2`     | 6 @ 14x14            | 12             |
    | `c3`     | 16 @ 10x10, Table I  | 1,516          |
    | `s4`     | 16 @ 5x5             | 32             |
    | `c5`     | 120 @ 1x1            | 48,120         |
    | `f6`     | 84                   | 10,164         |
    | `output` | 10                   | 850            |

    Each layer up to `f6` gives its squashed output, 1.7159 * tanh(2/3 * a), in (-1.7159, 1.7159).
    Weights start uniform within 2.4 / fan-in, biases at 0. Inputs: white paper -0.1, black ink
    1.175 (for images of bright strokes in 0-255, `keras.layers.Rescaling(0.005, -0.1)`), so that
    mean and variance are about 0 and 1; 28x28 digits are padded to 32x32 with paper.

    Sizes above 32x32 work: `c5` is then a map, and with the top `f6` reads all of it. Without the
    top the network ends in `c5`; for the 84 features of `f6` build it with the top and take
    `model.get_layer("f6").output`.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), Sec. II-B. Differs from the paper: the default
    output is dense with softmax; `output="rbf"` is the paper's, but for the sign of its scores
    (`kerascnn.layers.RBFOutput`) and drawings by hand (`kerascnn.initializers.DigitBitmaps`).

    Args:
        variant: "paper", or "modern": plain average pooling for `s2` and `s4`, and a `c3` that
            reads all maps (61,706 parameters).
        output: "softmax": a dense layer, or "rbf": distances to fixed 7x12 drawings of the ten
            digits (60,000 trainable parameters and 840 fixed ones). To train the latter with the
            paper's loss pass `classifier_activation=None` and `kerascnn.losses.RBFLoss()`.

    >>> model = LeNet5(weights="mnist")
    >>> model.count_params(), model.output_shape
    (60850, (None, 10))
    >>> LeNet5(include_top=False, input_shape=(64, 48, 3)).output_shape
    (None, 9, 5, 120)
    >>> LeNet5(output="rbf", classifier_activation=None).get_layer("output").count_params()
    840
    """
    paper = one_of(variant, ["paper", "modern"], "variant") == "paper"
    one_of(output, ["softmax", "rbf"], "output")
    if output == "rbf" and include_top and classes != 10:
        raise InputError(
            'output="rbf" has codes for the ten digits only. '
            f'Received: classes={classes}. For other classes pass output="softmax".'
        )

    def top(x, classes):
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(84, scaled_tanh, kernel_initializer=FanInUniform(), name="f6")(x)
        last = {"activation": classifier_activation, "dtype": output_dtype(), "name": "output"}
        if output == "rbf":
            return RBFOutput(classes, **last)(x)
        return layers.Dense(classes, kernel_initializer=FanInUniform(), **last)(x)

    image = image_input(
        input_tensor, input_shape, default=(32, 32, 1), minimum=32, fixed_size=include_top
    )
    x = conv(image, 6, "c1")
    x = subsample(x, "s2") if paper else average(x, "s2")
    x = table_conv(x, TABLE_I, "c3") if paper else conv(x, 16, "c3")
    x = subsample(x, "s4") if paper else average(x, "s4")
    x = conv(x, 120, "c5")
    return finish(image, x, top, "LeNet5", include_top, weights, pooling, classes, name)
