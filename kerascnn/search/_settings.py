"""What must be equal for a search to go on in its folder: kept in search.json."""

import hashlib
import importlib
import json

import keras
import keras_tuner
import numpy as np

from kerascnn import __version__
from kerascnn._errors import InputError
from kerascnn._runs import write_json
from kerascnn.callbacks._identity import differences

__all__ = ["FILE", "check", "objectives", "read", "settings", "stored_objective", "write"]

FILE = "search.json"


def settings(hypermodel, oracle, name, seed, epochs):
    """The settings of a search as plain JSON; `oracle` holds the declared space."""
    backend = keras.backend.backend()
    found = {
        "versions": {
            "kerascnn": __version__,
            "keras": keras.__version__,
            backend: importlib.import_module(backend).__version__,
        },
        "oracle": name,
        "objective": objectives(oracle.objective),
        "seed": seed,
        "epochs": epochs,
        "dtype": keras.config.dtype_policy().name,
        "space": oracle.get_space().get_config()["space"],
        "data": hypermodel.fingerprint() if hasattr(hypermodel, "fingerprint") else {},
    }
    return json.loads(json.dumps(found, default=repr))


def arguments(args, kwargs):
    """What tells the arguments of `fit` from others: arrays by their content."""
    named = {str(i): value for i, value in enumerate(args)} | kwargs
    return {name: _described(value) for name, value in sorted(named.items()) if name != "verbose"}


def check(folder, now):
    """Refuse to go on with other settings than those that the folder was made with.

    Raises:
        InputError: they differ, or the folder holds something else than a search.
    """
    before = read(folder)
    different = differences({name: before.get(name) for name in now}, now)
    if different:
        raise InputError(
            f"{folder} holds another search ({'; '.join(different)}). "
            "Choose another folder, or pass overwrite=True to start anew."
        )


def read(folder):
    """The settings of the search in a folder."""
    try:
        return json.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no search: there is no readable {FILE} in it.") from error


def write(folder, value):
    """Say what the search in a folder is; whole or not at all."""
    write_json(folder / FILE, value)


def objectives(objective):
    """[[name, direction], ...]: more than one where Keras Tuner sums up several."""
    parts = getattr(objective, "objectives", [objective])
    return [[part.name, part.direction] for part in parts]


def stored_objective(stored):
    """The `keras_tuner.Objective` of what `objectives` gave."""
    parts = [keras_tuner.Objective(*part) for part in stored]
    return keras_tuner.Oracle(parts if len(parts) > 1 else parts[0]).objective


def _described(value):
    if isinstance(value, list | tuple):
        return [_described(part) for part in value]
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return [list(value.shape), str(value.dtype), content]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.fingerprint() if hasattr(value, "fingerprint") else type(value).__name__
