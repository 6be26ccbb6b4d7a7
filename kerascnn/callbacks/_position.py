"""A data set that is read from a given step of a given epoch on."""

import keras

from kerascnn._errors import InputError

__all__ = ["Positioned", "knows_its_position", "pass_over_batches"]


def knows_its_position(data):
    """Whether any batch of `data` can be asked for: `data.batch(epoch, index)`.

    >>> knows_its_position([1, 2])
    False
    """
    return callable(getattr(data, "batch", None)) and hasattr(data, "num_batches")


class Positioned(keras.utils.PyDataset):
    """The batches of `source`, in the epoch and from the step that `move` says.

    Keras fixes the length of an epoch before it calls anybody, so the batches that are done are
    still given, each as a single row that costs next to nothing and that nobody trains on (or as
    many as this process has devices, if the source is shared out: `rows_at_least`).
    """

    def __init__(self, source):
        # On JAX the workers of Keras 3.15 read before the first epoch, and that goes into it.
        alone = keras.backend.backend() == "jax"
        super().__init__(
            workers=1 if alone else getattr(source, "workers", 1),
            use_multiprocessing=not alone and getattr(source, "use_multiprocessing", False),
            max_queue_size=getattr(source, "max_queue_size", 10),
        )
        self.source = source
        self.move(0)

    @property
    def num_batches(self):
        return self.source.num_batches

    def move(self, epoch, done=0):
        """The next epoch that is read is `epoch`, of which `done` steps are done."""
        self.epoch, self.done = epoch, done
        self._row = None
        self._last, self._in_turn = -1, True

    def __getitem__(self, index):
        ahead = self.max_queue_size + self.workers if self.workers > 1 else 0
        self._in_turn &= abs(index - self._last - 1) <= ahead
        self._last = index
        if index >= self.done:
            return self.source.batch(self.epoch, index)
        if self._row is None:
            batch = self.source.batch(self.epoch, index)
            few = getattr(self.source, "rows_at_least", 1)
            self._row = keras.tree.map_structure(lambda part: part[:few], batch)
        return self._row

    def check_use(self):
        """An `InputError` if `fit` reads something else, or in another order."""
        if self.use_multiprocessing and self.workers:
            return  # other processes read
        if self._last < 0:
            raise InputError("fit does not read resume.data. Call model.fit(resume.data, ...).")
        if not self._in_turn:
            raise InputError(
                "fit shuffles the batches, so that no later run could repeat their order. Call "
                "model.fit(resume.data, shuffle=False, ...): the data has its own order."
            )


def pass_over_batches(model, is_passing):
    """Let the model of a running `fit` read batches and do nothing, as long as `is_passing()`."""
    train, logs = model.train_function, model.get_metrics_result()

    def pass_over(*args):  # (iterator), on JAX (state, iterator)
        if not is_passing():
            model.train_function = train
            return train(*args)
        for _ in range(model.steps_per_execution):
            next(args[-1], None)
        return (logs, args[0]) if len(args) == 2 else logs

    model.train_function = pass_over
