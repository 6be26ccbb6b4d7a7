"""Copies of everything a training changes in a model, in memory."""

import keras
import numpy as np

__all__ = ["assign", "copied", "optimizer_variables", "restore", "snapshot"]


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
    return copied(model.variables), copied(optimizer_variables(model))


def restore(model, state):
    """Go back to what `snapshot` returned."""
    weights, momenta = state
    assign(model.variables, weights)
    assign(optimizer_variables(model), momenta)
