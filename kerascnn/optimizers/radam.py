"""RAdam: Adam that waits until it knows the second moment."""

import math

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn.optimizers._rate import checked_rate

__all__ = ["RAdam"]


@keras.saving.register_keras_serializable(package="kerascnn")
class RAdam(keras.optimizers.Optimizer):
    """Adam whose adaptive rate is rectified by its variance: no warm-up is needed.

    In step t = 1, 2, ..., with Adam's m and v, rho_inf = 2 / (1 - beta_2) - 1 and
    rho = rho_inf - 2 t beta_2^t / (1 - beta_2^t):

        w = w - rate * r * m_hat / (sqrt(v_hat) + epsilon_hat)    if rho > 4
        w = w - rate * m_hat                                      otherwise
        r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))

    With `beta_2=0.999` the first four steps are momentum's: they are as long as the gradients, so
    gradients that start above 1 need a smaller rate, or `global_clipnorm`, as SGD does.

    Source: Liu et al. 2020, arXiv:1908.03265, Algorithm 2. Differs from the paper: `epsilon` keeps
    from dividing by 0, placed as in Keras's Adam (epsilon_hat = epsilon / sqrt(1 - beta_2^t)).
    PyTorch, and others after the authors' code, begin at rho > 5, a step later.

    Args:
        learning_rate: float > 0, or a schedule.
        beta_1: float in [0, 1). How much of the mean of the gradients stays in a step.
        beta_2: float in (0.6, 1). The same of the mean of their squares.
        epsilon: float > 0.
        **kwargs: as in Keras's optimisers: `weight_decay` (decoupled, as in AdamW), `clipnorm`,
            `global_clipnorm`, `use_ema`, `gradient_accumulation_steps`, `name` and the others.

    Raises:
        InputError: an argument is outside its range.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(RAdam(0.01, weight_decay=1e-4), loss="mse")
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate=checked_rate(learning_rate), **kwargs)
        if not 0 <= beta_1 < 1 or not 0.6 < beta_2 < 1:
            raise InputError(
                "beta_1 must be in [0, 1) and beta_2 in (0.6, 1). "
                f"Received: beta_1={beta_1}, beta_2={beta_2}."
            )
        if epsilon <= 0:
            raise InputError(f"epsilon must be above 0. Received: {epsilon}.")
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(
            variables, ["momentum", "velocity"]
        )

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))

        step = ops.cast(self.iterations + 1, "float32")
        remains = -ops.expm1(step * math.log(self.beta_2))  # 1 - beta_2^t
        momentum_scale = 1 / -ops.expm1(step * math.log(self.beta_1)) if self.beta_1 else 1.0
        rectifies, rectification = self._rectification(step, remains)
        scale = ops.cast(learning_rate, "float32") * momentum_scale
        adaptive = ops.cast(rectification * ops.sqrt(remains), variable.dtype)
        direction = ops.where(
            rectifies, m * adaptive / (ops.sqrt(v) + self.epsilon), ops.cast(m, variable.dtype)
        )
        self.assign_sub(variable, ops.cast(scale, variable.dtype) * direction)

    def _rectification(self, step, remains):
        """(whether rho > 4, r), float32 scalars."""
        longest = 2 / (1 - self.beta_2) - 1
        rho = longest - 2 * step * (1 - remains) / remains
        known = ops.maximum(rho, 4.0)  # the root of what is not used must be no NaN
        numerator = (known - 4) * (known - 2) * longest
        return rho > 4, ops.sqrt(numerator / ((longest - 4) * (longest - 2) * known))

    def get_config(self):
        names = ("beta_1", "beta_2", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
