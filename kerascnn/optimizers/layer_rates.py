"""Layer-wise learning rates: lower layers, which know most already, learn more slowly."""

import re

import keras
import numpy as np

from kerascnn._console import table
from kerascnn._errors import InputError, whole
from kerascnn.optimizers._rate import checked_rate
from kerascnn.schedules import Scaled

__all__ = ["layer_rates"]

_O = keras.optimizers


def layer_rates(model, optimizer, decay=0.75, groups=12, verbose=True):
    """An optimiser whose rate falls by `decay` from each group of layers to the one below it.

    The last layer with a kernel, the head, learns at the optimiser's own rate, the group below it
    at rate * decay, the next at rate * decay^2. A layer with a kernel begins a part, to which the
    normalisations and biases behind it belong; if there are more parts than groups, those below the
    head are shared out evenly.

    What it returns is Keras's `MultiOptimizer`: pass it to `compile`. It is saved and loaded with
    the model; `ReduceLROnPlateau` lowers all its rates; a schedule is scaled for each group; its
    `optimizers` are the groups', the head's first. Freeze layers before, and call it anew (then
    compile) after unfreezing. `global_clipnorm` clips each group by itself, and what
    `exclude_from_weight_decay` was told is not copied, as Keras does not save it: tell it to each
    of `.optimizers`.

    Source: Howard and Ruder 2018, arXiv:1801.06146, Sec. 3.2 (a layer at 1 / 2.6 of the next), in
    the form of Bao et al. 2022, arXiv:2106.08254 (0.65 to 0.85 for each of 12 blocks). Differs:
    groups of convolutional layers in place of blocks of a transformer.

    Args:
        model: built `keras.Model`; layers of models inside it count as its own.
        optimizer: Keras optimiser, not yet used, or its name, e.g. `AdamW(1e-3)`; only its options
            are used.
        decay: float in (0, 1].
        groups: int >= 1, the largest number of groups; or the groups themselves: lists of names of
            layers, the head's first, in which every layer that trains stands.
        verbose: bool. Whether the groups are printed.

    Returns:
        `keras.optimizers.MultiOptimizer`.

    Raises:
        InputError: an argument cannot be used, or two groups have layers of one name.

    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.Flatten(), keras.layers.Dense(9, name="hidden"),
    ...     keras.layers.Dense(2, name="head")])
    >>> model.compile(layer_rates(model, keras.optimizers.Adam(0.01), decay=0.5), "mse")
    layers    rate  factor  weights
    ------  ------  ------  -------
    head      0.01       1       20
    hidden   0.005     0.5    1,305
    conv    0.0025    0.25       40
    """
    optimizer = _checked(optimizer)
    if not 0 < decay <= 1:
        raise InputError(f"decay must be above 0 and at most 1. Received: decay={decay}.")
    if isinstance(groups, list | tuple):
        grouped = _named(_parts(model), groups)
    else:
        grouped = _grouped(_parts(model), whole(groups, "groups", 1))
    keys = [_key(group) for group in grouped]
    _refuse_equal_names(grouped, keys)
    factors = [decay**depth for depth in range(len(grouped))]
    optimizers = [_scaled(optimizer, factor, i) for i, factor in enumerate(factors)]
    if verbose:
        print(_told(grouped, factors, optimizers))
    # The lowest group is the default, and in no key: saved as both, it would come back as two.
    mapped = dict(zip(keys[:-1], optimizers))
    return _O.MultiOptimizer(_O.OptimizerMap(optimizers[-1], mapped))


def _checked(optimizer):
    if isinstance(optimizer, str):
        return _O.get(optimizer)
    if not isinstance(optimizer, _O.Optimizer):
        raise InputError(
            "optimizer must be a Keras optimiser or its name, e.g. keras.optimizers.AdamW(1e-3). "
            f"Received: {optimizer!r}."
        )
    if isinstance(optimizer, _O.MultiOptimizer | _O.LossScaleOptimizer):
        raise InputError(
            f"Pass the plain optimiser, not {type(optimizer).__name__}: groups are made here, and "
            "compile adds the loss scaling of mixed_float16."
        )
    return optimizer


def _layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _parts(model):
    """[(layer's name, trainable weights), ...] of each layer with a kernel and what follows it."""
    parts, seen, has_kernel = [], set(), False
    for layer in _layers(model):
        weights = [v for v in layer.trainable_variables if id(v) not in seen]
        seen |= {id(v) for v in weights}
        if weights:
            kernel = any(len(v.shape) > 1 for v in weights)
            if not parts or (kernel and has_kernel):
                parts.append([])
            has_kernel |= kernel
            parts[-1].append((layer.name, weights))
    if not parts:
        raise InputError("The model has no trainable weights. Build it, and unfreeze some layers.")
    return parts


def _grouped(parts, groups):
    """At most `groups` lists of (layer's name, its weights), the head first."""
    *below, head = parts
    if groups == 1:
        return [[layer for part in parts for layer in part]]
    shares = np.array_split(np.arange(len(below)), min(groups - 1, len(below)) or 1)
    joined = [[layer for i in share for layer in below[i]] for share in shares if len(share)]
    return [head, *reversed(joined)]


def _named(parts, groups):
    """The (layer's name, its weights) of each group of names; one without weights is left out."""
    layers = [layer for part in parts for layer in part]
    given = [name for names in groups for name in names]
    missing = [name for name, _ in layers if name not in given]
    if missing:
        raise InputError(f"groups must hold every layer that trains. Missing: {missing[:5]}.")
    found = [[layer for layer in layers if layer[0] in names] for names in groups]
    return [group for group in found if group]


def _key(group):
    """The regular expression of the paths of a group's weights, as `OptimizerMap` takes them.

    They begin at the layer: a loaded `Sequential` no longer puts its own name before it.
    """
    paths = []
    for name, weights in group:
        for path in (v.path.split("/") for v in weights):
            begin = path.index(name) if name in path else 0
            paths.append(re.escape("/".join(path[begin:])))
    return f"(.*/)?({'|'.join(paths)})"


def _refuse_equal_names(grouped, keys):
    for i, group in enumerate(grouped):
        for path in (v.path for _, weights in group for v in weights):
            if [bool(re.fullmatch(key, path)) for key in keys] != [
                j == i for j in range(len(keys))
            ]:
                raise InputError(
                    f"Another group has a layer with the name of {path!r}, by which the rates are "
                    "told apart. Give the layers different names."
                )


def _scaled(optimizer, factor, index):
    config = optimizer.get_config()
    rate = config["learning_rate"]
    if isinstance(rate, dict):
        rate = _O.schedules.deserialize(rate)
        config["learning_rate"] = rate if factor == 1 else Scaled(rate, factor)
    else:
        config["learning_rate"] = checked_rate(rate) * factor
    return type(optimizer).from_config(config | {"name": f"{optimizer.name}_{index}"})


def _told(grouped, factors, optimizers):
    rows = []
    for group, factor, optimizer in zip(grouped, factors, optimizers):
        names = [name for name, _ in group]
        count = sum(int(np.prod(v.shape)) for _, weights in group for v in weights)
        layers = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        rows.append((layers, f"{rate:.3g}", f"{factor:.3g}", f"{count:,}"))
    return table(["layers", "rate", "factor", "weights"], rows)
