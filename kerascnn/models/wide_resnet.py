"""Wide residual networks: Zagoruyko and Komodakis 2016, arXiv:1605.07146, Table 1 and Sec. 3."""

from keras import layers

from kerascnn._errors import InputError
from kerascnn.models._blocks import (
    IMAGENET_BLOCKS,
    add,
    average_pool_top,
    bn_relu,
    bottleneck,
    cifar_stages,
    conv,
    imagenet_stem,
    shortcut,
    stages,
)
from kerascnn.models._builder import documented, finish, image_input, named_variant

__all__ = [
    "WideBottleneckResNet",
    "WideResNet",
    "WideResNet16x2",
    "WideResNet16x4",
    "WideResNet28x10",
    "WideResNet40x4",
    "WideResNet50x2",
]


def wide(x, filters, stride, dropout_rate, name):
    """Pre-activation block B(3, 3) with dropout between its convolutions (Fig. 1d)."""
    y = bn_relu(x, f"{name}_1")
    # Where the shape changes both paths start from the activation, as in the authors' code.
    skip = x
    if stride > 1 or x.shape[-1] != filters:
        skip = shortcut(y, filters, stride, "B", name, project=conv)
    y = bn_relu(conv(y, filters, 3, stride, name=f"{name}_1"), f"{name}_2")
    if dropout_rate:
        y = layers.Dropout(dropout_rate, name=f"{name}_dropout")(y)
    return add(skip, conv(y, filters, 3, name=f"{name}_2"), name)


@documented
def WideResNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="wideresnet",
    *,
    depth,
    width,
    dropout_rate=0.0,
):
    """Wide ResNet of 6n + 4 layers, WRN-depth-width, for 32x32 images.

    | stage    | output            | layers                                  |
    |----------|-------------------|-----------------------------------------|
    | `stem`   | 32 x 32 x 16      | 3x3                                     |
    | `stage1` | 32 x 32 x 16k     | n pre-activation blocks of two 3x3      |
    | `stage2` | 16 x 16 x 32k     | n blocks, the first by 2                |
    | `stage3` | 8 x 8 x 64k       | n blocks, the first by 2                |
    | `output` | classes           | global average, dense                   |

    Fewer layers of more filters learn as well as a thin network of a thousand layers, and train
    faster. WRN-16-2 has 691,674, 16-4 2,748,890, 40-4 8,949,210 and 28-10 36,479,194 trainable
    parameters. Block i of stage s ends in `stage{s}_block{i}_out`. H and W of at least 4.

    Inputs: images whose channels have mean 0 and variance 1 over the training set. Weights start
    from N(0, 2 / fan-in), biases at 0.

    Source: Zagoruyko and Komodakis 2016, arXiv:1605.07146, Table 1; the start: He et al. 2015,
    arXiv:1502.01852, eq. 10, as in the authors' PyTorch code; the paper names none. Differs from
    the paper: no.

    Args:
        depth: int. 6n + 4 for an n of at least 1.
        width: int >= 1. The factor k.
        dropout_rate: float in [0, 1), between the convolutions of a block. The paper uses 0,
            0.3 on CIFAR, 0.4 on SVHN.

    >>> WideResNet(depth=10, width=1).output_shape
    (None, 10)
    """
    _check(width)
    if not 0 <= dropout_rate < 1:
        raise InputError(
            f"`dropout_rate` must be in [0, 1). Received: dropout_rate={dropout_rate}."
        )
    image = image_input(input_tensor, input_shape, default=(32, 32, 3), minimum=4)
    x = conv(image, 16, 3, name="stem")
    for block, factor, stride in cifar_stages(depth, layers_per_block=2, other_layers=4):
        x = wide(x, 16 * factor * width, stride, dropout_rate, block)
    top = average_pool_top(classifier_activation)
    x = bn_relu(x, "last")
    builder = f"WideResNet{depth}x{width}"
    return finish(image, x, top, builder, include_top, weights, pooling, classes, name)


@documented
def WideBottleneckResNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="widebottleneckresnet",
    *,
    depth,
    width,
):
    """Wide ResNet of 50, 101 or 152 layers, WRN-depth-width-bottleneck, for 224x224 photos.

    `ResNet` with `width` times as many filters in the first 1x1 and the 3x3 of its bottlenecks;
    everything else, names included, is the same. WRN-50-2 has 68,883,240 trainable parameters. H
    and W of at least 32.

    Source: Zagoruyko and Komodakis 2016, arXiv:1605.07146, Sec. 3 ("WRN-50-2-bottleneck") and
    its code, with the stride in the 3x3; the start as in `ResNet`. Differs from the paper: no.

    Args:
        depth: int. 50, 101 or 152.
        width: int >= 1. The factor; 1 is `ResNet`.

    >>> model = WideBottleneckResNet(depth=50, width=2, include_top=False)
    >>> model.get_layer("stage2_block1_2_conv").filters, model.output_shape
    (128, (None, 7, 7, 2048))
    """
    _check(width)
    if depth not in (50, 101, 152):
        raise InputError(f"`depth` must be 50, 101 or 152. Received: depth={depth!r}.")
    image = image_input(input_tensor, input_shape, default=(224, 224, 3), minimum=32)
    x = imagenet_stem(image)
    for block, factor, stride in stages(IMAGENET_BLOCKS[depth], first=2):
        x = bottleneck(x, 256 * factor, 64 * factor * width, (1, stride), "B", block)
    top = average_pool_top(classifier_activation)
    builder = f"WideResNet{depth}x{width}"
    return finish(image, x, top, builder, include_top, weights, pooling, classes, name)


def _check(width):
    if not isinstance(width, int) or width < 1:
        raise InputError(f"`width` must be an int of at least 1. Received: width={width!r}.")


def _cifar(depth, width):
    summary = f"WRN-{depth}-{width}, for 32x32 images."
    name = f"WideResNet{depth}x{width}"
    return named_variant(WideResNet, name, summary, depth=depth, width=width)


WideResNet16x2, WideResNet16x4 = _cifar(16, 2), _cifar(16, 4)
WideResNet28x10, WideResNet40x4 = _cifar(28, 10), _cifar(40, 4)
WideResNet50x2 = named_variant(
    WideBottleneckResNet, "WideResNet50x2", "WRN-50-2, for photos.", depth=50, width=2
)
