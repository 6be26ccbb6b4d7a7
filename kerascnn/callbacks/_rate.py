"""The learning rate of a run that continues: the run's own, unless the user chose another."""

import logging
import numbers

__all__ = ["LearningRate"]

_log = logging.getLogger("kerascnn")


class LearningRate:
    """The plain learning rate that a model was compiled with, and what becomes of it.

    Callbacks lower it, so a run continues at the rate of its checkpoint. If the script was changed
    meanwhile, it continues at the new one. Schedules, and several optimisers, decide for
    themselves: they are None here.

    Args:
        model: compiled `keras.Model`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.25))
    >>> rate = LearningRate(model)
    >>> model.optimizer.learning_rate = 0.125
    >>> rate.state()
    [0.25, 0.125]
    """

    def __init__(self, model):
        self._model = model
        self._compiled = self._now()
        self._new = None

    def state(self):
        """[rate at compile, rate now], for a checkpoint."""
        return [self._compiled, self._now()]

    def continue_from(self, saved):
        """Decide, given the `state` of the checkpoint."""
        if self._compiled in saved:
            self._compiled = saved[0]
        elif int(self._model.optimizer.iterations):  # this model trained before, maybe this run
            _log.warning(
                "The learning rate continues at %g, as it was saved, not at %g. To choose another, "
                "compile the model anew.",
                saved[1],
                self._compiled,
            )
            self._compiled = saved[0]
        else:
            _log.warning("The learning rate continues at %g, not at %g.", self._compiled, saved[1])
            self._new = self._compiled

    def set(self):
        """Put the user's new rate, if any, over the one that was restored."""
        if self._new is not None:
            self._model.optimizer.learning_rate = self._new

    def _now(self):
        optimizer = getattr(self._model.optimizer, "inner_optimizer", self._model.optimizer)
        rate = optimizer.get_config().get("learning_rate") if optimizer is not None else None
        return float(rate) if isinstance(rate, numbers.Real) else None
