"""The tables of layers in the docstrings of builders, to hold them to the real models."""

import hashlib
import re

import keras
import numpy as np

ROW = re.compile(r"^\s*\| `(\w+)` +\| ([\dx]+) +\|(?: ([\d,]*) *\|)?", re.MULTILINE)


def without_memory(builder, **options):
    """A model to count and measure only: its weights have shapes and no values."""
    with keras.StatelessScope(initialize_variables=False):
        model = builder(**options)
    keras.utils.clear_session(free_memory=False)  # forget that the weights wait for values
    return model


def told(model):
    """What tests/golden/layer_names.json holds of a model."""
    names = [layer.name for layer in model.layers]
    digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
    return {"layers": len(names), "sha256": digest[:16], "output": list(model.output_shape)}


def parameters(model, name):
    """Those of the layer, or of all the layers of the module that it ends."""
    own = model.get_layer(name).count_params()
    inside = [layer for layer in model.layers if layer.name.startswith(f"{name}_")]
    return own or sum(layer.count_params() for layer in inside)


def differences(builder, model):
    """The rows "| `layer` | 55x55x96 | 34,944 |" of a builder's docstring that are not true."""
    rows = ROW.findall(builder.__doc__)
    assert len(rows) > 7
    wrong = []
    for name, output, count in rows:
        real = "x".join(map(str, model.get_layer(name).output.shape[1:]))
        total = f"{parameters(model, name) or '':,}" if count else count
        if (output, count) != (real, total):
            wrong.append((name, output, count, real, total))
    return wrong


def hidden_activations(model):
    """The names of the activations of all layers with a kernel but the classifiers."""
    return {
        layer.activation.__name__
        for layer in model.layers
        if hasattr(layer, "kernel") and not layer.name.endswith("output")
    }


def rows_of(layer, size):
    """What a pooling layer gives along an axis for the values 0, 1, ..., size - 1."""
    x = np.arange(size, dtype="float32").reshape(1, size, 1, 1) * np.ones((1, 1, size, 1))
    return list(keras.ops.convert_to_numpy(layer(x))[0, :, 0, 0])
