"""Stochastic depth: the sum of a residual block, whose branch is dropped at random."""

import keras

from kerascnn._errors import InputError, one_of
from kerascnn.layers._paths import MODES, are_shapes, survival

__all__ = ["StochasticDepthAdd", "survival_rates"]


@keras.saving.register_keras_serializable(package="kerascnn")
class StochasticDepthAdd(keras.layers.Layer):
    """Adds a shortcut and a residual branch, which in training survives only now and then.

    Training: activation(shortcut + b * branch), b = 1 with probability `survival_rate`, else 0.
    Inference: activation(shortcut + survival_rate * branch), which is the expectation of the
    training form before the activation (a ReLU of a mean is not the mean of ReLUs).

    Source: Huang et al. 2016, arXiv:1603.09382, eq. 2 (training) and 5 (inference). Differs from
    the paper: a dropped branch is still computed and then multiplied by 0, so no time is saved, and
    batch normalisation in it goes on averaging its statistics.

    Args:
        survival_rate: float in (0, 1]. The paper's p_l; see `survival_rates`. With 1 the layer is
            exactly an addition.
        mode: "batch": one draw for the whole mini-batch, as in the paper; or "sample": one for each
            sample, as became common later.
        activation: as in Keras layers, applied to the sum; None is linear, the paper uses "relu".
        seed: int or None. Equal ints repeat the draws of a run.

    Call arguments:
        inputs: list of two tensors, the shortcut first.
        training: bool. Whether the branch may be dropped.

    Input shape:
        Two of (N, ...), float, of equal shapes.

    Output shape:
        The same, once.

    Raises:
        InputError: `survival_rate` or `mode` cannot be, or the inputs are not two of equal shapes.

    >>> layer = StochasticDepthAdd(survival_rate=0.5, activation="relu")
    >>> x, y = keras.ops.array([[1.0, 2.0]]), keras.ops.array([[4.0, -6.0]])
    >>> keras.ops.convert_to_numpy(layer([x, y]))  # inference: relu(x + 0.5 * y)
    array([[3., 0.]], dtype=float32)
    """

    def __init__(self, survival_rate, mode="batch", activation=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 < survival_rate <= 1:
            raise InputError(f"`survival_rate` must be in (0, 1]. Received: {survival_rate}.")
        self.survival_rate = survival_rate
        self.mode = one_of(mode, MODES, "mode")
        self.activation = keras.activations.get(activation)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        if not are_shapes(input_shape, 2):
            raise InputError(
                "StochasticDepthAdd reads [shortcut, branch], two tensors of equal shapes. "
                f"Received shapes: {input_shape}."
            )

    def call(self, inputs, training=False):
        shortcut, branch = inputs
        share = self.survival_rate
        if training:
            share = survival(branch, share, self.mode, self.seed_generator)
        return self.activation(shortcut + share * branch)

    def get_config(self):
        return {
            **super().get_config(),
            "survival_rate": self.survival_rate,
            "mode": self.mode,
            "activation": keras.activations.serialize(self.activation),
            "seed": self.seed,
        }


def survival_rates(num_blocks, last=0.5):
    """Probability that each residual block is kept, falling linearly with depth.

    p_l = 1 - l / L * (1 - p_L), l = 1 .. L. Use with `StochasticDepthAdd`.

    Source: Huang et al. 2016, arXiv:1603.09382, eq. 4. Differs from the paper: no.

    Args:
        num_blocks: int >= 1. L, the residual blocks of the whole network.
        last: float in (0, 1]. p_L; the paper uses 0.5.

    Returns:
        List of `num_blocks` floats from [last, 1], first block first.

    Raises:
        InputError: `num_blocks` is below 1, or `last` is outside (0, 1].

    >>> survival_rates(4)
    [0.875, 0.75, 0.625, 0.5]
    """
    if num_blocks < 1 or not 0 < last <= 1:
        raise InputError(
            "`num_blocks` must be at least 1 and `last` in (0, 1]. "
            f"Received: num_blocks={num_blocks}, last={last}."
        )
    return [1 - block / num_blocks * (1 - last) for block in range(1, num_blocks + 1)]
