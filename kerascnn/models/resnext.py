"""ResNeXt: Xie, Girshick, Dollar, Tu and He 2017, arXiv:1611.05431, Table 1 and Fig. 3."""

from keras import layers

from kerascnn._errors import InputError, one_of
from kerascnn.models._blocks import (
    IMAGENET_BLOCKS,
    add_relu,
    average_pool_top,
    bn,
    bottleneck,
    cifar_stages,
    conv,
    conv_bn_relu,
    imagenet_stem,
    shortcut,
    stages,
)
from kerascnn.models._builder import documented, finish, image_input, named_variant

__all__ = [
    "CifarResNeXt",
    "CifarResNeXt29x16x64d",
    "CifarResNeXt29x8x64d",
    "ResNeXt",
    "ResNeXt101",
    "ResNeXt50",
]


def split_transform(x, filters, width, stride, cardinality, name, early_concatenation):
    """Fig. 3a: the sum of `cardinality` paths; Fig. 3b: their concatenation before the last 1x1."""
    paths = []
    for i in range(1, cardinality + 1):
        path = f"{name}_path{i}"
        y = conv_bn_relu(x, width // cardinality, 1, name=f"{path}_1")
        y = conv_bn_relu(y, width // cardinality, 3, stride, name=f"{path}_2")
        paths.append(y if early_concatenation else conv(y, filters, 1, name=f"{path}_3"))
    if early_concatenation:
        y = (
            paths[0]
            if cardinality == 1
            else layers.Concatenate(name=f"{name}_concatenation")(paths)
        )
        return bn(conv(y, filters, 1, name=f"{name}_3"), f"{name}_3")
    y = paths[0] if cardinality == 1 else layers.Add(name=f"{name}_sum")(paths)
    return bn(y, f"{name}_3")  # "after aggregating the transformations" (Sec. 4)


def block(x, filters, width, stride, cardinality, form, name):
    """The three equivalent forms of Fig. 3."""
    if form == "c":
        return bottleneck(x, filters, width, (1, stride), "B", name, groups=cardinality)
    y = split_transform(x, filters, width, stride, cardinality, name, form == "b")
    return add_relu(shortcut(x, filters, stride, "B", name), y, name)


@documented
def ResNeXt(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnext",
    *,
    depth,
    cardinality=32,
    width=4,
    form="c",
):
    """ResNeXt of 50, 101 or 152 layers, for 224x224 photos.

    `ResNet` whose 3x3 convolutions are split into `cardinality` groups of `width` filters (in stage
    2; doubled in each later stage): many thin paths of the same form instead of one wide one.
    "32x4d" is 32 paths of width 4. 50-32x4d has 25,028,904 trainable parameters, 101-32x4d
    44,177,704, 101-64x4d 83,455,272 and 101-32x8d 88,791,336. Names are those of `ResNet`. H and W
    of at least 32.

    Source: Xie et al. 2017, arXiv:1611.05431, Table 1 and Fig. 3; the start as in `ResNet`, with
    the fan-in of a group (the authors' code takes the fan-out of all). Differs from the paper: no.
    (101-32x8d is torchvision's, not the paper's.)

    Args:
        depth: int. 50, 101 or 152.
        cardinality: int >= 1. C, the number of paths; 1 is a bottleneck ResNet.
        width: int >= 1. d, the filters of a path in stage 2.
        form: "c", grouped convolutions; "a" or "b", the equivalent forms of Fig. 3 with every path
            written out (`stage2_block1_path1_1_conv`, ...), to study: they are slow.

    >>> model = ResNeXt(depth=50, include_top=False)
    >>> model.get_layer("stage5_block1_2_conv").groups, model.output_shape
    (32, (None, 7, 7, 2048))
    """
    _check(cardinality, width, form)
    if depth not in (50, 101, 152):
        raise InputError(f"`depth` must be 50, 101 or 152. Received: depth={depth!r}.")
    image = image_input(input_tensor, input_shape, default=(224, 224, 3), minimum=32)
    x = imagenet_stem(image)
    for block_name, factor, stride in stages(IMAGENET_BLOCKS[depth], first=2):
        inner = cardinality * width * factor
        x = block(x, 256 * factor, inner, stride, cardinality, form, block_name)
    top = average_pool_top(classifier_activation)
    builder = f"ResNeXt{depth}-{cardinality}x{width}d"
    return finish(image, x, top, builder, include_top, weights, pooling, classes, name)


@documented
def CifarResNeXt(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="cifarresnext",
    *,
    depth=29,
    cardinality=8,
    width=64,
    form="c",
):
    """ResNeXt of 9n + 2 layers, for 32x32 images.

    | stage    | output             | layers                                           |
    |----------|--------------------|--------------------------------------------------|
    | `stem`   | 32 x 32 x 64       | 3x3                                              |
    | `stage1` | 32 x 32 x 256      | n blocks 1x1, 3x3 in C groups of d filters, 1x1  |
    | `stage2` | 16 x 16 x 512      | n blocks of twice the width, the first by 2      |
    | `stage3` | 8 x 8 x 1024       | n blocks of four times the width, the first by 2 |
    | `output` | classes            | global average, dense                            |

    29 layers, 8x64d: 34,426,698 trainable parameters; 16x64d: 68,155,210. Block i of stage s ends
    in `stage{s}_block{i}_out`. H and W of at least 4.

    Source: Xie et al. 2017, arXiv:1611.05431, Sec. 5.3 and Appendix A. Differs from the paper: no.

    Args:
        depth: int. 9n + 2 for an n of at least 1.
        cardinality: int >= 1. C, the number of paths.
        width: int >= 1. d, the filters of a path in stage 1.
        form: "c", grouped convolutions; "a" or "b", the equivalent forms of Fig. 3 with every path
            written out, to study.

    >>> CifarResNeXt(depth=11, cardinality=2, width=4).output_shape
    (None, 10)
    """
    _check(cardinality, width, form)
    image = image_input(input_tensor, input_shape, default=(32, 32, 3), minimum=4)
    x = conv_bn_relu(image, 64, 3, name="stem")
    for block_name, factor, stride in cifar_stages(depth, layers_per_block=3, other_layers=2):
        inner = cardinality * width * factor
        x = block(x, 256 * factor, inner, stride, cardinality, form, block_name)
    top = average_pool_top(classifier_activation)
    return finish(image, x, top, "CifarResNeXt", include_top, weights, pooling, classes, name)


def _check(cardinality, width, form):
    one_of(form, ["a", "b", "c"], "form")
    if not all(isinstance(n, int) and n >= 1 for n in (cardinality, width)):
        raise InputError(
            "`cardinality` and `width` must be ints of at least 1. "
            f"Received: cardinality={cardinality!r}, width={width!r}."
        )


ResNeXt50 = named_variant(ResNeXt, "ResNeXt50", "ResNeXt-50 (32x4d), for photos.", depth=50)
ResNeXt101 = named_variant(
    ResNeXt, "ResNeXt101", "ResNeXt-101 (32x4d by default), for photos.", depth=101
)
CifarResNeXt29x8x64d = named_variant(
    CifarResNeXt,
    "CifarResNeXt29x8x64d",
    "ResNeXt-29, 8x64d, for 32x32 images.",
    depth=29,
    cardinality=8,
    width=64,
)
CifarResNeXt29x16x64d = named_variant(
    CifarResNeXt,
    "CifarResNeXt29x16x64d",
    "ResNeXt-29, 16x64d, for 32x32 images.",
    depth=29,
    cardinality=16,
    width=64,
)
