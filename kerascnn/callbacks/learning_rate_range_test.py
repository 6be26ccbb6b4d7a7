"""Which learning rate to train with: one short run through all of them."""

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn.callbacks._interrupt import Interrupt
from kerascnn.callbacks._scaling import optimizers_of, schedules_of
from kerascnn.callbacks._values import assign, copied, refuse_unbuilt

__all__ = ["LearningRateRangeTest"]

_SMOOTHING = 0.9
_NOTICE = b"\nFinishing this step, then undoing the test. Once more to stop at once.\n"
_DIVERGED = 4.0  # times the lowest loss, as fastai has it


class LearningRateRangeTest(keras.callbacks.Callback):
    """Raises the learning rate from step to step, remembers the losses, then undoes everything.

    The rate grows by the same factor in every step of `fit`. It ends after `steps`, or when the
    smoothed loss is four times its lowest. Weights, optimiser and rate are then what they were;
    after Ctrl-C too. (After an error within `fit`, call `on_train_end()` for that.)

    Source: Smith 2017, arXiv:1506.01186, Sec. 3.3, with the geometric steps, the smoothing and the
    end of fastai's `lr_find`. Differs: no.

    Args:
        lowest: float > 0, rate of the first step.
        highest: float > lowest, rate of the last.
        steps: int >= 10. `fit` needs as many: pass `epochs` enough, it stops by itself.

    Attributes:
        rates, losses: float arrays, one number a step.
        suggestion: float. A tenth of the rate at which the smoothed loss is lowest.

    Raises:
        InputError: an argument is outside its range; from `fit`, the rate follows a schedule, or
            there are several optimisers (`MultiOptimizer`), or the model is not built.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5), "mse")
    >>> test = LearningRateRangeTest(steps=30)
    >>> _ = model.fit(np.ones((8, 1)), np.ones(8), batch_size=2, epochs=99, callbacks=[test],
    ...     verbose=0)
    >>> bool(1e-3 < test.suggestion < 10), float(model.optimizer.learning_rate)
    (True, 0.5)
    """

    def __init__(self, lowest=1e-7, highest=10.0, steps=100):
        super().__init__()
        if not 0 < lowest < highest:
            raise InputError(
                "lowest must be above 0 and below highest. Received: "
                f"lowest={lowest}, highest={highest}."
            )
        if steps < 10:
            raise InputError(f"steps must be at least 10. Received: steps={steps}.")
        self._planned = np.geomspace(lowest, highest, steps)
        self.rates, self.losses = np.zeros(0), np.zeros(0)

    @property
    def suggestion(self):
        if len(self.rates) < 5:
            raise InputError(
                f"The test has seen {len(self.rates)} steps, too few for a suggestion. Begin it "
                "with a lower rate, or train longer."
            )
        return float(self.rates[np.argmin(_smoothed(self.losses))]) / 10

    def on_train_begin(self, logs=None):
        if schedules_of(self.model):
            raise InputError(
                "The range test sets the learning rate itself, but the optimiser follows a "
                "schedule. Compile with a number for the test."
            )
        self.rates, self.losses = np.zeros(0), np.zeros(0)
        parts = optimizers_of(self.model)
        if len(parts) > 1:
            raise InputError(
                f"The range test looks for one learning rate, and the model has {len(parts)} "
                "optimisers. Compile with one of them for the test."
            )
        refuse_unbuilt(self.model)
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self._rate = float(parts[0].get_config()["learning_rate"])
        self._weights = copied(self.model.variables)
        self._optimizer = copied(self.model.optimizer.variables)
        self._interrupt = Interrupt(self.model, _NOTICE)
        self._interrupt.install()

    def on_epoch_begin(self, epoch, logs=None):
        self._sum = self._seen = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = self._planned[len(self.rates)]

    def on_train_batch_end(self, batch, logs=None):
        self.losses = np.append(self.losses, self._own_loss(float(logs["loss"])))
        self.rates = np.append(self.rates, self._planned[len(self.rates)])
        losses = _smoothed(self.losses)
        if not np.isfinite(losses[-1]):
            self.rates, self.losses = self.rates[:-1], self.losses[:-1]
            self.model.stop_training = True
        elif losses[-1] > _DIVERGED * losses.min() or len(self.rates) == len(self._planned):
            self.model.stop_training = True
        if self._interrupt.requested:
            self.on_train_end()
            self._interrupt.stop()

    def _own_loss(self, mean):
        """That of the step: Keras reports the mean over the epoch's samples so far."""
        counts = [getattr(m, "count", 0.0) for m in self.model.metrics if m.name == "loss"]
        seen, before = sum(float(keras.ops.convert_to_numpy(count)) for count in counts), self._sum
        size, self._seen, self._sum = seen - self._seen, seen, mean * seen
        return (self._sum - before) / size if size else mean  # one's own `train_step` may not count

    def on_train_end(self, logs=None):
        self._interrupt.remove()
        assign(self.model.variables, self._weights)
        assign(self.model.optimizer.variables, self._optimizer)
        self.model.optimizer.learning_rate = self._rate


def _smoothed(losses):
    """Exponential mean, corrected for its start."""
    mean, smoothed = 0.0, []
    for count, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smoothed.append(mean / (1 - _SMOOTHING**count))
    return np.array(smoothed)
