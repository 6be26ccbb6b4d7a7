"""Which weights of a model are pruned, and keeping them pruned while it trains."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError, one_of
from kerascnn._kernels import chosen, kernels
from kerascnn._runs import atomic_path

__all__ = ["hold", "kept", "load_masks", "prune", "save_masks"]


def prune(model, fraction, masks=None, scope="global"):
    """Masks without the smallest weights: of those that are still there, a fraction goes.

    Masks are plain: `{"layer/kernel": bool array of the kernel's shape}`, True where a weight is
    kept. Only kernels are pruned, never biases or normalisation. `model` itself stays as it is: see
    `hold`. Masks fit another build of the network by the names of its layers or, since Keras
    numbers layers without a name anew, by their order if all shapes agree.

    Args:
        model: `keras.Model`, trained.
        fraction: float in [0, 1), how many of the weights that `masks` keep; or {pattern of layer
            names: float}, of which the first that fits counts, and kernels that no pattern fits are
            kept whole. Frankle and Carbin prune 0.2 a round, of the output layer half as much:
            `{"output": 0.1, "*": 0.2}`.
        masks: what is pruned already, or None.
        scope: "layer", the smallest of each kernel; or "global", the smallest of all kernels that
            have the same fraction together, which suits deep networks, whose layers differ in size.

    Returns:
        Masks.

    Raises:
        InputError: a fraction is outside [0, 1), a pattern fits no layer, `scope` is unknown, or
            the masks are not of this model.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="fc")])
    >>> model.set_weights([np.array([[0.1, -3.0], [2.0, -0.2]]), np.zeros(2)])
    >>> prune(model, 0.5)
    {'fc/kernel': array([[False,  True],
           [ True, False]])}
    """
    one_of(scope, ["global", "layer"], "scope")
    found = kernels(model)
    masks = (
        _fitting(masks, found) if masks else {k: np.ones(w.shape, bool) for k, w in found.items()}
    )
    layers = {name: name.rpartition("/")[0] for name in found}
    fractions = chosen(fraction, list(dict.fromkeys(layers.values())))
    if not all(0 <= value < 1 for value in fractions.values()):
        raise InputError(f"`fraction` must be in [0, 1). Received: fraction={fraction}.")
    pools = {}
    for name in masks:
        rate = fractions.get(layers.get(name), 0)
        pools.setdefault(rate if scope == "global" else (rate, name), (rate, []))[1].append(name)
    result = {}
    for rate, names in pools.values():
        result |= _without_smallest({n: (found[n].numpy(), masks[n]) for n in names}, rate)
    return {name: result[name] for name in masks}


def _fitting(masks, found):
    """The masks as bool arrays under the model's names, if they fit its kernels."""
    shapes = [tuple(kernel.shape) for kernel in found.values()]
    if not masks.keys() <= found.keys() and shapes == [np.shape(mask) for mask in masks.values()]:
        masks = dict(zip(found, masks.values()))  # Keras numbers unnamed layers anew each time
    for name, mask in masks.items():
        if name not in found or tuple(found[name].shape) != np.shape(mask):
            shape = tuple(found[name].shape) if name in found else "absent"
            raise InputError(
                f"The masks are of another model: {name!r} has shape {np.shape(mask)} in them and "
                f"is {shape} in the model. Kernels of the model: {', '.join(found)}."
            )
    return {name: np.asarray(mask, bool) for name, mask in masks.items()}


def _without_smallest(pool, rate):
    """Masks of a pool {name: (kernel, mask)} without the smallest of what it keeps."""
    sizes = np.concatenate([np.abs(kernel[mask]) for kernel, mask in pool.values()])
    count = round(rate * len(sizes))
    stays = np.ones(len(sizes), bool)
    if count:
        stays[np.argpartition(sizes, count - 1)[:count]] = False
    result, done = {}, 0
    for name, (_, mask) in pool.items():
        number = int(mask.sum())
        result[name] = mask.copy()
        result[name][mask] = stays[done : done + number]
        done += number
    return result


def hold(model, masks):
    """Set the pruned weights of `model` to zero and keep them there through training, in place.

    The optimizer updates them as others, and they are set back in the same step: no momentum and no
    weight decay revives them. A constraint that a kernel has stays beside it. The moving averages
    of `use_ema` are taken before that: call it once more when they have become the weights.

    The masks are no part of a saved model, which is a plain Keras model with zeros in its kernels:
    see `save_masks`; hold it again to train it further. So are copies: of `clone_model`,
    `regularize`, `to_precision` and `ComputeChoice.apply`.

    Args:
        model: `keras.Model`, compiled or not.
        masks: as `prune` gives them. Kernels that they do not name are left alone.

    Raises:
        InputError: the masks are not of this model. Nothing is changed then.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="fc")])
    >>> hold(model, {"fc/kernel": np.array([[True, False], [False, False]])})
    >>> np.flatnonzero(model.get_weights()[0]).tolist()
    [0]
    """
    found = kernels(model)
    for name, mask in _fitting(masks, found).items():
        kernel = found[name]
        own = getattr(kernel.constraint, "inner", kernel.constraint)
        kernel.constraint = _Mask(ops.convert_to_tensor(mask, kernel.dtype), own)
        kernel.assign(kernel.value * kernel.constraint.mask)
    if model.compiled:
        model.make_train_function(force=True)  # a step that was traced before knows no mask


class _Mask(keras.constraints.Constraint):
    """Zero where the mask is 0: by a product, which is quicker than a choice by bools."""

    def __init__(self, mask, inner=None):
        self.mask = mask
        self.inner = inner

    def __call__(self, w):
        return ops.convert_to_tensor(w if self.inner is None else self.inner(w)) * self.mask


def kept(masks):
    """The share of the kernels' weights that masks keep: float in [0, 1].

    >>> kept({"fc/kernel": np.array([True, False, False, False])})
    0.25
    """
    size = sum(np.size(mask) for mask in masks.values())
    return float(sum(np.sum(mask) for mask in masks.values()) / size)


def save_masks(path, masks):
    """Write masks to a file in NumPy's npz format, under any name.

    A bit for each weight: {name: bits}, {name + ":shape": shape}.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/masks.npz"
    >>> save_masks(path, {"fc/kernel": np.array([[True, False]])})
    >>> load_masks(path)
    {'fc/kernel': array([[ True, False]])}
    """
    bits = {name: np.packbits(mask) for name, mask in masks.items()}
    shapes = {f"{name}:shape": np.shape(mask) for name, mask in masks.items()}
    with atomic_path(path) as partial, partial.open("wb") as file:  # NumPy would add ".npz"
        np.savez_compressed(file, **bits, **shapes)


def load_masks(path):
    """Read masks that `save_masks` wrote.

    Raises:
        InputError: there is no such file, or it holds no masks.

    >>> load_masks("nothing.npz")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: No masks at nothing.npz: ...
    """
    try:
        with np.load(path) as file:
            shapes = {n.removesuffix(":shape"): file[n] for n in file if n.endswith(":shape")}
            if not shapes:
                raise ValueError("it holds other arrays")
            return {
                name: np.unpackbits(file[name], count=np.prod(shape)).astype(bool).reshape(shape)
                for name, shape in shapes.items()
            }
    except Exception as error:  # of files that are none, NumPy and zipfile raise almost anything
        raise InputError(f"No masks at {path}: {error}.") from error
