"""FractalNet: Larsson, Maire and Shakhnarovich 2017, arXiv:1605.07648, Sec. 3 and Fig. 1."""

import re

import keras
from keras import layers

from kerascnn._calls import follow
from kerascnn._errors import InputError, one_of
from kerascnn._state import set_weights
from kerascnn.layers import FractalJoin, FractalPath
from kerascnn.models._blocks import average_pool_top, bn_relu, stem_pool
from kerascnn.models._builder import documented, finish, image_input, named_variant

__all__ = ["FractalNet", "FractalNet20", "FractalNet34", "extract_column"]


def conv_bn_relu(x, filters, kernel_size, name, stride=1):
    """Convolutions have biases, as in Caffe, and start as Glorot and Bengio 2010."""
    if stride > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.Conv2D(filters, kernel_size, stride, padding, name=f"{name}_conv")(x)
    return bn_relu(x, name)


def fractal(x, filters, num_columns, join, name):
    """f_C(x), written as a loop over the rows of its deepest column.

    Column c has 2**(c - 1) convolutions, evenly spread over the 2**(C - 1) rows. Where several
    columns end in the same row, one join takes the mean of them all (Fig. 1 right).
    """
    columns = range(1, num_columns + 1)
    outputs, counts = dict.fromkeys(columns, x), dict.fromkeys(columns, 0)
    for row in range(1, 2 ** (num_columns - 1) + 1):
        ending = [c for c in columns if row % 2 ** (num_columns - c) == 0]
        for c in ending:
            counts[c] += 1
            outputs[c] = conv_bn_relu(outputs[c], filters, 3, f"{name}_column{c}_{counts[c]}")
        if len(ending) > 1:
            joined = join([outputs[c] for c in ending], ending, f"{name}_join{row}")
            outputs.update(dict.fromkeys(ending, joined))
    return outputs[num_columns]


def joining(image, num_columns, drop_path_rate):
    """The function that joins columns: their mean, with drop-path unless the rate is 0."""
    if not 0 <= drop_path_rate < 1:
        raise InputError(
            f"`drop_path_rate` must be in [0, 1). Received: drop_path_rate={drop_path_rate}."
        )
    if drop_path_rate == 0 or num_columns == 1:
        return lambda tensors, columns, name: layers.Average(name=name)(tensors)
    path = FractalPath(num_columns, name="path")(image)

    def join(tensors, columns, name):
        mean = FractalJoin([c - 1 for c in columns], drop_path_rate, name=name)
        return mean([*tensors, path])

    return join


@documented
def FractalNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="fractalnet",
    *,
    num_columns,
    filters=(64, 128, 256, 512, 512),
    drop_path_rate=0.15,
    dropout_rates=(0.0, 0.1, 0.2, 0.3, 0.4),
):
    """FractalNet of B blocks and C columns, B * 2^(C-1) layers deep, for 32x32 images.

    | stage    | output          | layers                                      |
    |----------|-----------------|---------------------------------------------|
    | `stage1` | 16 x 16 x 64    | f_C of 3x3, then 2x2 maximum                |
    | `stage2` | 8 x 8 x 128     | f_C, 2x2 maximum                            |
    | `stage3` | 4 x 4 x 256     | f_C, 2x2 maximum                            |
    | `stage4` | 2 x 2 x 512     | f_C, 2x2 maximum                            |
    | `stage5` | 1 x 1 x 512     | f_C, 2x2 maximum                            |
    | `output` | classes         | dense                                       |

    f_1 is a convolution, f_{C+1}(x) the mean of f_C(f_C(x)) and a convolution: no signal passes
    unchanged, as it does in a residual network. Convolution i of column c (C is the deepest) in
    stage s is `stage{s}_column{c}_{i}_conv`, joins are `stage{s}_join{row}`. With 5 blocks, 3
    columns make 20 layers (33,734,922 trainable parameters) and 4 make 40.

    Drop-path: in half of the training batches each join leaves out each of its inputs with
    probability `drop_path_rate`, but never all; in the other half a single column, drawn at random,
    is the whole network. So any column can be used alone: `extract_column`. Sizes other than 32
    are averaged after the last stage; H and W of at least 2 to the power of the blocks.

    Inputs: images whose channels have mean 0 and variance 1. Weights start as Glorot and Bengio's.

    Source: Larsson et al. 2017, arXiv:1605.07648, Sec. 3 and 4. Differs from the paper: it does not
    say where in a block its dropout is; here at the end. Differs from its first author's generator
    of networks: that has dropout after every convolution, pools each column before the last join of
    a block, takes Caffe's "xavier" of the fan-in alone, and no scale and shift after normalising.

    Args:
        num_columns: int >= 1. C; 1 is a plain network.
        filters: ints, the width of each block.
        drop_path_rate: float in [0, 1). 0 leaves drop-path out, local and global.
        dropout_rates: floats in [0, 1), one for each block, or None for no dropout.

    >>> model = FractalNet(num_columns=2, filters=(8, 16), dropout_rates=None)
    >>> names = [layer.name for layer in model.layers if layer.name.endswith("_conv")]
    >>> sorted(name for name in names if name.startswith("stage1"))
    ['stage1_column1_1_conv', 'stage1_column2_1_conv', 'stage1_column2_2_conv']
    """
    rates = (0.0,) * len(filters) if dropout_rates is None else dropout_rates
    _check(num_columns)
    if len(rates) != len(filters) or not all(0 <= rate < 1 for rate in rates):
        raise InputError(
            f"`dropout_rates` must be None or {len(filters)} numbers in [0, 1), one for each "
            f"block. Received: dropout_rates={dropout_rates}."
        )
    image = image_input(
        input_tensor,
        input_shape,
        default=(32, 32, 3),
        minimum=2 ** len(filters),
        fixed_size=False,
    )
    join = joining(image, num_columns, drop_path_rate)
    x = image
    for stage, (width, rate) in enumerate(zip(filters, rates), start=1):
        x = fractal(x, width, num_columns, join, f"stage{stage}")
        x = layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
        x = layers.Dropout(rate, name=f"stage{stage}_dropout")(x) if rate else x
    top = average_pool_top(classifier_activation, "glorot_uniform")
    return finish(image, x, top, "FractalNet", include_top, weights, pooling, classes, name)


@documented
def FractalNet34(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="fractalnet34",
    *,
    num_columns=4,
    drop_path_rate=0.15,
):
    """FractalNet-34, for 224x224 photos: the first and last layers of ResNet-34, fractal between.

    | stage    | output            | layers                    |
    |----------|-------------------|---------------------------|
    | `stem`   | 56 x 56 x 64      | 7x7/2, then 3x3/2 maximum |
    | `stage1` | 28 x 28 x 128     | f_4, 2x2 maximum          |
    | `stage2` | 14 x 14 x 256     | f_4, 2x2 maximum          |
    | `stage3` | 7 x 7 x 512       | f_4, 2x2 maximum          |
    | `stage4` | 7 x 7 x 1024      | f_4                       |
    | `output` | classes           | global average, dense     |

    Its deepest column has 4 blocks of 8 layers; drop-path and names are those of `FractalNet`. H
    and W of at least 32.

    Source: Larsson et al. 2017, arXiv:1605.07648, Sec. 4. Differs from the paper: no.

    Args:
        num_columns: int >= 1. C.
        drop_path_rate: float in [0, 1). 0 leaves drop-path out, local and global.

    >>> FractalNet34(num_columns=1, include_top=False).output_shape
    (None, 7, 7, 1024)
    """
    _check(num_columns)
    image = image_input(input_tensor, input_shape, default=(224, 224, 3), minimum=32)
    join = joining(image, num_columns, drop_path_rate)
    x = stem_pool(conv_bn_relu(image, 64, 7, "stem", stride=2))
    for stage, width in enumerate((128, 256, 512, 1024), start=1):
        x = fractal(x, width, num_columns, join, f"stage{stage}")
        if stage < 4:
            x = layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    top = average_pool_top(classifier_activation, "glorot_uniform")
    return finish(image, x, top, "FractalNet34", include_top, weights, pooling, classes, name)


def extract_column(model, column):
    """One column of a trained FractalNet as a plain network of its own.

    The deepest one, `column=num_columns`, is the answer that the paper keeps; shallower ones are
    quicker. Layers keep their names and get copies of the weights; joins and drop-path are gone.

    Source: Larsson et al. 2017, arXiv:1605.07648, Sec. 4.2 ("deepest column").

    Args:
        model: what `FractalNet`, `FractalNet20` or `FractalNet34` returned.
        column: int from 1 (shallowest) to the number of columns.

    Returns:
        `keras.Model` with the input and output shapes of `model`.

    Raises:
        InputError: `model` has no such column.

    >>> model = FractalNet(num_columns=2, filters=(8, 16), dropout_rates=None)
    >>> plain = extract_column(model, 1)
    >>> [layer.name for layer in plain.layers if layer.name.endswith("_conv")]
    ['stage1_column1_1_conv', 'stage2_column1_1_conv']
    """
    found = {
        m[1] for layer in model.layers if (m := re.match(r"stage\d+_column(\d+)_", layer.name))
    }
    one_of(column, sorted(map(int, found)), "column")
    others = re.compile(rf"stage\d+_(join|column(?!{column}_))|path$")
    x = model.input

    def apply(name, layer, args, kwargs):
        nonlocal x
        if others.match(name):
            return x  # what it would join, or what nothing of this column reads
        if isinstance(layer, keras.layers.Layer):
            copy = layer.__class__.from_config(layer.get_config())
            x = copy(*args, **kwargs)
            set_weights(copy, layer.get_weights())
        else:
            x = layer(*args, **kwargs)
        return x

    follow(model, [x], apply)
    return keras.Model(model.input, x, name=f"{model.name}_column{column}")


def _check(num_columns):
    if not isinstance(num_columns, int) or num_columns < 1:
        raise InputError(
            f"`num_columns` must be an int of at least 1. Received: num_columns={num_columns!r}."
        )


FractalNet20 = named_variant(
    FractalNet,
    "FractalNet20",
    "FractalNet of 5 blocks and 3 columns, for 32x32 images.",
    num_columns=3,
)
