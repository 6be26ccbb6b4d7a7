"""Loading of `.weights.h5` files: all that fits, or nothing and one sentence that says why."""

import hashlib
import io
import os
from pathlib import Path

import h5py
import numpy as np

from kerascnn._errors import InputError
from kerascnn.weights.manifest import FOLDER, entry, names

__all__ = ["load"]


def load(model, weights, *, builder=None, partial=False):
    """Load weights into a flat model, by layer name, completely or not at all.

    Everything is read and compared before the first weight is set. The hash of packaged weights is
    verified first.

    Args:
        model: a built `keras.Model` without nested models.
        weights: None (nothing happens), the name of packaged weights, or a path that ends in
            `.weights.h5`, as `model.save_weights` writes it.
        builder: str or None. Name of the model's builder, for which the names are looked up.
        partial: bool. Whether the file may hold further layers, which are left out.

    Raises:
        InputError: there are no such weights, or they are damaged, or do not fit the model.

    >>> import kerascnn as kc
    >>> load(kc.models.LeNet5(), "mnist", builder="LeNet5")
    """
    if weights is None:
        return
    data, source = _content(weights, builder or model.name)
    found = _read(data, source)
    layers = [layer for layer in model.layers if layer.weights]
    expected = {layer.name: [tuple(w.shape) for w in layer.weights] for layer in layers}
    _compare(expected, found, source, model.name, partial)
    for layer in layers:
        layer.set_weights(found[layer.name])


def _content(weights, builder):
    """The bytes of the file, and words that name it in messages."""
    if not str(weights).endswith(".weights.h5"):
        return _packaged(weights, builder)
    path = Path(weights)
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        reason = os.strerror(error.errno)
        raise InputError(f"Cannot read the weights {path}: {reason}. Check the path.") from error


def _packaged(weights, builder):
    if weights not in names(builder):
        possible = ["None", *map(repr, names(builder)), "a path that ends in .weights.h5"]
        raise InputError(
            f"Unknown weights {weights!r} for {builder}. Possible: {', '.join(possible)}."
        )
    row = entry(builder, weights)
    data = (FOLDER / row["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise InputError(
            f"The packaged weights {row['file']} are damaged: their SHA-256 is not the manifest's. "
            "Install kerascnn again."
        )
    return data, f"{weights!r}"


def _read(data, source):
    """{layer name: arrays in the order of `layer.weights`} of a Keras 3 weights file."""
    try:
        with h5py.File(io.BytesIO(data)) as file:
            groups = [group["vars"] for group in file["layers"].values() if "vars" in group]
            return {
                group.attrs["name"]: [np.array(group[str(i)]) for i in range(len(group))]
                for group in groups
                if len(group)
            }
    except (OSError, KeyError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{source} is not a whole Keras 3 weights file: it is truncated, damaged or of another "
            "format. Copy it again, or write it with `model.save_weights`."
        ) from error


def _compare(expected, found, source, model_name, partial):
    """Raise one sentence that names the first layers that do not fit."""
    shapes = {name: [a.shape for a in arrays] for name, arrays in found.items()}
    wrong = [name for name in expected if shapes.get(name) != expected[name]]
    wrong += [] if partial else [name for name in shapes if name not in expected]
    if not wrong:
        return
    told = [
        f"`{name}` is {_words(shapes.get(name))} in the file and "
        f"{_words(expected.get(name))} in the model"
        for name in wrong[:3]
    ]
    more = f", and {len(wrong) - 3} further layers" if len(wrong) > 3 else ""
    raise InputError(
        f"The weights {source} do not fit {model_name}: {'; '.join(told)}{more}. Build the model "
        "with the options, channels and classes of the weights, or pass weights=None."
    )


def _words(shapes):
    return " + ".join(map(str, shapes)) if shapes else "missing"
