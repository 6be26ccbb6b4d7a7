"""The mean of the weights of the last epochs."""

import logging

import keras

from kerascnn._batch_norm import (
    batch_count,
    has_batch_norm,
    recalibrate_batch_norm,
    refuse_endless,
)
from kerascnn._errors import InputError, whole
from kerascnn.callbacks._scaling import log_rates
from kerascnn.callbacks._values import assign, copied

__all__ = ["StochasticWeightAveraging"]

_log = logging.getLogger("kerascnn")


class StochasticWeightAveraging(keras.callbacks.Callback):
    """Ends `fit` with the mean of the weights after each epoch from `start_epoch` on.

    Train those epochs at a constant, rather high rate, or in cycles of `every_epochs` that begin
    with `start_epoch`; then the weights at each cycle's end, where the rate is lowest, count. The
    statistics of batch normalisation are estimated anew for the mean, from `data`. `fit`'s own
    validation sees the single weights; evaluate the mean after it. (For a mean that decays, in
    every step, there is Keras's `use_ema=True` with `keras.callbacks.SwapEMAWeights`.) Where other
    layers begin to train (`GradualUnfreezing`), the mean begins anew.

    Source: Izmailov et al. 2018, arXiv:1803.05407, Algorithm 1. Differs: the weights that
    the averaged epochs start from are not in the mean, as in PyTorch's.

    Args:
        start_epoch: int >= 0, epochs that are not averaged.
        data: training data, as `recalibrate_batch_norm` takes it, e.g. `data.train`; needed if the
            model has batch normalisation. Of data whose length is not known, as many batches count
            as an epoch of `fit` has.
        every_epochs: int >= 1.

    Attributes:
        num_averaged: int, how many weights are in the mean.

    Raises:
        InputError: an argument is outside its range; from `fit`, `data` is missing, or neither
            it nor an epoch has a known end.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile("sgd", "mse")
    >>> average = StochasticWeightAveraging(start_epoch=2)
    >>> x = keras.ops.ones((4, 1))
    >>> _ = model.fit(x, x, epochs=5, callbacks=[average], verbose=0)
    >>> average.num_averaged
    3
    """

    def __init__(self, start_epoch, data=None, every_epochs=1):
        super().__init__()
        self.start_epoch = whole(start_epoch, "start_epoch", 0)
        self.every_epochs = whole(every_epochs, "every_epochs", 1)
        self._data = data

    def get_state(self):
        return {"count": self.num_averaged, "mean": self._mean}

    def set_state(self, state):
        self.num_averaged, self._mean = state["count"], state["mean"]

    def on_train_begin(self, logs=None):
        self.num_averaged, self._mean = 0, None
        if self._data is None and has_batch_norm(self.model):
            raise InputError(
                "The model has batch normalisation, whose statistics do not fit averaged weights. "
                "Pass the training data: StochasticWeightAveraging(..., data=data.train)."
            )
        if has_batch_norm(self.model):
            refuse_endless(self._data, self._steps())
        epochs = self.params.get("epochs")
        if epochs is not None and self.start_epoch + self.every_epochs > epochs:
            raise InputError(
                f"start_epoch={self.start_epoch} with every_epochs={self.every_epochs} is never "
                f"reached: fit trains {epochs} epochs."
            )

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            log_rates(self.model, logs)
        done = epoch + 1 - self.start_epoch
        if done <= 0 or done % self.every_epochs:
            return
        weights = [value.astype("float64") for value in copied(self.model.trainable_variables)]
        if self._mean is not None and len(self._mean) != len(weights):
            _log.warning(
                "Epoch %d: other layers train now than before: the mean of the weights begins "
                "anew, without the %d before.",
                epoch + 1,
                self.num_averaged,
            )
            self.num_averaged, self._mean = 0, None
        self.num_averaged += 1
        if self._mean is None:
            self._mean = weights
        self._mean = [
            mean + (value - mean) / self.num_averaged
            for mean, value in zip(self._mean, weights, strict=True)
        ]

    def on_train_end(self, logs=None):
        if self._mean is None:
            return
        assign(self.model.trainable_variables, self._mean)
        if has_batch_norm(self.model):
            recalibrate_batch_norm(self.model, self._data, self._steps())

    def _steps(self):
        """How many batches the statistics are of; None is all."""
        return self.params.get("steps") if batch_count(self._data) is None else None
