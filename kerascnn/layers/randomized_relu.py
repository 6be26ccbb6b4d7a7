"""Leaky ReLU with a slope drawn at random in training."""

import keras
from keras import ops

from kerascnn._errors import InputError

__all__ = ["RandomizedReLU"]


@keras.saving.register_keras_serializable(package="kerascnn")
class RandomizedReLU(keras.layers.Layer):
    """x where it is positive, else x / a, with a drawn for each element in training.

    Training: a is uniform in [lower, upper). Inference: a = (lower + upper) / 2, so the slope is
    2 / (lower + upper). This is not the expectation of the training form, whose mean slope is
    log(upper / lower) / (upper - lower): 0.196 against 0.182 with the paper's numbers.

    Source: Xu et al. 2015, arXiv:1505.00853, Sec. 2.4: U(3, 8), and x / ((l + u) / 2) at test time.
    Differs from the paper: its first formula multiplies by a; the numbers it trains and tests with
    divide, and so does this layer.

    Args:
        lower, upper: float, 0 < lower <= upper. Bounds of a.
        seed: int or None. Equal ints repeat the draws of a run.

    Call arguments:
        x: tensor.
        training: bool. Whether slopes are drawn.

    Input shape:
        Any, float.

    Output shape:
        The same.

    Raises:
        InputError: the bounds are not 0 < lower <= upper.

    >>> keras.ops.convert_to_numpy(RandomizedReLU()(keras.ops.array([-5.5, 0.0, 2.0])))
    array([-1.,  0.,  2.], dtype=float32)
    """

    def __init__(self, lower=3.0, upper=8.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 < lower <= upper:
            raise InputError(
                f"Bounds must be 0 < lower <= upper. Received: lower={lower}, upper={upper}."
            )
        self.lower = lower
        self.upper = upper
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        a = (self.lower + self.upper) / 2
        if training:
            bounds = self.lower, self.upper
            a = keras.random.uniform(
                ops.shape(x), *bounds, dtype="float32", seed=self.seed_generator
            )
            a = ops.cast(a, x.dtype)
        return ops.where(x > 0, x, x / a)

    def get_config(self):
        return {
            **super().get_config(),
            "lower": self.lower,
            "upper": self.upper,
            "seed": self.seed,
        }
