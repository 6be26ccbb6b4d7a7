"""What every task is."""

import abc
import dataclasses

import keras
import numpy as np

from kerascnn._errors import InputError

__all__ = ["Task"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task(abc.ABC):
    """An output, its loss, its form of the labels, its metrics and its decision.

    Made by `regression`, `binary`, `multi_class`, `multi_label` and `ordinal`. Losses and metrics
    are new Keras objects each time they are asked for, so that one task serves several models.

    Attributes:
        units: int. Outputs of the head.
        logits: bool. Whether the head ends without its activation, and loss and metrics know.
        bias: tuple of `units` floats, where the head's bias starts, or None for zeros.

    >>> from kerascnn.tasks import binary
    >>> task = binary(labels=[0, 0, 0, 1])
    >>> task.units, task.loss.name, [round(b, 3) for b in task.bias]
    (1, 'binary_crossentropy', [-1.099])
    """

    units: int
    logits: bool = False
    bias: tuple | None = None
    activation = None  # of the head, unless `logits`

    @property
    @abc.abstractmethod
    def loss(self):
        """The loss for `compile`, a new one each time."""

    @property
    @abc.abstractmethod
    def metrics(self):
        """The metrics for `compile`, a list of new ones each time."""

    @abc.abstractmethod
    def encode(self, labels):
        """What the loss takes, of labels as people write them: a NumPy array with N rows."""

    @abc.abstractmethod
    def decide(self, predictions):
        """The answers to predictions (N, units): an array or list of N."""

    def head(self, x, name="predictions"):
        """The output on top of features (N, F), in float32."""
        if len(x.shape) != 2:
            raise InputError(
                "A head needs features of shape (N, F): pool or flatten first. "
                f"Received: x of shape {tuple(x.shape)}."
            )
        bias = "zeros" if self.bias is None else keras.initializers.Constant(np.array(self.bias))
        activation = None if self.logits else self.activation
        return self._output(
            x, activation=activation, bias_initializer=bias, name=name, dtype="float32"
        )

    def _output(self, x, **options):
        return keras.layers.Dense(self.units, **options)(x)

    def _checked(self, predictions):
        predictions = np.asarray(predictions)
        if predictions.ndim != 2 or predictions.shape[1] != self.units:
            raise InputError(
                f"Predictions of this task have shape (N, {self.units}). "
                f"Received: shape {predictions.shape}."
            )
        return predictions

    @property
    def _threshold(self):
        return 0.0 if self.logits else 0.5
