"""The names and layouts of torchvision and timm, as kerascnn has them.

ResNet, Wide ResNet and ResNeXt (the same in both libraries), VGG with and without batch
normalisation (two kinds of head), and AlexNet, which is `AlexNet(variant="one-weird-trick")`.
"""

import re

from kerascnn._errors import InputError

__all__ = ["convert"]

ALEXNET = {f"features.{i}": f"conv{n}" for n, i in enumerate((0, 3, 6, 8, 10), start=1)}
ALEXNET |= {"classifier.1": "fc6", "classifier.4": "fc7", "classifier.6": "output"}
VGG_HEAD = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "output"}
TIMM_HEAD = {"pre_logits.fc1": "fc6", "pre_logits.fc2": "fc7", "head.fc": "output"}
RESNET = {"conv1": "stem_conv", "bn1": "stem_bn", "fc": "output"}
DOWNSAMPLE = {"downsample.0": "0_conv", "downsample.1": "0_bn"}
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
LEAVES = ({"weight"}, {"weight", "bias"}, set(BATCH_NORM))


def convert(tensors, source):
    """The tensors of a checkpoint as the arrays of Keras layers, under the names of kerascnn.

    Args:
        tensors: {name: array}, as `state_dict` names them.
        source: str that names the file in messages.

    Returns:
        ({layer: list of arrays}, "v1.5" or None): the variant where there are bottlenecks.

    Raises:
        InputError: the names are not those of a network that is known here.
    """
    modules = {}
    for name, array in tensors.items():
        module, _, leaf = name.rpartition(".")
        if leaf != "num_batches_tracked":
            modules.setdefault(module, {})[leaf] = array
    names = _names(modules)
    unknown = [m for m, leaves in modules.items() if m not in names or set(leaves) not in LEAVES]
    if unknown or not modules:
        raise InputError(
            f"{source} does not have the names of a ResNet, Wide ResNet, ResNeXt, VGG or AlexNet "
            f"of torchvision or timm: {', '.join(unknown[:3]) or 'it is empty'}. Only those can be "
            "converted."
        )
    layers = {names[module]: _arrays(leaves) for module, leaves in modules.items()}
    _flatten_dense(layers)
    return layers, "v1.5" if "layer1.0.conv3" in modules else None


def _names(modules):
    """{module: name in kerascnn}, without those modules that are not known."""
    if "conv1" in modules:
        return {module: _resnet_name(module) for module in modules if _resnet_name(module)}
    first = modules.get("features.0", {}).get("weight")
    if first is None:
        return {}
    if first.shape[-1] == 11:
        return ALEXNET
    return _vgg_names(modules) | VGG_HEAD | TIMM_HEAD


def _resnet_name(module):
    block = re.fullmatch(r"layer(\d)\.(\d+)\.(?:(conv|bn)(\d)|(downsample\.[01]))", module)
    if not block:
        return RESNET.get(module)
    stage, index, kind, number, shortcut = block.groups()
    part = DOWNSAMPLE[shortcut] if shortcut else f"{number}_{kind}"
    return f"stage{int(stage) + 1}_block{int(index) + 1}_{part}"


def _vgg_names(modules):
    """Convolutions are counted; where the distance to the last one is longer there is a pooling."""
    places = sorted(int(m[9:]) for m in modules if re.fullmatch(r"features\.\d+", m))
    convs = [i for i in places if modules[f"features.{i}"]["weight"].ndim == 4]
    distance = 3 if len(convs) < len(places) else 2  # with batch normalisation, or without
    names, stage, number, last = {}, 1, 0, -distance
    for i in convs:
        if i > last + distance:
            stage, number = stage + 1, 0
        number, last = number + 1, i
        names[f"features.{i}"] = f"stage{stage}_conv{number}"
        if distance == 3:
            names[f"features.{i + 1}"] = f"stage{stage}_conv{number}_bn"
    return names


def _arrays(leaves):
    """In Keras's layout: out, in, H, W -> H, W, in, out; out, in -> in, out."""
    if "running_var" in leaves:
        return [leaves[leaf] for leaf in BATCH_NORM]
    weight = leaves["weight"]
    kernel = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
    return [kernel, leaves["bias"]] if "bias" in leaves else [kernel]


def _flatten_dense(layers):
    """What PyTorch flattens as C, H, W or keeps as H, W, C kernels is flattened as H, W, C here."""
    if "fc6" not in layers:
        return
    last = max(name for name, arrays in layers.items() if "conv" in name and arrays[0].ndim == 4)
    channels = layers[last][0].shape[-1]
    for name in ("fc6", "fc7"):
        kernel, *bias = layers[name]
        if kernel.ndim == 2 and name == "fc6":
            by_channel = kernel.reshape(channels, -1, kernel.shape[-1])
            kernel = by_channel.transpose(1, 0, 2)
        layers[name] = [kernel.reshape(-1, kernel.shape[-1]), *bias]
