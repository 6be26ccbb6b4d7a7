"""The weights that have a name, and what is known about each: manifest.json beside this file."""

import functools
import json
from importlib import resources

from kerascnn._errors import InputError, one_of

__all__ = ["entry", "names"]

FOLDER = resources.files("kerascnn.weights")


@functools.cache
def entries():
    """{(form of the network, name of the weights): row of the manifest}."""
    rows = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
    return {(row["model"], row["name"]): row for row in rows}


def names(model_name):
    """The names that `weights=` accepts for a network, besides a path.

    Args:
        model_name: str. Name of the builder, e.g. "LeNet5", followed by "-" and its form where
            forms have weights of their own: "ResNet50-v1", "ResNet50-v1.5", "ResNet50-v2-keras",
            "ResNeXt50-32x4d", "VGG16-bn" (batch normalisation).

    Returns:
        List of str, empty if nothing is known for it.

    >>> names("LeNet5"), names("ResNet50-v1"), names("AlexNet-two-tower")
    (['mnist'], ['imagenet'], [])
    """
    return [name for model, name in entries() if model == model_name]


def forms(builder):
    """The rows of a builder in any form: for "ResNet50-v2" or "resnet50" those of all ResNet50."""
    base = builder.lower().partition("-")[0]
    return [row for row in entries().values() if row["model"].lower().partition("-")[0] == base]


def entry(model_name, weights_name):
    """What is known about weights that have a name, above all the preprocessing that they need.

    Args:
        model_name: str, as for `names`, e.g. "LeNet5".
        weights_name: str. Name of the weights, e.g. "mnist".

    Returns:
        Dict of plain values: "model", "name", "file", "licence", "image_size" (pixels a side),
        "channels", "classes", "trained_on", "test_accuracy" (top-1, in [0, 1], or None) and
        "preprocessing": "scale" and "offset" of `keras.layers.Rescaling` for images in 0-255 and,
        for colour, "channel_order", "RGB" or "BGR", or, for grey, "foreground", "bright" or
        "dark". Packaged weights have "sha256", "class_names", "recipe" and, of classes of ImageNet,
        "wnids" and "result" (the file of the run) besides; weights that are downloaded have "url",
        "bytes" (or None), "sha256" or "md5" (what their publisher states), "notop" (the same
        of a file without classifier, where there is one), "build" (how to build the network),
        "top5_accuracy" and "accuracy_source".

    Raises:
        InputError: there are no such weights.

    >>> entry("LeNet5", "mnist")["image_size"]
    32
    >>> entry("ResNet50-v1", "imagenet")["preprocessing"]["channel_order"]
    'BGR'
    """
    if not names(model_name):
        known = [row["model"] for row in forms(model_name)]
        there = f"There are some for {', '.join(known)}. " if known else ""
        raise InputError(
            f"No weights are packaged for {model_name} or known by name. "
            f"{there}Pass a path, or weights=None."
        )
    name = one_of(weights_name, names(model_name), f"weights for {model_name}")
    return json.loads(json.dumps(entries()[model_name, name]))  # a copy that may be changed
