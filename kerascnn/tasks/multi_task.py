"""Several tasks on one network."""

import dataclasses
import numbers

import numpy as np

from kerascnn._errors import InputError, one_of
from kerascnn.layers import LearnedLossWeight
from kerascnn.losses import UncertaintyWeighted
from kerascnn.tasks._task import Task
from kerascnn.tasks.regression import _Regression

__all__ = ["multi_task"]


@dataclasses.dataclass(frozen=True)
class _MultiTask:
    tasks: dict
    loss_weights: dict | None  # for `compile`
    learned: dict | None  # name: LearnedLossWeight

    @property
    def loss(self):
        """{name: loss} for `compile`."""
        losses = {name: task.loss for name, task in self.tasks.items()}
        for name, layer in (self.learned or {}).items():
            regression = isinstance(self.tasks[name], _Regression)
            losses[name] = UncertaintyWeighted(losses[name], layer, regression)
        return losses

    @property
    def metrics(self):
        """{name: list of metrics} for `compile`."""
        return {name: task.metrics for name, task in self.tasks.items()}

    def head(self, x):
        """The outputs {name: (N, units)} on top of features (N, F); the layers have the names."""
        if not self.learned:
            return {name: task.head(x, name) for name, task in self.tasks.items()}
        if any(layer.built for layer in self.learned.values()):
            raise InputError(
                "A multi_task with learned weights belongs to one model, whose head it has made. "
                "Make another multi_task for another model."
            )
        outputs = {n: task.head(x, f"{n}_predictions") for n, task in self.tasks.items()}
        return {name: self.learned[name](output) for name, output in outputs.items()}

    def encode(self, labels):
        """{name: what the loss takes}, of {name: labels}."""
        _same_names(labels, self.tasks, "labels")
        return {name: task.encode(labels[name]) for name, task in self.tasks.items()}

    def decide(self, predictions):
        """{name: answers}, of the predictions {name: (N, units)}."""
        _same_names(predictions, self.tasks, "predictions")
        return {name: task.decide(predictions[name]) for name, task in self.tasks.items()}


def multi_task(tasks, weights=None):
    """Several tasks on one network: a head each, and the weighted sum of their losses.

    `model.compile("adam", loss=both.loss, loss_weights=both.loss_weights, metrics=both.metrics)`.
    A task made with `class_weight=` keeps it: the weights of classes are part of its loss.

    Source of the learned weights: Kendall, Gal and Cipolla 2018, arXiv:1705.07115, Sec. 3.2: each
    loss times exp(-s), half of that for regression, plus s / 2, with s = log(sigma**2) of each
    output. The model owns every s; see `kerascnn.layers.LearnedLossWeight`. Losses whose noise is
    estimated need no tuning of weights when their units differ.

    Args:
        tasks: {name: `Task`}; the outputs and their layers have these names.
        weights: {name: float >= 0}, 1 for those left out; or floats in the order of `tasks`;
            "learned"; or None for 1 each.

    Returns:
        An object with `loss`, `loss_weights`, `metrics`, `head(x)`, `encode(labels)` and
        `decide(predictions)`, like a `Task`, of dicts by name.

    Raises:
        InputError: a weight of an output that does not exist, is negative, or there are too many.

    >>> import keras
    >>> from kerascnn.tasks import multi_class, regression
    >>> tasks = {"kind": multi_class(5), "price": regression()}
    >>> both = multi_task(tasks, weights={"kind": 0.5, "price": 10.0})
    >>> model = keras.Model(inputs := keras.Input((8,)), both.head(inputs))
    >>> {name: output.shape for name, output in model.output.items()}
    {'kind': (None, 5), 'price': (None, 1)}
    >>> multi_task(tasks, weights={"prise": 10.0})
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: Unknown output in `weights` 'prise'. Did you mean 'price'? ...
    """
    if not isinstance(tasks, dict) or not tasks:
        raise InputError(f"`tasks` must be a dict {{name: task}}. Received: {tasks!r}.")
    wrong = next((name for name, task in tasks.items() if not isinstance(task, Task)), None)
    if wrong is not None:
        raise InputError(f"Output {wrong!r} is no task of kerascnn.tasks: {tasks[wrong]!r}.")
    tasks = dict(tasks)
    if isinstance(weights, str):
        one_of(weights, ["learned"], "choice of `weights`")
        # float32 as the heads are: 16 bits hold neither a price nor a small probability.
        learned = {name: LearnedLossWeight(name=name, dtype="float32") for name in tasks}
        return _MultiTask(tasks, None, learned)
    return _MultiTask(tasks, _fixed(weights, tasks), None)


def _fixed(weights, tasks):
    """{name: weight} of all tasks, or None."""
    if weights is None:
        return None
    if not isinstance(weights, dict):
        if np.ndim(weights) != 1 or len(weights) != len(tasks):
            raise InputError(
                f"`weights` needs one number for each output, {', '.join(tasks)}. "
                f"Received: {weights!r}."
            )
        weights = dict(zip(tasks, weights))
    for name, weight in weights.items():
        one_of(name, tasks, "output in `weights`")
        if not isinstance(weight, numbers.Real) or not 0 <= weight < float("inf"):
            raise InputError(
                f"The weight of output {name!r} must be a number of at least 0. Received: {weight}."
            )
    return {name: float(weights.get(name, 1.0)) for name in tasks}


def _same_names(given, tasks, what):
    if not isinstance(given, dict) or set(given) != set(tasks):
        received = sorted(map(str, given)) if isinstance(given, dict) else type(given).__name__
        raise InputError(
            f"`{what}` must be a dict with the keys {', '.join(tasks)}. Received: {received}."
        )
