"""ResNet for ImageNet: He, Zhang, Ren and Sun 2016, arXiv:1512.03385, Table 1 and Fig. 5.

The pre-activation form (v2): He, Zhang, Ren and Sun 2016, arXiv:1603.05027.
"""

from keras import layers

from kerascnn._errors import InputError, one_of
from kerascnn.models import _blocks
from kerascnn.models._blocks import (
    IMAGENET_BLOCKS,
    add,
    average_pool_top,
    bn_relu,
    conv,
    imagenet_stem,
    shortcut_v2,
    stages,
    stem_pool,
)
from kerascnn.models._builder import documented, finish, image_input, named_variant

__all__ = ["ResNet", "ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152"]

BOTTLENECKS_FROM = 50  # layers; Table 1
VARIANTS = ["v1", "v1.5", "v2", "v2-keras"]
KERAS_EPSILON = 1.001e-5


def post_activation(image, depth, variant, option):
    """v1 and v1.5: convolution, batch normalisation, ReLU; the last ReLU after the addition."""
    x = imagenet_stem(image)
    for name, factor, stride in stages(IMAGENET_BLOCKS[depth], first=2):
        filters = 64 * factor
        if depth < BOTTLENECKS_FROM:
            x = _blocks.basic(x, filters, stride, option, name)
        else:
            strides = (stride, 1) if variant == "v1" else (1, stride)
            x = _blocks.bottleneck(x, 4 * filters, filters, strides, option, name)
    return x


def pre_activation(image, depth, option):
    """v2: batch normalisation, ReLU, convolution; nothing after the addition."""
    x = imagenet_stem(image)
    for name, factor, stride in stages(IMAGENET_BLOCKS[depth], first=2):
        filters = 64 * factor
        # "we adopt the first activation right after conv1" (Appendix): the stem has it.
        y = x if name == "stage2_block1" else bn_relu(x, f"{name}_1")
        out = filters if depth < BOTTLENECKS_FROM else 4 * filters
        skip = shortcut_v2(x, y, out, stride, option, name)
        if depth < BOTTLENECKS_FROM:
            y = conv(y, filters, 3, stride, name=f"{name}_1")
            y = conv(bn_relu(y, f"{name}_2"), filters, 3, name=f"{name}_2")
        else:
            y = conv(y, filters, 1, name=f"{name}_1")
            y = conv(bn_relu(y, f"{name}_2"), filters, 3, stride, name=f"{name}_2")
            y = conv(bn_relu(y, f"{name}_3"), out, 1, name=f"{name}_3")
        x = add(skip, y, name)
    return bn_relu(x, "last")


def pre_activation_keras(image, depth):
    """The v2 of `keras.applications`: strides at the end of stages, some biases, no stem BN."""
    x = stem_pool(conv(image, 64, 7, 2, use_bias=True, name="stem"))
    for stage, count in enumerate(IMAGENET_BLOCKS[depth], start=2):
        for block in range(1, count + 1):
            name, filters = f"stage{stage}_block{block}", 64 * 2 ** (stage - 2)
            stride = 2 if block == count and stage < 5 else 1
            y = bn_relu(x, f"{name}_1", KERAS_EPSILON)
            if block == 1:
                x = conv(y, 4 * filters, 1, use_bias=True, name=f"{name}_0")
            elif stride > 1:
                x = layers.MaxPooling2D(1, stride, name=f"{name}_0_pool")(x)
            y = conv(y, filters, 1, name=f"{name}_1")
            y = conv(bn_relu(y, f"{name}_2", KERAS_EPSILON), filters, 3, stride, name=f"{name}_2")
            y = bn_relu(y, f"{name}_3", KERAS_EPSILON)
            y = conv(y, 4 * filters, 1, use_bias=True, name=f"{name}_3")
            x = add(x, y, name)
    return bn_relu(x, "last", KERAS_EPSILON)


@documented
def ResNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="resnet",
    *,
    depth,
    variant="v1.5",
    shortcut=None,
):
    """ResNet of 18, 34, 50, 101 or 152 layers, for 224x224 photos.

    | stage    | output    | 18       | 34       | 50                | 101  | 152  |
    |----------|-----------|----------|----------|-------------------|------|------|
    | `stem`   | 56 x 56   | 7x7/2, 64, then 3x3/2 maximum                    |
    | `stage2` | 56 x 56   | 2 basic  | 3 basic  | 3 bottleneck      | 3    | 3    |
    | `stage3` | 28 x 28   | 2        | 4        | 4                 | 4    | 8    |
    | `stage4` | 14 x 14   | 2        | 6        | 6                 | 23   | 36   |
    | `stage5` | 7 x 7     | 2        | 3        | 3                 | 3    | 3    |

    A block adds what its layers compute to its input, so that it need only learn the difference
    and the gradient has a way around it. A basic block is 3x3, 3x3 of 64, 128, 256, 512 filters in
    stages 2 to 5; a bottleneck is 1x1, 3x3 of these widths, then 1x1 of four times as many. Block i
    of stage s ends in `stage{s}_block{i}_out`. H and W of at least 32.

    Inputs: what the weights were trained with; from a random start, photos whose channels have
    mean 0 and variance 1. Weights start from N(0, 2 / fan-in), biases at 0. The paper trains with
    SGD, momentum 0.9, weight decay 1e-4, which builders do not attach.

    Source: He et al. 2016, arXiv:1512.03385, Table 1; the start: He et al. 2015, arXiv:1502.01852,
    eq. 10. Differs from the paper: in the default "v1.5" a bottleneck that halves H and W does so
    in its 3x3, as in Facebook's Torch code and in torchvision; `variant="v1"` does it in the first
    1x1, as published. The stem's pooling is centred, as there; in the authors' Caffe it begins at
    the first pixel.

    Args:
        depth: int. 18, 34, 50, 101 or 152.
        variant: "v1.5"; "v1"; "v2", pre-activation (arXiv:1603.05027, Fig. 1b, with the stride in
            the 3x3); or "v2-keras", the network of `keras.applications.ResNet50V2`,
            101 and 152, which halves H and W in the last block of a stage and has some biases.
        shortcut: None for "B", the paper's for 50 layers and more: a projection where the shape
            changes; "A", its ResNet-18's: no projections, zeros for new channels; "C": all
            shortcuts are projections. Its ResNet-34 comes in all three. Not for "v2-keras".

    >>> model = ResNet(depth=18, classes=10, input_shape=(64, 64, 3))
    >>> model.get_layer("stage5_block2_out").output.shape
    (None, 2, 2, 512)
    """
    option = "B" if shortcut is None else one_of(shortcut, ["A", "B", "C"], "shortcut")
    _check(depth, one_of(variant, VARIANTS, "variant"), shortcut)
    image = image_input(input_tensor, input_shape, default=(224, 224, 3), minimum=32)
    if variant == "v2-keras":
        x = pre_activation_keras(image, depth)
    elif variant == "v2":
        x = pre_activation(image, depth, option)
    else:
        x = post_activation(image, depth, variant, option)
    top = average_pool_top(classifier_activation)
    builder = f"ResNet{depth}-{variant}"
    return finish(image, x, top, builder, include_top, weights, pooling, classes, name)


def _check(depth, variant, shortcut):
    if depth not in IMAGENET_BLOCKS:
        raise InputError(
            f"`depth` must be one of {', '.join(map(str, IMAGENET_BLOCKS))}. "
            f"Received: depth={depth!r}. For 6n + 2 layers on small images there is CifarResNet."
        )
    if variant == "v2-keras" and (depth < BOTTLENECKS_FROM or shortcut is not None):
        raise InputError(
            'variant="v2-keras" exists for depth 50, 101 and 152 with the shortcuts that its '
            f"weights need. Received: depth={depth}, shortcut={shortcut!r}. "
            'Pass variant="v2", or leave `shortcut` out.'
        )


def _variant(depth):
    return named_variant(ResNet, f"ResNet{depth}", f"ResNet-{depth}, for photos.", depth=depth)


ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 = map(_variant, IMAGENET_BLOCKS)
