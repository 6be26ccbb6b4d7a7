"""The rows of the overview: counted numbers (counts.json) and published ones (published.json).

recipes/make_goldens.py makes counts.json by building every network once; published.json is typed
from the papers and, for `keras.applications`, from its documentation.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn.weights.manifest import forms

__all__ = ["Network", "overview"]


@dataclass(frozen=True)
class Network:
    """A network's size, cost, depth and published accuracy.

    Attributes:
        name: str, the builder or the name of the model.
        source: "kerascnn", "keras.applications" or "model" (one that was passed in).
        input_shape: (H, W, C).
        parameters: int, those that train, as papers count them.
        multiply_adds: int for one image: of convolution and dense kernels.
        activations: int, units in one forward pass, the image included.
        depth: int, convolution and dense layers on the longest way through the network.
        shortest_path: int, the same on the shortest way.
        data: str, what the published error is measured on: "ImageNet" (validation), "CIFAR-10" or
            "MNIST" (test); None where there is none.
        top1_error, top5_error: float in percent, or None where it is not published. Protocols
            differ, so small differences mean little: `published_in` says crops and scales.
        published_in: str, paper and table, or None.

    >>> network = overview()[0]
    >>> network.name, network.data, network.top1_error, network.activation_bytes
    ('LeNet5', 'MNIST', 0.95, 36472)
    """

    name: str
    source: str
    input_shape: tuple
    parameters: int
    multiply_adds: int
    activations: int
    depth: int
    shortest_path: int
    data: str | None = None
    top1_error: float | None = None
    top5_error: float | None = None
    published_in: str | None = None

    @property
    def activation_bytes(self):
        """Of all activations of one image in float32."""
        return 4 * self.activations

    @property
    def weights(self):
        """Names for `weights=`, first those of the default form: the others name their options."""
        if self.source != "kerascnn":
            return ["imagenet"] if self.source == "keras.applications" else []
        found = []
        for row in forms(self.name):
            builder, _, options = row.get("build", f"{self.name}()").rstrip(")").partition("(")
            if builder == self.name:
                found.append(f"{row['name']} ({options})" if options else row["name"])
        return sorted(found, key=len)


def overview(models=None):
    """The rows of all known networks, or of the models that are passed.

    Without models two files are read: neither Keras nor TensorFlow is imported. Counts follow
    `kerascnn.arithmetic.analyze`. They differ by more than 3 % from what the network's own paper
    prints in a few places: GoogLeNet 1.58 G multiply-adds (paper 1.5 G, with a slip in its first
    row), ResNet50 4.09 G (3.8 G: the default form, v1.5, has its stride on the 3x3 convolution; v1
    is 3.86 G), FractalNet20 33.7 M parameters (38.6 M: does not follow from its expansion rule).
    Power is not measured.

    Args:
        models: None, or list of functional `keras.Model` whose input size is known.

    Returns:
        List of `Network`. Those of models have no published error. Without models: the builders of
        kerascnn in the order of their papers, then `keras.applications`.

    Raises:
        InputError: `models` is no list of models that `analyze` can read.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)], name="small")
    >>> (row,) = overview([model])
    >>> row.name, row.parameters, row.multiply_adds, row.depth
    ('small', 112, 3888, 1)
    """
    if models is None:
        published = {(row.pop("source"), row.pop("name")): row for row in _read("published.json")}
        return [
            Network(
                **row | {"input_shape": tuple(row["input_shape"])},
                **published.get((row["source"], row["name"]), {}),
            )
            for row in _read("counts.json")
        ]
    if not isinstance(models, list | tuple):
        raise InputError(
            "`models` must be a list of Keras models, or None for all known networks. "
            f"Received: {type(models).__name__}."
        )
    return [count(model) for model in models]


def count(model, source="model", name=None, input_shape=None):
    """The row of one model, without its published error."""
    from kerascnn.arithmetic import analyze

    analysis = analyze(model, input_shape)
    return Network(
        name or analysis.name,
        source,
        analysis.layers[0].output_shape,
        analysis.trainable_parameters,
        analysis.multiply_adds,
        analysis.activations,
        analysis.depth,
        analysis.shortest_path,
    )


def _read(name):
    return json.loads(Path(__file__).with_name(name).read_text("utf-8"))
