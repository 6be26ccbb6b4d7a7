"""The packaged weights and what is known about each: manifest.json beside this file."""

import functools
import json
from importlib import resources

from kerascnn._errors import InputError, one_of

__all__ = ["entry", "names"]

FOLDER = resources.files("kerascnn.weights")


@functools.cache
def _entries():
    rows = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
    return {(row["model"], row["name"]): row for row in rows}


def names(model_name):
    """The names that `weights=` accepts for a builder, besides a path.

    Args:
        model_name: str. Name of the builder, e.g. "LeNet5".

    Returns:
        List of str, empty if nothing is packaged for it.

    >>> names("LeNet5")
    ['mnist']
    """
    return [name for model, name in _entries() if model == model_name]


def entry(model_name, weights_name):
    """What is known about packaged weights, above all the preprocessing that they need.

    Args:
        model_name: str. Name of the builder, e.g. "LeNet5".
        weights_name: str. Name of the weights, e.g. "mnist".

    Returns:
        Dict of plain values: "model", "name", "file", "sha256", "licence", "image_size" (pixels a
        side), "channels", "classes", "class_names", "preprocessing" ("scale" and "offset" of
        `keras.layers.Rescaling` for images in 0-255, "foreground": "bright" or "dark"),
        "trained_on", "test_accuracy" (in [0, 1]), "recipe".

    Raises:
        InputError: there are no such weights.

    >>> entry("LeNet5", "mnist")["image_size"]
    32
    """
    if not names(model_name):
        raise InputError(f"No weights are packaged for {model_name}. Pass a path, or weights=None.")
    name = one_of(weights_name, names(model_name), f"weights for {model_name}")
    return json.loads(json.dumps(_entries()[model_name, name]))  # a copy that may be changed
