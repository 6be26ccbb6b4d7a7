"""Larger batches in place of lower learning rates."""

import keras
from keras import ops

from kerascnn._errors import InputError, whole
from kerascnn.callbacks._scaling import log_rates

__all__ = ["BatchSizeGrowth"]


class BatchSizeGrowth(keras.callbacks.Callback):
    """From each of `epochs` on, trains on batches that are `factor` times as large.

    The noise of a step is about learning_rate * data / (batch * (1 - momentum)), so a batch that
    grows anneals it as a rate that decays does, with fewer updates. The batches of the data are
    joined, each used once; the last one of an epoch may be smaller. The progress bar counts the
    batches of the data; `optimizer.iterations` counts updates.

    Source: Smith et al. 2018, arXiv:1711.00489, Sec. 3 and 5.1 (times 5 at epochs 60, 120, 160).
    Differs: no.

    Args:
        epochs: list of ints >= 1, rising: epochs before a growth, as epochs to decay at.
        factor: int >= 2.

    Raises:
        InputError: an argument is outside its range; from `fit`, the batch would be larger than the
            data, or the model has `steps_per_execution`.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> growth = BatchSizeGrowth([1, 2], factor=2)
    >>> x = keras.ops.ones((8, 1))
    >>> _ = model.fit(x, x, batch_size=2, epochs=3, callbacks=[growth], verbose=0)
    >>> int(model.optimizer.iterations)  # 4 + 2 + 1
    7
    """

    def __init__(self, epochs, factor=5):
        super().__init__()
        epochs = list(epochs)
        if not epochs or min(epochs) < 1 or sorted(set(epochs)) != epochs:
            raise InputError(f"epochs must be rising ints from 1 on. Received: {epochs}.")
        self.epochs, self.factor = epochs, whole(factor, "factor", 2)

    def get_state(self):
        """Batches that are read and wait for others to be joined with."""
        return {"waiting": [keras.tree.map_structure(_array, batch) for batch in self._waiting]}

    def set_state(self, state):
        self._waiting = list(state["waiting"])

    def set_model(self, model):
        super().set_model(model)
        self._trained = model  # `self.model` gathers the weights on JAX at every look

    def on_train_begin(self, logs=None):
        self._waiting, self._joins = [], False
        owner = getattr(self._trained.train_function, "__self__", None)
        if isinstance(owner, BatchSizeGrowth):  # a `fit` that was interrupted had no end
            self._trained.make_train_function(force=True)
        if self.model.steps_per_execution > 1:
            raise InputError(
                "BatchSizeGrowth joins the batches of single steps. Compile without "
                f"steps_per_execution={self.model.steps_per_execution}."
            )
        steps, epochs = self.params.get("steps"), self.params.get("epochs") or 0
        largest = self.factor ** sum(epoch < epochs for epoch in self.epochs)
        if steps and largest > steps:
            raise InputError(
                f"The batch would grow to {largest} times its size, but the data has {steps} "
                "batches. Begin with smaller ones, or grow less often."
            )

    def on_epoch_begin(self, epoch, logs=None):
        self._waiting, self._logs = [], {}
        self._times = self.factor ** sum(epoch >= start for start in self.epochs)

    def on_train_batch_begin(self, batch, logs=None):
        self._is_last = self.params.get("steps") == batch + 1
        self._joins = self._times > 1
        if self._joins and self._trained.train_function != self._join:
            self._train = self._trained.train_function
            self._trained.train_function = self._join

    def on_train_batch_end(self, batch, logs=None):
        self._let_go()

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            for name, value in self._logs.items():  # missing if `fit` stopped while batches waited
                logs.setdefault(name, ops.convert_to_numpy(value).tolist())
            log_rates(self.model, logs)
        self._let_go()

    def _let_go(self):
        """Put the step back, unless another callback has made one anew meanwhile."""
        if self._trained.train_function == self._join:
            self._trained.train_function = self._train

    def _join(self, *args):
        """A step of `fit`: (iterator) on TensorFlow, (state, iterator) on JAX."""
        joins, self._joins = self._joins, False  # said once, so that no other `fit` joins
        if not joins:
            self._let_go()
            return self._train(*args)
        *state, iterator = args
        try:
            self._waiting.append(next(iterator))
        except StopIteration:  # the end of data of unknown size
            if not self._waiting:
                raise
            self._is_last = True
        if len(self._waiting) < self._times and not self._is_last:
            return ({}, *state) if state else {}  # no step, so no loss to be judged
        joined = keras.tree.map_structure(_concatenated, *self._waiting)
        self._waiting = []
        result = self._train(*state, _iterator(joined))
        self._logs = result[0] if state else result
        return result


def _concatenated(*parts):
    return None if parts[0] is None else ops.concatenate(parts)


def _array(part):
    return None if part is None else ops.convert_to_numpy(part)


def _iterator(batch):
    if keras.backend.backend() != "tensorflow":
        return iter([batch])
    import tensorflow as tf

    def of_any_size(part):
        if part is None:
            return None
        shape = [None, *part.shape[1:]]
        return tf.raw_ops.PlaceholderWithDefault(input=part, shape=shape)

    # One trace for all sizes: else the sizes that a run has seen decide the last bits of a step.
    dataset = tf.data.Dataset.from_tensors(batch)
    return iter(dataset.map(lambda *parts: tf.nest.map_structure(of_any_size, parts)))
