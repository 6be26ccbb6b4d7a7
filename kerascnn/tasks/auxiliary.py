"""Further classifiers inside a network, which only help to train it."""

import dataclasses

from kerascnn._errors import InputError
from kerascnn.tasks._task import Task

__all__ = ["auxiliary_heads"]


@dataclasses.dataclass(frozen=True)
class _Auxiliary:
    task: Task
    loss_weights: list  # for `compile`

    @property
    def loss(self):
        """The losses for `compile`, one for each output."""
        return [self.task.loss for _ in self.loss_weights]

    @property
    def metrics(self):
        """The metrics for `compile`: those of the first output."""
        return [self.task.metrics] + [[] for _ in self.loss_weights[1:]]

    def encode(self, labels):
        """What the losses take: the same labels for every output."""
        return [self.task.encode(labels)] * len(self.loss_weights)

    def decide(self, predictions):
        """The answers to the predictions of the first output."""
        return self.task.decide(predictions[0])


def auxiliary_heads(model, task, weight=0.3):
    """The task of a network whose further outputs are classifiers of the same classes.

    The first output counts 1, the others `weight`. After training drop them:
    `keras.Model(model.input, model.outputs[0])`.

    Source: Szegedy et al. 2015, arXiv:1409.4842, Sec. 5: "their loss gets added to the total loss
    of the network with a discount weight (the losses of the auxiliary classifiers were weighted by
    0.3)". Differs from the paper: no.

    Args:
        model: functional `keras.Model` with a list of outputs, e.g.
            `kerascnn.models.GoogLeNet(aux_heads=True)`.
        task: `Task` of all outputs; its `logits` as the outputs are.
        weight: float >= 0.

    Returns:
        An object with `loss`, `loss_weights`, `metrics`, `encode(labels)` and
        `decide(predictions)`.

    Raises:
        InputError: the outputs are not a list, or not of the task's size.

    >>> from kerascnn.models import GoogLeNet
    >>> from kerascnn.tasks import multi_class
    >>> model = GoogLeNet(input_shape=(65, 65, 3), classes=10, aux_heads=True)
    >>> heads = auxiliary_heads(model, multi_class(10))
    >>> heads.loss_weights
    [1.0, 0.3, 0.3]
    >>> model.compile("sgd", heads.loss, loss_weights=heads.loss_weights, metrics=heads.metrics)
    """
    outputs = getattr(model, "output", None)
    if not isinstance(outputs, list | tuple) or len(outputs) < 2:
        raise InputError(f"{model.name!r} has no list of outputs, so no auxiliary heads.")
    wrong = next((o for o in outputs if tuple(o.shape[1:]) != (task.units,)), None)
    if wrong is not None:
        raise InputError(
            f"Every output must have shape (N, {task.units}) for this task. "
            f"Received: an output of shape {tuple(wrong.shape)}."
        )
    if weight < 0:
        raise InputError(f"`weight` must be at least 0. Received: weight={weight}.")
    return _Auxiliary(task, [1.0] + [float(weight)] * (len(outputs) - 1))
