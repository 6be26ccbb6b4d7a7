"""What a training run is at one moment, as JSON and arrays: read out of it, and put back."""

import random

import keras
import numpy as np

__all__ = ["Memory", "capture", "restore", "variables"]

_NOT_STATE = {"params", "_model", "model"}  # given to a callback anew by every `fit`


def variables(model, with_metrics=False):
    """{name: variable} of everything that training changes: weights, seeds, optimiser, metrics.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd")
    >>> list(variables(model))
    ['model/0', 'model/1', 'optimizer/0', 'optimizer/1']
    """
    groups = {"model": model.variables}
    if model.optimizer is not None:
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        groups["optimizer"] = model.optimizer.variables
    if with_metrics:
        groups["metrics"] = model.metrics_variables
    return {f"{group}/{i}": v for group, found in groups.items() for i, v in enumerate(found)}


def capture(model, memories, with_metrics=False):
    """(state, arrays) of a model, the callbacks behind `memories`, Python's and NumPy's draws.

    Keras's seed generators are variables of the layers that own them.
    """
    named = variables(model, with_metrics)
    arrays = {name: keras.ops.convert_to_numpy(variable) for name, variable in named.items()}
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    state = {
        "python_random": _encode(python, "", {}),
        "numpy_random": _encode(numpy, "numpy_random", arrays),
        "callbacks": [m.changes(f"callbacks/{i}", arrays) for i, m in enumerate(memories)],
    }
    return state, arrays


def restore(model, memories, state, arrays, with_metrics=False):
    """Put back what `capture` returned."""
    for name, variable in variables(model, with_metrics).items():
        variable.assign(arrays[name])
    random.setstate(_decode(state["python_random"], arrays))
    np.random.set_state(_decode(state["numpy_random"], arrays))
    for memory, changes in zip(memories, state["callbacks"]):
        memory.put_back(changes, arrays)


class Memory:
    """What a callback has learnt since its `on_train_begin`.

    A callback with `get_state()` and `set_state(state)` says it itself. Of any other, such as
    Keras's own, it is every attribute that is plain (numbers, strs, arrays, lists, dicts of these)
    and has changed: so options are never overwritten, only what was learnt.
    """

    def __init__(self, callback):
        self.callback = callback
        self._arrays = {}
        self._start = self._attributes(self._arrays)

    def _attributes(self, arrays, key=""):
        """{name: encoded value} of what is plain."""
        if hasattr(self.callback, "get_state"):
            return {"": _encode(self.callback.get_state(), key, arrays)}
        found = {}
        for name, value in vars(self.callback).items():
            if name not in _NOT_STATE:
                try:
                    found[name] = _encode(value, f"{key}/{name}", arrays)
                except TypeError:  # a function, an open file: its own affair
                    continue
        return found

    def changes(self, key, arrays):
        """{name: encoded value} of what differs from the start; its arrays are added."""
        now_arrays = {}
        now = self._attributes(now_arrays, key)
        changed = {
            name: value
            for name, value in now.items()
            if name not in self._start
            or not _equal(_decode(value, now_arrays), _decode(self._start[name], self._arrays))
        }
        arrays.update({name: now_arrays[name] for name in _array_names(changed)})
        return changed

    def put_back(self, changes, arrays):
        """Set what `changes` returned."""
        for name, value in changes.items():
            value = _decode(value, arrays)
            if name:
                setattr(self.callback, name, value)
            else:
                self.callback.set_state(value)


def _encode(value, key, arrays):
    """`value` as JSON; NumPy arrays and tensors go into `arrays` under names that begin with `key`.

    Raises:
        TypeError: there is something else in it.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if isinstance(value, np.ndarray) or keras.ops.is_tensor(value):
        arrays[key] = np.array(keras.ops.convert_to_numpy(value))
        return {"array": key}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encode(part, f"{key}/{i}", arrays) for i, part in enumerate(value)]}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        parts = {name: _encode(part, f"{key}/{name}", arrays) for name, part in value.items()}
        return {"dict": parts}
    name = getattr(value, "__name__", "")
    if callable(value) and getattr(keras.ops, name, None) is value:
        return {"op": name}  # how Keras's callbacks compare: `keras.ops.less`
    raise TypeError(f"no plain value: {value!r}")


def _decode(value, arrays):
    """The inverse of `_encode`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "op":
        return getattr(keras.ops, content)
    if kind == "dict":
        return {name: _decode(part, arrays) for name, part in content.items()}
    parts = [_decode(part, arrays) for part in content]
    return parts if kind == "list" else tuple(parts)


def _equal(a, b):
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        same = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
        return same and a.dtype == b.dtype and np.array_equal(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    return a == b


def _array_names(value):
    """Names of the arrays in encoded values."""
    if isinstance(value, dict):
        if set(value) == {"array"} and isinstance(value["array"], str):
            return [value["array"]]
        value = list(value.values())
    if isinstance(value, list):
        return [name for part in value for name in _array_names(part)]
    return []
