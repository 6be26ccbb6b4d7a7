"""Stochastic diagonal Levenberg-Marquardt, with which LeNet-5 was trained."""

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn.optimizers._rate import checked_rate

__all__ = ["StochasticDiagonalLM"]


@keras.saving.register_keras_serializable(package="kerascnn")
class StochasticDiagonalLM(keras.optimizers.Optimizer):
    """Gradient descent in which each weight has its own rate, from the curvature along it.

        w[k] = w[k] - learning_rate / (mu + h[k]) * gradient[k]

    h[k] >= 0 estimates the second derivative of the loss by w[k].
    `kerascnn.callbacks.DiagonalCurvature` sets it before each epoch, so `fit` needs both. Until
    then h is 1. The variables with h are saved with the model.

    LeNet-5's rate for its 20 passes is 5e-4 for 2, 2e-4 for 3, 1e-4 for 3, 5e-5 for 4, then 1e-5:
    `PiecewiseConstantDecay([k * n - 1 for k in (2, 5, 8, 12)], [5e-4, 2e-4, 1e-4, 5e-5, 1e-5])` for
    n steps a pass. It belongs to single images (`batch_size=1`); batches of b images take b times
    fewer steps, and up to b times the rate. `LeNet5(output="rbf")` with `RBFLoss` needs less at
    first, 1e-4 in batches of 8: its loss sums 84 squares, and at 5e-4 the units saturate.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), Sec. III-B and App. C. Differs from the paper: how
    the callback estimates h.

    Args:
        learning_rate: float > 0, or a schedule. The paper's global rate.
        mu: float > 0. Keeps the rates of weights without curvature from growing; the paper's 0.02.
        **kwargs: as in Keras's optimisers: `weight_decay` (decoupled: shrinks each weight by
            learning_rate * weight_decay), `clipnorm`, `use_ema`, `name` and the others.

    Raises:
        InputError: an argument is outside its range.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(StochasticDiagonalLM(5e-4), loss="mse")
    """

    def __init__(self, learning_rate=5e-4, mu=0.02, **kwargs):
        super().__init__(learning_rate=checked_rate(learning_rate), **kwargs)
        if not mu > 0:
            raise InputError(f"mu must be above 0. Received: mu={mu}.")
        self.mu = mu

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._curvatures = self.add_optimizer_variables(variables, "curvature", "ones")

    def set_curvatures(self, values):
        """Set h.

        Args:
            values: list of arrays >= 0, one for each trainable weight, of its shape.
        """
        for curvature, value in zip(self._curvatures, values):
            curvature.assign(value)

    def update_step(self, gradient, variable, learning_rate):
        curvature = self._curvatures[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype) / (self.mu + curvature)
        self.assign_sub(variable, rate * ops.cast(gradient, variable.dtype))

    def get_config(self):
        return {**super().get_config(), "mu": self.mu}
