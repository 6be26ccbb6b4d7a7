"""Stochastic depth: Huang, Sun, Liu, Sedra and Weinberger 2016, arXiv:1603.09382, Sec. 3."""

from kerascnn.layers import StochasticDepthAdd, survival_rates
from kerascnn.models._blocks import average_pool_top, basic, cifar_stages, conv_bn_relu
from kerascnn.models._builder import documented, finish, image_input, named_variant

__all__ = ["StochasticDepthResNet", "StochasticDepthResNet110", "StochasticDepthResNet1202"]


def surviving(rate, mode):
    """The join of a block whose branch survives with this probability."""

    def join(x, y, name):
        return StochasticDepthAdd(rate, mode=mode, activation="relu", name=f"{name}_out")([x, y])

    return join


@documented
def StochasticDepthResNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="stochasticdepthresnet",
    *,
    depth,
    last_survival_rate=0.5,
    mode="batch",
):
    """ResNet of 6n + 2 layers that trains with some of its blocks left out, for 32x32 images.

    `CifarResNet`, layer for layer and name for name, but that a shortcut to half the size takes the
    mean of 2x2 pixels, where He et al. take one of them, and for the sums: in training each block's
    branch survives with probability p_l = 1 - l/L * (1 - p_L), l = 1 .. L, drawn anew for each
    batch; at inference the branch is multiplied by p_l. Training sees short networks, inference a
    deep one. H and W of at least 4.

    Inputs: images whose channels have mean 0 and variance 1 over the training set. Weights start
    as in `CifarResNet`.

    Source: Huang et al. 2016, arXiv:1603.09382, eqs. 2 to 5 and Sec. 4. Differs from the paper: the
    branches that do not survive are computed and multiplied by 0, so training is not 25 % faster,
    and their batch normalisation goes on averaging.

    Args:
        depth: int. 6n + 2 for an n of at least 1.
        last_survival_rate: float in (0, 1]. p_L; with 1 all blocks survive.
        mode: "batch": one draw for all images, the paper's; "sample": one for each image.

    >>> model = StochasticDepthResNet(depth=8)
    >>> [model.get_layer(f"stage{s}_block1_out").survival_rate for s in (1, 2, 3)]
    [0.8333..., 0.6666..., 0.5]
    """
    image = image_input(input_tensor, input_shape, default=(32, 32, 3), minimum=4)
    blocks = list(cifar_stages(depth, layers_per_block=2, other_layers=2))
    rates = survival_rates(len(blocks), last_survival_rate)
    x = conv_bn_relu(image, 16, 3, name="stem")
    for (block, factor, stride), rate in zip(blocks, rates):
        x = basic(x, 16 * factor, stride, "A, averaged", block, join=surviving(rate, mode))
    top = average_pool_top(classifier_activation)
    return finish(
        image, x, top, "StochasticDepthResNet", include_top, weights, pooling, classes, name
    )


def _variant(depth):
    name = f"StochasticDepthResNet{depth}"
    summary = f"ResNet-{depth} with stochastic depth, for 32x32 images."
    return named_variant(StochasticDepthResNet, name, summary, depth=depth)


StochasticDepthResNet110, StochasticDepthResNet1202 = _variant(110), _variant(1202)
