"""Blocks that the residual families share, as functions of (input, width, stride, name).

Strided windows are centred by explicit padding, as in Torch and PyTorch: with padding="same"
TensorFlow would shift them by a pixel. (Caffe centres convolutions alone: the stem's pooling begins
at the first pixel there.)
"""

from keras import initializers, layers

from kerascnn._errors import InputError
from kerascnn.models._builder import output_dtype

__all__ = [
    "IMAGENET_BLOCKS",
    "add",
    "add_relu",
    "average_pool_top",
    "basic",
    "bn_relu",
    "bottleneck",
    "cifar_stages",
    "bn",
    "conv",
    "conv_bn",
    "conv_bn_relu",
    "imagenet_stem",
    "shortcut",
    "shortcut_v2",
    "stages",
    "stem_pool",
]

IMAGENET_BLOCKS = {  # He et al. 2016, Table 1. depth: number of blocks in conv2_x .. conv5_x
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def he_normal():
    """N(0, 2 / fan_in), not truncated: He et al. 2015, arXiv:1502.01852, eq. 10."""
    return initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def conv(x, filters, kernel_size, stride=1, *, groups=1, use_bias=False, name):
    padding = "same"
    if stride > 1 and kernel_size > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
        padding = "valid"
    return layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding,
        groups=groups,
        use_bias=use_bias,
        kernel_initializer=he_normal(),
        name=f"{name}_conv",
    )(x)


def bn(x, name, epsilon=1e-5):
    """Batch normalisation with the constants of the authors' code, not those of Keras."""
    return layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=f"{name}_bn")(x)


def relu(x, name):
    return layers.ReLU(name=f"{name}_relu")(x)


def bn_relu(x, name, epsilon=1e-5):
    return relu(bn(x, name, epsilon), name)


def conv_bn(x, filters, kernel_size, stride=1, *, groups=1, name):
    return bn(conv(x, filters, kernel_size, stride, groups=groups, name=name), name)


def conv_bn_relu(x, filters, kernel_size, stride=1, *, groups=1, name):
    return relu(conv_bn(x, filters, kernel_size, stride, groups=groups, name=name), name)


def add(x, y, name):
    # The shortcut first: Keras walks the graph by recursion, along first inputs, and a frame a
    # block is what ResNet-1202 can afford.
    return layers.Add(name=f"{name}_out")([x, y])


def add_relu(x, y, name):
    """One node of the graph instead of two, for the same reason."""
    both = layers.Pipeline([layers.Add(), layers.ReLU()], name=f"{name}_out")
    # Pipeline's own default, training=True, would reach every later layer of a `model(x)`.
    return both([x, y], training=False)


def shortcut(x, filters, stride, option, name, project=conv_bn):
    """What is added to the branch: options A, B and C of He et al. 2016, Sec. 3.3 and 4.1.

    A: the identity, subsampled, with zeros for the new channels. B: a projection where the shape
    changes. C: always a projection. "A, averaged": the mean of the pixels that A leaves one of
    (Huang et al. 2016, Sec. 4).
    """
    changes = stride > 1 or x.shape[-1] != filters
    if option == "C" or (option == "B" and changes):
        return project(x, filters, 1, stride, name=f"{name}_0")
    window = stride if option == "A, averaged" else 1
    return zero_pad(x, filters, stride, f"{name}_0", window) if changes else x


def shortcut_v2(x, activated, filters, stride, option, name):
    """That of a pre-activation block: identities of its input, projections of its activation.

    He et al. 2016, arXiv:1603.05027, eq. 9 and Appendix.
    """
    changes = stride > 1 or x.shape[-1] != filters
    source = activated if option == "C" or (option == "B" and changes) else x
    return shortcut(source, filters, stride, option, name, project=conv)


def zero_pad(x, filters, stride, name, window=1):
    """Every `stride`-th pixel of `x` or the mean of a window, and zeros up to `filters` channels.

    `filters` is a multiple of the channels of `x`.
    """
    if stride > 1:
        x = layers.AveragePooling2D(window, stride, padding="same", name=f"{name}_pool")(x)
    new = filters // x.shape[-1] - 1
    if not new:
        return x
    zeros = layers.Rescaling(0.0, name=f"{name}_zeros")(x)
    return layers.Concatenate(name=f"{name}_pad")([x] + [zeros] * new)


def imagenet_stem(x):
    """7x7/2, batch normalisation, ReLU, 3x3/2 maximum: a quarter of H and W, 64 channels."""
    return stem_pool(conv_bn_relu(x, 64, 7, 2, name="stem"))


def stem_pool(x):
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # zeros are no maximum after a ReLU
    return layers.MaxPooling2D(3, 2, name="stem_pool")(x)


def basic(x, filters, stride, option, name, join=add_relu):
    """3x3, 3x3: He et al. 2016, Fig. 5 left."""
    y = conv_bn_relu(x, filters, 3, stride, name=f"{name}_1")
    y = conv_bn(y, filters, 3, name=f"{name}_2")
    return join(shortcut(x, filters, stride, option, name), y, name)


def bottleneck(x, filters, width, strides, option, name, groups=1):
    """1x1 to `width`, 3x3, 1x1 to `filters`: He et al. 2016, Fig. 5 right.

    Args:
        strides: (int, int), of the first 1x1 and of the 3x3.
        groups: int. Groups of the 3x3, as in ResNeXt.
    """
    y = conv_bn_relu(x, width, 1, strides[0], name=f"{name}_1")
    y = conv_bn_relu(y, width, 3, strides[1], groups=groups, name=f"{name}_2")
    y = conv_bn(y, filters, 1, name=f"{name}_3")
    return add_relu(shortcut(x, filters, max(strides), option, name), y, name)


def average_pool_top(activation, kernel_initializer=None):
    """The end of these networks: global average, then one dense layer."""

    def top(x, classes):
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        return layers.Dense(
            classes,
            activation,
            kernel_initializer=kernel_initializer or he_normal(),
            dtype=output_dtype(),
            name="output",
        )(x)

    return top


def stages(counts, first):
    """(name, factor of the width, stride) of each block.

    Every stage but the first halves H and W in its first block and doubles the width.

    Args:
        counts: ints, the blocks of each stage.
        first: int, the paper's number of the first stage.
    """
    for i, count in enumerate(counts):
        for block in range(1, count + 1):
            yield f"stage{first + i}_block{block}", 2**i, 2 if i and block == 1 else 1


def cifar_stages(depth, layers_per_block, other_layers):
    """The blocks of three equal stages, which make a network of `depth` layers."""
    step = 3 * layers_per_block
    count, rest = divmod(depth - other_layers, step) if isinstance(depth, int) else (0, 0)
    if count < 1 or rest:
        possible = ", ".join(str(n * step + other_layers) for n in (1, 2, 3))
        raise InputError(
            f"`depth` must be {step}n + {other_layers} for an n of at least 1: {possible} ... "
            f"Received: depth={depth!r}."
        )
    return stages((count,) * 3, first=1)
