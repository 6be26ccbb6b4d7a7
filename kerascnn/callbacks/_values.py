"""Copies of everything a training changes in a model, in memory."""

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
    return copied(model.variables), copied(learnt), [variable.path for variable in learnt]


def restore(model, state):
    """Go back to what `snapshot` returned.

    What the optimiser keeps of weights that did not train then (`GradualUnfreezing`) begins anew.
    """
    weights, momenta, paths = state
    assign(model.variables, weights)
    learnt = optimizer_variables(model)
    if len(momenta) != len(learnt):  # else in order: another process may name layers otherwise
        known = {v.path: v for v in fresh_optimizer(model).variables} | dict(zip(paths, momenta))
        momenta = [known[v.path] for v in learnt]
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
    averages = {f"{v.path.replace('/', '_')}_average": v for v in model.trainable_variables}
    for variable in new.variables:
        if variable.name in averages:
            variable.assign(keras.ops.copy(averages[variable.name]))  # JAX donates each buffer once
    return new
