"""Cross-entropy of ordered classes."""

import keras
from keras import ops

from kerascnn.losses._labels import one_hot

__all__ = ["OrdinalCrossentropy"]


@keras.saving.register_keras_serializable(package="kerascnn")
class OrdinalCrossentropy(keras.losses.Loss):
    """Whether the class is above 0, above 1, ...: the sum of the binary cross-entropies.

    Prediction k of `classes - 1` is that the label is above k. So confusing neighbours costs less
    than confusing what is far apart. For predictions see `kerascnn.layers.OrdinalOutput`.

    Source: Cao, Mirjalili and Raschka 2020, arXiv:1901.07884, Sec. 3, with all importance weights
    1. Differs from the paper: the mean over the images, where it writes a sum.

    Args:
        from_logits: bool. Whether predictions are logits or probabilities.
        reduction, name: as in Keras losses.

    Call arguments:
        y_true: int class labels, (N,) or (N, 1), in [0, classes); others make the loss NaN.
        y_pred: float, (N, classes - 1).

    Raises:
        InputError: the labels are one-hot.

    >>> loss = OrdinalCrossentropy()
    >>> near_two = keras.ops.array([[0.9, 0.8]])
    >>> [round(float(loss([label], near_two)), 2) for label in (0, 1, 2)]
    [3.91, 1.71, 0.33]
    """

    def __init__(
        self,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="ordinal_crossentropy",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        thresholds = y_pred.shape[-1]
        classes = ops.concatenate([y_pred, y_pred[:, :1]], axis=-1)
        rows = one_hot(y_true, classes, "OrdinalCrossentropy")
        # The label is above k if it is one of the classes behind k.
        above = 1 - ops.cumsum(rows, axis=-1)[:, :thresholds]
        return ops.sum(ops.binary_crossentropy(above, y_pred, self.from_logits), axis=-1)

    def get_config(self):
        return {**super().get_config(), "from_logits": self.from_logits}
