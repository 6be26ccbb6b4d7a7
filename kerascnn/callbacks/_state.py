"""What a training run is at one moment, as JSON and arrays: read out of it, and put back."""

import collections
import contextlib
import random

import keras
import numpy as np

from kerascnn._errors import InputError

__all__ = ["Memory", "build", "capture", "first_bad", "is_built", "restore", "variables"]

_NOT_STATE = {"params", "_model", "model"}  # given to a callback anew by every `fit`
_PLAIN = (bool, int, float, str, type(None))
_SEQUENCES = {"list": list, "tuple": tuple, "set": set}
_REFILLED = {  # containers of callbacks that are emptied and filled, and what with
    collections.Counter: dict,
    collections.OrderedDict: dict,
    collections.defaultdict: dict,
    collections.deque: list,
}


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


def is_built(model, arrays):
    """Whether all variables are there that the arrays of a checkpoint are of."""
    metrics = {name for name in arrays if name.startswith("metrics/")}
    return model.built and metrics <= variables(model, with_metrics=True).keys()


def build(model, batch):
    """Make the weights and metrics, which TensorFlow makes in the first step only."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    model.test_on_batch(x, y, sample_weight)


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
    for memory, changes in zip(memories, state["callbacks"]):
        memory.put_back(changes, arrays)  # first: some unfreeze layers, so variables come
    for name, variable in variables(model, with_metrics).items():
        variable.assign(arrays[name])
    random.setstate(_decode(state["python_random"], arrays))
    np.random.set_state(_decode(state["numpy_random"], arrays))


def first_bad(model, arrays):
    """Path of the first weight that holds NaN or infinity in captured `arrays`, or None."""
    for i, variable in enumerate(model.variables):
        array = arrays[f"model/{i}"]
        if array.dtype.kind not in "biu" and not np.isfinite(array).all():
            return variable.path
    return None


class Memory:
    """What a callback has learnt since its `on_train_begin`.

    A callback with `get_state()` and `set_state(state)` says it itself. Of any other, such as
    Keras's own, it is every attribute that is plain (numbers, strs, arrays, and lists, tuples, sets
    and dicts of these) and has changed: so options are never overwritten, only what was learnt.
    """

    def __init__(self, callback):
        self.callback = callback
        self._arrays = {}
        self._start = self._attributes(self._arrays)

    def _attributes(self, arrays, key=""):
        """{name: encoded value} of what is plain."""
        if hasattr(self.callback, "get_state"):
            return {"": self._own_state(key, arrays)}
        found = {}
        for name, value in vars(self.callback).items():
            if name not in _NOT_STATE:
                value = _REFILLED.get(type(value), lambda same: same)(value)
                with contextlib.suppress(TypeError):  # a function, an open file: its own affair
                    found[name] = _encode(value, f"{key}/{name}", arrays)
        return found

    def _own_state(self, key, arrays):
        try:
            return _encode(self.callback.get_state(), key, arrays)
        except TypeError as error:
            raise InputError(
                f"get_state() of {type(self.callback).__name__} must return numbers, strs, arrays, "
                f"or lists and dicts of these: {error}."
            ) from error

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
        names = _array_names(list(changed.values()))
        arrays.update({name: now_arrays[name] for name in names})
        return changed

    def put_back(self, changes, arrays):
        """Set what `changes` returned."""
        for name, value in changes.items():
            value = _decode(value, arrays)
            container = getattr(self.callback, name, None) if name else None
            if type(container) in _REFILLED:
                container.clear()
                container.update(value) if isinstance(value, dict) else container.extend(value)
            elif name:
                setattr(self.callback, name, value)
            else:
                self.callback.set_state(value)


def _encode(value, key, arrays):
    """`value` as JSON; NumPy arrays and tensors go into `arrays` under names that begin with `key`.

    Raises:
        TypeError: there is something else in it.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.ndarray | np.generic) or keras.ops.is_tensor(value):
        array = np.array(keras.ops.convert_to_numpy(value))
        if _has_a_plain_dtype(array):
            arrays[key] = array
            return {"scalar" if isinstance(value, np.generic) else "array": key}
    for kind, container in _SEQUENCES.items():
        if type(value) is container:
            return {kind: [_encode(part, f"{key}/{i}", arrays) for i, part in enumerate(value)]}
    if type(value) is dict:
        names = [_encode(name, f"{key}/names/{i}", arrays) for i, name in enumerate(value)]
        parts = [_encode(part, f"{key}/{i}", arrays) for i, part in enumerate(value.values())]
        return {"dict": list(zip(names, parts))}
    name = getattr(value, "__name__", "")
    if callable(value) and getattr(keras.ops, name, None) is value:
        return {"op": name}  # how Keras's callbacks compare: `keras.ops.less`
    raise TypeError(f"no plain value: {value!r}")


def _has_a_plain_dtype(array):
    """Whether a checkpoint can hold it: real numbers of up to 64 bits, and bfloat16 or float8."""
    return array.dtype.isbuiltin == 2 or (array.dtype.kind in "biuf" and array.dtype.itemsize <= 8)


def _decode(value, arrays):
    """The inverse of `_encode`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return np.array(arrays[content])  # what is read from a file cannot be changed
    if kind == "scalar":
        return arrays[content][()]
    if kind == "op":
        return getattr(keras.ops, content)
    if kind == "dict":
        return {_decode(name, arrays): _decode(part, arrays) for name, part in content}
    return _SEQUENCES[kind](_decode(part, arrays) for part in content)


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
        ((kind, content),) = value.items()
        return [content] if kind in ("array", "scalar") else _array_names(content)
    if isinstance(value, list | tuple):
        return [name for part in value for name in _array_names(part)]
    return []
