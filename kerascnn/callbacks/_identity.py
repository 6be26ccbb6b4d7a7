"""Which run a checkpoint belongs to, and in what another one differs."""

import importlib
import json
import warnings

import keras

from kerascnn import __version__
from kerascnn.data.augmented import options

__all__ = ["differences", "identity"]

_SHOWN = 5
_NAMES = {"name", "keras_history", "input_layers", "output_layers"}  # where configs name layers


def identity(model, callbacks, data):
    """What must be equal for a run to continue, as plain JSON.

    Layers are numbered: Keras names them `dense`, `dense_1`, ... by how many a process made. Plain
    learning rates may differ, since callbacks change them, and seeds, since the state of every seed
    generator is kept.

    Args:
        model: compiled `keras.Model`.
        callbacks: the callbacks that the run's checkpoints speak for.
        data: the data set it reads, or None; its `fingerprint()` is used if it has one.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> identity(model, [], None)["model"]["layers"]["1 Dense"]["units"]
    1
    """
    backend = keras.backend.backend()
    found = {
        "versions": {
            "kerascnn": __version__,
            "keras": keras.__version__,
            backend: importlib.import_module(backend).__version__,
        },
        "model": {
            "layers": _layers(model),
            "weights": [[list(v.shape), v.dtype] for v in model.variables],
        },
        "compile": _compiled(model),
        "callbacks": [type(callback).__name__ for callback in callbacks],
        "data": data.fingerprint() if hasattr(data, "fingerprint") else type(data).__name__,
    }
    return json.loads(json.dumps(found, default=lambda value: type(value).__name__))


def differences(before, now):
    """A sentence about each of the first places where two identities differ.

    >>> differences({"data": {"seed": 0}}, {"data": {"seed": 1}})
    ['data, seed: was 0, is 1']
    """
    found = list(_walk(before, now, ()))
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [*found[:_SHOWN], *more]


def _walk(before, now, path):
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(name for name in now if name not in before)]:
            yield from _walk(before.get(name), now.get(name), (*path, name))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, pair in enumerate(zip(before, now)):
            yield from _walk(*pair, (*path, str(i)))
    elif before != now:
        yield f"{', '.join(path)}: was {_short(before)}, is {_short(now)}"


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _layers(model):
    """{"0 Dense": config} of every layer, with what it is connected to and without names."""
    try:
        entries = model.get_config()["layers"]
        kinds = [entry["class_name"] for entry in entries]
    except (NotImplementedError, KeyError, TypeError):  # a subclass that does not say
        entries = [{"config": _config(layer)} for layer in model.layers]
        kinds = [type(layer).__name__ for layer in model.layers]
    number = {}
    _number_layers(entries, number)
    configs = [{**entry["config"], "inputs": entry.get("inbound_nodes")} for entry in entries]
    found = [options(_renamed(config, number)) for config in configs]
    return {f"{i} {kind}": config for i, (kind, config) in enumerate(zip(kinds, found))}


def _config(layer):
    try:
        return layer.get_config()
    except NotImplementedError:
        return {}


def _number_layers(value, number):
    """Fill {name: "layer 0"} with the layers described in `value`, in their order."""
    if isinstance(value, list | tuple):
        for part in value:
            _number_layers(part, number)
    elif isinstance(value, dict):
        config = value.get("config")
        policy = "DTypePolicy" in str(value.get("class_name"))
        if isinstance(config, dict) and "name" in config and not policy:
            number.setdefault(config["name"], f"layer {len(number)}")
        _number_layers(list(value.values()), number)


def _renamed(value, number, is_name=False):
    """`value` with numbers for the names of layers."""
    if isinstance(value, dict):
        return {key: _renamed(part, number, key in _NAMES) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(part, number, is_name) for part in value]
    return number.get(value, value) if is_name and isinstance(value, str) else value


def _compiled(model):
    try:
        with warnings.catch_warnings(action="ignore"):  # of lambdas, which Keras cannot store
            config = model.get_compile_config()
    except Exception:  # a loss or metric of the user's that Keras cannot describe
        return {"optimizer": type(model.optimizer).__name__}
    return _without_rates(options(config))


def _without_rates(value):
    """Compile options without plain learning rates, callbacks' factors on others, and names."""
    if isinstance(value, dict):
        if value.get("registered_name") == "kerascnn>Scaled":  # by `scale_rates`
            return _without_rates(value["config"]["schedule"])
        return {
            name: _without_rates(part)
            for name, part in value.items()
            if name != "name" and not (name == "learning_rate" and not isinstance(part, dict))
        }
    return [_without_rates(part) for part in value] if isinstance(value, list) else value
