"""The names of `keras.applications`, as kerascnn has them: VGG16 and 19, ResNet v1 and v2."""

import re

__all__ = ["convert", "recognises"]

HEAD = {"fc1": "fc6", "fc2": "fc7", "predictions": "output", "probs": "output"}
STEM = {"conv1_conv": "stem_conv", "conv1_bn": "stem_bn", "post_bn": "last_bn"}
# In a block of v2 Keras counts the normalisations from "preact"; here each has its convolution's
# number.
V2_PARTS = {"preact_bn": "1_bn", "1_bn": "2_bn", "2_bn": "3_bn"}
EPSILON, OUR_EPSILON = 1.001e-5, 1e-5


def recognises(layers):
    """Whether the layers of a file have the names of `keras.applications`."""
    return "block1_conv1" in layers or "conv1_conv" in layers


def convert(layers):
    """The layers of a file under the names of kerascnn, biases folded where v1 has none here.

    The convolutions of Keras's ResNet v1 have biases b, which the batch normalisations behind them
    take away again: a moving mean of m - b without them is the same function. So is a moving
    variance of v + 1.001e-5 - 1e-5 with the epsilon of kerascnn.

    Args:
        layers: {name in `keras.applications`: list of arrays}.

    Returns:
        ({name in kerascnn: list of arrays}, "v1", "v2-keras" or None for VGG).
    """
    if "conv1_conv" not in layers:
        return {_vgg_name(name): arrays for name, arrays in layers.items()}, None
    if "conv1_bn" not in layers:
        return {_resnet_name(name, V2_PARTS): arrays for name, arrays in layers.items()}, "v2-keras"
    return {_resnet_name(name, {}): arrays for name, arrays in _folded(layers).items()}, "v1"


def _vgg_name(name):
    return re.sub(r"^block(\d)_conv(\d)$", r"stage\1_conv\2", HEAD.get(name, name))


def _resnet_name(name, parts):
    block = re.fullmatch(r"conv(\d_block\d+_)(\w+)", name)
    if block:
        return f"stage{block[1]}{parts.get(block[2], block[2])}"
    return STEM.get(name) or HEAD.get(name, name)


def _folded(layers):
    folded = dict(layers)
    for name, arrays in layers.items():
        if name.endswith("_bn"):
            conv = name.removesuffix("bn") + "conv"
            kernel, *bias = layers[conv]
            gamma, beta, mean, variance = arrays
            folded[conv] = [kernel]
            mean = mean - bias[0] if bias else mean
            folded[name] = [gamma, beta, mean, variance + (EPSILON - OUR_EPSILON)]
    return folded
