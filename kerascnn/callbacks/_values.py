"""Copies of everything a training changes in a model, in memory."""

import collections

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn.callbacks._scaling import parts_of

__all__ = [
    "assign",
    "copied",
    "fresh_optimizer",
    "optimizer_variables",
    "refuse_unbuilt",
    "restore",
    "slot_names",
    "snapshot",
]


def refuse_unbuilt(model):
    """What is to be kept or changed from the begin on must be there."""
    if not model.built:
        raise InputError(
            "The model has no weights before its first batch, but this callback needs them. Begin "
            "it with keras.Input(shape), or call model.build(shape) before fit."
        )


def optimizer_variables(model):
    """What the optimiser has learnt: not its rate, nor the number of its steps.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile(keras.optimizers.SGD(momentum=0.9))
    >>> model.optimizer.build(model.trainable_variables)
    >>> len(optimizer_variables(model))
    1
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    ending = ("/learning_rate", "/iteration", "/iterations")
    return [v for v in model.optimizer.variables if not f"/{v.path}".endswith(ending)]


def copied(variables):
    """Their values, as arrays."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables, values):
    """Put back what `copied` returned."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def snapshot(model):
    """Weights, moving statistics and momenta as they are now."""
    learnt = optimizer_variables(model)
    return copied(model.variables), copied(learnt), slot_names(learnt, model, model.optimizer)


def restore(model, state):
    """Go back to what `snapshot` returned.

    What the optimiser keeps of weights that did not train then (`GradualUnfreezing`) begins anew.
    """
    weights, momenta, names = state
    assign(model.variables, weights)
    learnt = optimizer_variables(model)
    if len(momenta) != len(learnt):  # else in order: another process may name layers otherwise
        new = fresh_optimizer(model)
        known = dict(zip(slot_names(new.variables, model, new), new.variables))
        known |= dict(zip(names, momenta))
        momenta = [known[name] for name in slot_names(learnt, model, model.optimizer)]
    assign(learnt, momenta)


def fresh_optimizer(model):
    """One like the model's, built for the weights that train now, that has learnt nothing.

    Averages (`use_ema=True`) begin at the weights: Keras sets them in the run's first step only.
    """
    new = keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer))
    for old_part, part in zip(parts_of(model.optimizer), parts_of(new)):
        if old_part.weight_decay is not None:  # what is excluded Keras neither saves nor tells
            kept = [v for v in model.variables if not old_part._use_weight_decay(v)]
            part.exclude_from_weight_decay(kept)
    new.build(model.trainable_variables)
    averages = collections.defaultdict(list)  # several of a name: see `slot_names`
    for variable in model.trainable_variables:
        averages[f"{_prefix(variable)}average"].append(variable)
    for variable in new.variables:
        if averages.get(variable.name):
            value = averages[variable.name].pop(0)
            variable.assign(keras.ops.copy(value))  # JAX donates each buffer once
    return new


def slot_names(slots, model, optimizer):
    """A name of its own for each variable of an optimiser: its path and whose it is.

    Layers of two nested models may have one path, so their slots have too. Optimisers make slots of
    a kind in the order of the weights: the n-th of a path is that of the n-th such weight.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")], name="a")
    >>> model.compile(keras.optimizers.SGD(momentum=0.9, name="sgd"))
    >>> slot_names(optimizer_variables(model), model, model.optimizer)
    ['sgd/a_last_kernel_momentum of 0', 'sgd/a_last_bias_momentum of 1']
    """
    places = {id(variable): place for place, variable in enumerate(model.variables)}
    owners = collections.defaultdict(list)
    for part in parts_of(optimizer):
        for variable in part._trainable_variables:
            owners[_prefix(variable)].append(places.get(id(variable)))
    seen, names = collections.Counter(), []
    for slot in slots:
        own = [prefix for prefix in owners if slot.name.startswith(prefix)]
        of = owners[max(own, key=len)][seen[slot.path]] if own else None
        seen[slot.path] += 1
        names.append(f"{slot.path} of {of}")
    return names


def _prefix(variable):
    """What the names of its slots begin with."""
    return variable.path.replace("/", "_") + "_"
