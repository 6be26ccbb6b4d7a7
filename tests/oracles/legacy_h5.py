"""The weights files of Keras 1 and 2, as its published weights are."""

import h5py
import numpy as np


def write(path, layers, chunks=1, inside=None):
    """Write {layer: {name of the weight: array}} in the old layout.

    Args:
        path: of the file.
        layers: layers without weights have an empty dict.
        chunks: into how many attributes long lists of names are cut.
        inside: name of the group, "model_weights" in files of whole models.
    """
    with h5py.File(path, "w") as file:
        root = file.create_group(inside) if inside else file
        _attribute(root, "layer_names", list(layers), chunks)
        for layer, weights in layers.items():
            group = root.create_group(layer)
            _attribute(group, "weight_names", list(weights), 1)
            for name, array in weights.items():
                group[name] = array


def _attribute(group, name, values, chunks):
    values = [value.encode() for value in values]
    if chunks == 1:
        group.attrs[name] = np.array(values, "S") if values else np.array([], "S1")
    else:
        for i, part in enumerate(np.array_split(np.array(values, "S"), chunks)):
            group.attrs[f"{name}{i}"] = part


def of_model(model, rename=None):
    """What `write` writes of a Keras model, as Keras 2 named it; `rename` renames layers."""
    return {
        (rename or {}).get(layer.name, layer.name): {
            f"{layer.name}/{weight.name}:0": np.array(weight) for weight in layer.weights
        }
        for layer in model.layers
    }
