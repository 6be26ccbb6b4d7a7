"""Estimates the curvature along each weight that `StochasticDiagonalLM` divides by."""

import keras
import numpy as np

from kerascnn import _derivatives, _random
from kerascnn._curvature import GaussNewtonDiagonal
from kerascnn._errors import InputError, whole
from kerascnn.optimizers import StochasticDiagonalLM

__all__ = ["DiagonalCurvature"]


class DiagonalCurvature(keras.callbacks.Callback):
    """Before each epoch, the second derivative of the loss by each weight, from some samples.

    It is the diagonal of the Gauss-Newton matrix, which is never negative, of the loss in inference
    mode without regularisers. The samples, and the random signs of the estimate, depend on
    (seed, epoch) alone.

    Source: LeCun et al. 1998, App. C: 500 samples before each of the passes. Differs from the
    paper: there only the diagonal is propagated back, layer by layer; here it is that of the whole
    matrix, estimated without bias from one random projection of the outputs for each sample, so
    that a weight that is shared by many places has the curvature of their sum.

    Args:
        x, y: training data, arrays (N, ...), or lists and dicts of arrays, as for `fit`.
        samples: int >= 1. All, if there are fewer.
        seed: int.

    Raises:
        InputError: an argument is outside its range; from `fit`: the optimiser is another, or the
            model's output is not (N, K).

    >>> from kerascnn.optimizers import StochasticDiagonalLM
    >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile(StochasticDiagonalLM(0.05), loss="mse")
    >>> callbacks = [DiagonalCurvature(x, x[:, :1])]
    >>> history = model.fit(x, x[:, :1], 8, epochs=30, callbacks=callbacks, verbose=0)
    >>> history.history["loss"][-1] < 0.01
    True
    """

    def __init__(self, x, y, samples=500, seed=0):
        super().__init__()
        samples = whole(samples, "samples", 1)
        self._data = (x, y)
        self._number = _derivatives.count_samples(self._data)
        self._samples, self._seed = min(samples, self._number), seed

    def get_state(self):
        """Nothing: the curvature is in the optimiser's variables, which checkpoints keep."""
        return {}

    def set_state(self, state):
        pass

    def on_train_begin(self, logs=None):
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if not isinstance(optimizer, StochasticDiagonalLM):
            raise InputError(
                "DiagonalCurvature is for kerascnn.optimizers.StochasticDiagonalLM. "
                f"The model was compiled with {type(optimizer).__name__}."
            )
        if not optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self._optimizer, self._diagonal = optimizer, GaussNewtonDiagonal(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        random = _random.generator(self._seed, "curvature", epoch)
        chosen = np.sort(random.choice(self._number, self._samples, replace=False))
        x, y = keras.tree.map_structure(lambda array: np.asarray(array)[chosen], self._data)
        self._optimizer.set_curvatures(self._diagonal.estimate(x, y, random))
