"""Residual and plain networks for 32x32 images: He et al. 2016, arXiv:1512.03385, Sec. 4.2.

The pre-activation form (v2): He, Zhang, Ren and Sun 2016, arXiv:1603.05027.
"""

from kerascnn._errors import one_of
from kerascnn.models._blocks import (
    add,
    average_pool_top,
    basic,
    bn_relu,
    cifar_stages,
    conv,
    conv_bn_relu,
    shortcut_v2,
)
from kerascnn.models._builder import documented, finish, image_input, named_variant

__all__ = [
    "CifarPlainNet",
    "CifarPlainNet20",
    "CifarPlainNet32",
    "CifarPlainNet44",
    "CifarPlainNet56",
    "CifarPlainNet110",
    "CifarResNet",
    "CifarResNet20",
    "CifarResNet32",
    "CifarResNet44",
    "CifarResNet56",
    "CifarResNet110",
    "CifarResNet1202",
]


def blocks(depth):
    """(name, filters, stride): 6n layers in blocks of two, the stem and the classifier."""
    for name, factor, stride in cifar_stages(depth, layers_per_block=2, other_layers=2):
        yield name, 16 * factor, stride


def post_activation(image, depth, option):
    x = conv_bn_relu(image, 16, 3, name="stem")
    for name, filters, stride in blocks(depth):
        x = basic(x, filters, stride, option, name)
    return x


def pre_activation(image, depth, option):
    """The first activation follows the stem, a last one the last block (arXiv:1603.05027)."""
    x = conv_bn_relu(image, 16, 3, name="stem")
    for name, filters, stride in blocks(depth):
        y = x if name == "stage1_block1" else bn_relu(x, f"{name}_1")
        skip = shortcut_v2(x, y, filters, stride, option, name)
        y = conv(y, filters, 3, stride, name=f"{name}_1")
        y = conv(bn_relu(y, f"{name}_2"), filters, 3, name=f"{name}_2")
        x = add(skip, y, name)
    return bn_relu(x, "last")


def plain(image, depth):
    x = conv_bn_relu(image, 16, 3, name="stem")
    for name, filters, stride in blocks(depth):
        x = conv_bn_relu(x, filters, 3, stride, name=f"{name}_1")
        x = conv_bn_relu(x, filters, 3, name=f"{name}_2")
    return x


@documented
def CifarResNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="cifarresnet",
    *,
    depth,
    variant="v1",
    shortcut="A",
):
    """ResNet of 6n + 2 layers, for 32x32 images.

    | stage    | output          | layers                    |
    |----------|-----------------|---------------------------|
    | `stem`   | 32 x 32 x 16    | 3x3                       |
    | `stage1` | 32 x 32 x 16    | n blocks of two 3x3       |
    | `stage2` | 16 x 16 x 32    | n blocks, the first by 2  |
    | `stage3` | 8 x 8 x 64      | n blocks, the first by 2  |
    | `output` | classes         | global average, dense     |

    n = 3, 5, 7, 9, 18, 200 make 20, 32, 44, 56, 110 and 1202 layers: 0.27, 0.46, 0.66, 0.85, 1.7
    and 19.4 million parameters. Block i of stage s ends in `stage{s}_block{i}_out`. H and W of at
    least 4.

    Inputs: images with the mean over the training images subtracted, pixel by pixel; scaled to a
    variance of about 1 too, of which the paper says nothing. Weights start from N(0, 2 / fan-in),
    biases at 0.

    Source: He et al. 2016, arXiv:1512.03385, Sec. 4.2; the start: He et al. 2015,
    arXiv:1502.01852, eq. 10. Differs from the paper: no.

    Args:
        depth: int. 6n + 2 for an n of at least 1.
        variant: "v1", or "v2": pre-activation (arXiv:1603.05027, Fig. 1b).
        shortcut: "A", the paper's: no parameters, zeros for new channels; "B": a projection where
            the shape changes; "C": all shortcuts are projections.

    >>> CifarResNet(depth=8, classes=3).output_shape
    (None, 3)
    """
    one_of(variant, ["v1", "v2"], "variant")
    one_of(shortcut, ["A", "B", "C"], "shortcut")
    image = image_input(input_tensor, input_shape, default=(32, 32, 3), minimum=4)
    form = post_activation if variant == "v1" else pre_activation
    top = average_pool_top(classifier_activation)
    x = form(image, depth, shortcut)
    builder = "-".join([f"CifarResNet{depth}", *sorted({variant, shortcut} - {"v1", "A"})])
    return finish(image, x, top, builder, include_top, weights, pooling, classes, name)


@documented
def CifarPlainNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="cifarplainnet",
    *,
    depth,
):
    """The plain network of 6n + 2 layers: `CifarResNet` without its shortcuts.

    For the degradation experiment: with more layers its *training* error rises, which the residual
    form of the same depth, width and number of parameters cures. Layers are named as in
    `CifarResNet`; H and W of at least 4.

    Source: He et al. 2016, arXiv:1512.03385, Sec. 4.2 and Fig. 6 left. Differs from the paper: no.

    Args:
        depth: int. 6n + 2 for an n of at least 1.

    >>> CifarPlainNet(depth=20).count_params() == CifarResNet(depth=20).count_params()
    True
    """
    image = image_input(input_tensor, input_shape, default=(32, 32, 3), minimum=4)
    top = average_pool_top(classifier_activation)
    x = plain(image, depth)
    return finish(image, x, top, "CifarPlainNet", include_top, weights, pooling, classes, name)


def _residual(depth):
    summary = f"ResNet-{depth}, for 32x32 images."
    return named_variant(CifarResNet, f"CifarResNet{depth}", summary, depth=depth)


def _plain(depth):
    summary = f"The plain network of {depth} layers, for 32x32 images."
    return named_variant(CifarPlainNet, f"CifarPlainNet{depth}", summary, depth=depth)


CifarResNet20, CifarResNet32, CifarResNet44 = map(_residual, (20, 32, 44))
CifarResNet56, CifarResNet110, CifarResNet1202 = map(_residual, (56, 110, 1202))
CifarPlainNet20, CifarPlainNet32, CifarPlainNet44 = map(_plain, (20, 32, 44))
CifarPlainNet56, CifarPlainNet110 = map(_plain, (56, 110))
