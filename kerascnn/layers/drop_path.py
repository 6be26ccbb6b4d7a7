"""Drop-path: whole branches dropped at random, sample by sample."""

import keras

from kerascnn._errors import InputError
from kerascnn.layers._paths import survival

__all__ = ["DropPath"]


@keras.saving.register_keras_serializable(package="kerascnn")
class DropPath(keras.layers.Layer):
    """Sets whole samples to 0 with probability `rate`, and scales the others so the mean stays.

    Training: x * b / (1 - rate), where b is 0 with probability `rate`, else 1, one draw for each
    sample. Inference: x. Place it at the end of a residual branch, before the addition.

    Source: the form in common use (timm's `DropPath`) of stochastic depth, Huang et al. 2016,
    arXiv:1603.09382; the name is that of Larsson, Maire and Shakhnarovich 2017, arXiv:1605.07648.
    Differs from the papers: Huang et al. do not scale in training but multiply by the survival rate
    at inference, and draw for a whole mini-batch (`StochasticDepthAdd`); Larsson et al. drop inputs
    of a mean (`FractalJoin`).

    Args:
        rate: float in [0, 1). Probability that a sample is dropped.
        seed: int or None. Equal ints repeat the draws of a run.

    Call arguments:
        x: tensor.
        training: bool. Whether samples may be dropped.

    Input shape:
        (N, ...), float.

    Output shape:
        The same.

    Raises:
        InputError: `rate` is outside [0, 1).

    >>> x = keras.ops.ones((1000, 2))
    >>> y = keras.ops.convert_to_numpy(DropPath(0.2, seed=1)(x, training=True))
    >>> set(y.ravel().tolist()) == {0.0, 1.25}, bool((y[:, 0] == y[:, 1]).all())
    (True, True)
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise InputError(f"`rate` must be in [0, 1). Received: {rate}.")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training:
            return x
        keep = 1 - self.rate
        return x * survival(x, keep, "sample", self.seed_generator) / keep

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
