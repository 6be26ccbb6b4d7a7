"""Weights files as {layer: its arrays, in Keras's order}, whatever their format and names."""

from pathlib import Path

import h5py
import ml_dtypes  # noqa: F401  (gives NumPy the bfloat16 of safetensors)
import numpy as np
import safetensors

from kerascnn import _hdf5
from kerascnn._errors import InputError
from kerascnn.weights import from_keras, from_torch

__all__ = ["hdf5_refusal", "legacy_layers", "not_finite", "read"]

DAMAGED = (OSError, KeyError, AttributeError, RuntimeError, TypeError, ValueError, IndexError)


def read(file, source):
    """All arrays of a weights file, under the layer names of kerascnn.

    Args:
        file: path, or a binary file object of HDF5 that is known to be whole.
        source: str that names the file in messages.

    Returns:
        ({layer: list of float32 arrays}, variant): the variant of ResNet that the names tell, or
        None.

    Raises:
        InputError: the file is missing, damaged, of a format or with names that are unknown, or
            holds NaN or infinity.
    """
    if isinstance(file, Path):
        _check_readable(file)
        if file.suffix == ".safetensors":
            return _converted(from_torch.convert, _tensors(file, source), source)
    return _converted(_from_keras, _keras_layers(file, source), source)


def _check_readable(path):
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise InputError(f"Cannot read the weights {path}: {reason}. Check the path.") from error


def _tensors(path, source):
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return {name: _float32(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, *DAMAGED) as error:
        raise InputError(
            f"{source} is not a whole .safetensors file: it is truncated, damaged or of another "
            "format. Copy or download it again."
        ) from error


def _keras_layers(file, source):
    reason = hdf5_refusal(file) if isinstance(file, Path) else None
    try:
        if reason:
            raise ValueError(reason)
        with h5py.File(file) as opened:
            layers = _current_layers(opened) if "layers" in opened else legacy_layers(opened)
            if not layers:
                raise ValueError("no layers")
            return {str(name): list(map(_float32, arrays)) for name, arrays in layers.items()}
    except DAMAGED as error:
        raise InputError(
            f"{source} is not a whole Keras 3 weights file: it "
            f"{reason or 'is truncated, damaged or of another format'}. Copy it again, or write it "
            "with `model.save_weights`."
        ) from error


def hdf5_refusal(path):
    """Why the HDF5 file at `path` cannot be used, in a few words, or None."""
    with path.open("rb") as file:
        return _hdf5.refusal(file)


def _float32(array):
    if array.dtype.kind not in "biufV":  # V: bfloat16
        raise TypeError(f"arrays of {array.dtype}")
    with np.errstate(over="ignore"):  # infinity is refused
        return array.astype(np.float32, copy=False)


def _from_keras(layers, source):
    return from_keras.convert(layers) if from_keras.recognises(layers) else (layers, None)


def _converted(convert, layers, source):
    """`convert(layers, source)`, or one sentence where the arrays are not those of their names."""
    try:
        converted, variant = convert(layers, source)
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(
            f"The arrays of {source} are not what their names say, so it is of another network or "
            "damaged. Copy it again, or write it with `model.save_weights`."
        ) from error
    for name, arrays in converted.items():
        if not all(np.isfinite(array).all() for array in arrays):
            raise InputError(
                f"{source} holds NaN or infinity in `{name}`: the training that wrote it failed. "
                "Take the weights of an earlier epoch."
            )
    return converted, variant


def _current_layers(file):
    """What `model.save_weights` of Keras 3 writes."""
    groups = [group["vars"] for group in file["layers"].values() if "vars" in group]
    return {
        group.attrs["name"]: [np.array(group[str(i)]) for i in range(len(group))]
        for group in groups
        if len(group)
    }


def legacy_layers(file):
    """What Keras 1 and 2 wrote, and in which Keras publishes.

    Args:
        file: an open `h5py.File`.

    Returns:
        {layer: list of arrays}, in the order of the file, layers without arrays left out.
    """
    file = file.get("model_weights", file)
    layers = {}
    for layer in _names(file, "layer_names"):
        names = _names(file[layer], "weight_names")
        if names:
            layers[layer] = [file[layer][name][()] for name in names]
    return layers


def _names(group, attribute):
    # Long lists are in chunks: layer_names0, layer_names1 ...
    keys = [attribute] if attribute in group.attrs else []
    while f"{attribute}{len(keys)}" in group.attrs:
        keys.append(f"{attribute}{len(keys)}")
    names = [name for key in keys for name in group.attrs[key]]
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def not_finite(model):
    """The path of the first variable of a `keras.Model` that holds NaN or infinity, or None."""
    bad = (v.path for v in model.weights if not np.isfinite(np.asarray(v)).all())
    return next(bad, None)
