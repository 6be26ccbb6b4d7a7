"""The losses of LeNet-5: LeCun et al. 1998, eqs. 8 and 9."""

import keras
from keras import ops

from kerascnn._errors import InputError
from kerascnn.losses._labels import one_hot

__all__ = ["RBFLoss"]


@keras.saving.register_keras_serializable(package="kerascnn")
class RBFLoss(keras.losses.Loss):
    """LeNet-5's losses on the scores of `kerascnn.layers.RBFOutput`.

    With the paper's penalties y = -score and the right class d, each image costs

        y[d]                                          rubbish=None: eq. 8, "mean squared error"
        y[d] + log(exp(-rubbish) + sum(exp(-y)))      rubbish=j > 0: eq. 9, "MAP"

    Eq. 8 only pulls the features to the code of the right class. Eq. 9 also pushes them from the
    other codes, but not from those whose penalty is well above j: the image might be rubbish rather
    than of that class. As j grows, eq. 9 becomes the cross-entropy of softmax(score).

    Source: LeCun et al. 1998, Proc. IEEE 86(11), eqs. 8 and 9. Differs from the paper: no. (It
    gives no value for j.)

    Args:
        rubbish: None, or float > 0, the constant j of eq. 9.
        reduction, name: as in Keras losses.

    Call arguments:
        y_true: int class labels, (N,) or (N, 1), in [0, classes).
        y_pred: float scores, (N, classes), at most 0: the output without a softmax.

    Raises:
        InputError: `rubbish` is not positive, or the labels are one-hot.

    >>> scores = keras.ops.array([[-1.0, -5.0], [-4.0, 0.0]])
    >>> float(RBFLoss()([0, 0], scores))  # mean of 1 and 4
    2.5
    """

    def __init__(self, rubbish=None, reduction="sum_over_batch_size", name="rbf_loss", **kwargs):
        if rubbish is not None and rubbish <= 0:
            raise InputError(f"`rubbish` must be positive, or None. Received: rubbish={rubbish}.")
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.rubbish = rubbish

    def call(self, y_true, y_pred):
        right = one_hot(y_true, y_pred, "RBFLoss")
        penalty = -ops.sum(right * y_pred, axis=-1)
        if self.rubbish is None:
            return penalty
        rubbish = ops.full_like(y_pred[:, :1], -self.rubbish)
        return penalty + ops.logsumexp(ops.concatenate([rubbish, y_pred], axis=-1), axis=-1)

    def get_config(self):
        return {**super().get_config(), "rubbish": self.rubbish}
