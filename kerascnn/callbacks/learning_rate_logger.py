"""The learning rate of every epoch in the history, and a schedule that is too short named."""

import keras

from kerascnn._errors import InputError
from kerascnn.callbacks._scaling import log_rates, schedules_of
from kerascnn.schedules import simulate

__all__ = ["LearningRateLogger"]


class LearningRateLogger(keras.callbacks.Callback):
    """Writes the learning rate at the end of each epoch into the history, as "learning_rate".

    Before the first step it looks whether a schedule falls to 0 and leaves epochs in which nothing
    would be learnt; a schedule goes on where an earlier `fit` of the model ended. It belongs before
    callbacks that write or send the logs, such as `CSVLogger`. The callbacks of kerascnn that
    change the rate write it too.

    Raises:
        InputError: from `fit`, a schedule is 0 while a tenth of `fit`'s steps is still to come.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 4)), "mse")
    >>> x = keras.ops.ones((2, 1))
    >>> history = model.fit(x, x, epochs=2, batch_size=1, callbacks=[LearningRateLogger()],
    ...     verbose=0)
    >>> [round(rate, 2) for rate in history.history["learning_rate"]]
    [0.05, 0.0]
    """

    def get_state(self):
        """The step at which epoch 0 began or would have begun, of each schedule."""
        return {"begins": self._begins}

    def set_state(self, state):
        self._begins = state["begins"]

    def on_train_begin(self, logs=None):
        self._looked, self._begins = False, None

    def on_epoch_begin(self, epoch, logs=None):
        if not self._looked:  # not at the begin, where `Resume` has not put the steps back
            self._looked = True
            self._look(epoch)

    def _look(self, epoch):
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        if not steps or not epochs:
            return
        found = schedules_of(self.model)
        if self._begins is None:  # else `Resume` continues, perhaps inside an epoch
            self._begins = [now - steps * epoch for _, now in found]
        for (schedule, now), begin in zip(found, self._begins):
            end = begin + steps * epochs
            if now >= end:  # all steps are made
                continue
            looks = [now + (end - now) * tenth // 10 for tenth in range(1, 10)]
            zero = [step for step, rate in zip(looks, simulate(schedule, looks)) if rate == 0]
            if zero:
                raise InputError(
                    f"The learning rate of {type(schedule).__name__} is 0 at step {zero[0]}, but "
                    f"fit trains from step {now} to {end}. Make the schedule as long as the "
                    "training, or compile the model anew to begin it again."
                )

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            log_rates(self.model, logs)
