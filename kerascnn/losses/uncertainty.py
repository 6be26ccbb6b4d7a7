"""A loss whose weight is learned: homoscedastic uncertainty."""

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn.layers.loss_weight import LayerHandle
from kerascnn.losses._around import LossAround

__all__ = ["UncertaintyWeighted"]


@keras.saving.register_keras_serializable(package="kerascnn")
class UncertaintyWeighted(LossAround):
    """loss * exp(-s) + s / 2 with the learned s = log(sigma**2) of a `LearnedLossWeight` layer.

    A noisy output makes sigma grow and so counts less; s / 2 keeps all from counting nothing. The
    value may be negative. Regression has half the loss, from the Gaussian's log-likelihood: for a
    loss L that stays the same s ends at log(L), and else at log(2 L).

    Source: Kendall, Gal and Cipolla 2018, arXiv:1705.07115, eqs. 7 and 10. Differs from the paper:
    no. (Eq. 10 is its own approximation of the tempered softmax.)

    Args:
        loss: a Keras loss, as an object.
        layer: `kerascnn.layers.LearnedLossWeight`, on the output of this loss.
        regression: bool. Half the loss.
        reduction, name: as in Keras losses; the reduction of `loss` is not used.

    Call arguments:
        y_true, y_pred: as `loss` needs them.

    Raises:
        InputError: `loss` is no loss object; or it is called after it was loaded without its model.

    >>> from kerascnn.layers import LearnedLossWeight
    >>> layer = LearnedLossWeight()
    >>> loss = UncertaintyWeighted(keras.losses.MeanSquaredError(), layer, regression=True)
    >>> layer.log_variance.assign(2.0) and None
    >>> round(float(loss([[0.0]], keras.ops.array([[4.0]]))), 3)  # 16 / (2 exp(2)) + 1
    2.083
    """

    def __init__(
        self,
        loss,
        layer,
        regression=False,
        reduction="sum_over_batch_size",
        name="uncertainty_weighted",
        **kwargs,
    ):
        super().__init__(loss, reduction=reduction, name=name, **kwargs)
        self.handle = layer if isinstance(layer, LayerHandle) else layer.handle
        self.regression = regression

    def call(self, y_true, y_pred):
        if self.handle.layer is None:
            raise InputError(
                "UncertaintyWeighted has lost its layer: it is only loaded together with the model "
                "that has it. Compile again with a loss made from the model's layer."
            )
        values = self.values(ops.convert_to_tensor(y_true), y_pred)
        s = ops.cast(self.handle.layer.log_variance, values.dtype)
        return ops.exp(-s) * values * (0.5 if self.regression else 1.0) + s / 2

    def get_config(self):
        return {
            **super().get_config(),
            "layer": self.handle.saved(),
            "regression": self.regression,
        }

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return super().from_config({**config, "layer": layer})
