"""Cross-entropy of integer labels with label smoothing."""

import keras

from kerascnn._errors import InputError
from kerascnn.losses._labels import one_hot

__all__ = ["SmoothSparseCrossentropy"]


@keras.saving.register_keras_serializable(package="kerascnn")
class SmoothSparseCrossentropy(keras.losses.Loss):
    """`keras.losses.CategoricalCrossentropy(label_smoothing=...)` for int labels.

    The right class counts 1 - label_smoothing + label_smoothing / classes, every other one
    label_smoothing / classes. A label that is no class makes the loss NaN.

    Source: Szegedy et al. 2016, arXiv:1512.00567, Sec. 7. Differs from the paper: no.

    Args:
        label_smoothing: float in [0, 1). The paper's epsilon, 0.1 there.
        from_logits: bool. Whether predictions are logits or probabilities.
        reduction, name: as in Keras losses.

    Call arguments:
        y_true: int class labels, (N,) or (N, 1), in [0, classes).
        y_pred: float, (N, classes).

    Raises:
        InputError: `label_smoothing` is outside [0, 1), or the labels are one-hot.

    >>> loss = SmoothSparseCrossentropy(0.1)
    >>> round(float(loss([0], keras.ops.array([[0.9, 0.1]]))), 4)
    0.2152
    """

    def __init__(
        self,
        label_smoothing=0.1,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="smooth_sparse_crossentropy",
        **kwargs,
    ):
        if not 0 <= label_smoothing < 1:
            raise InputError(
                "`label_smoothing` must be at least 0 and below 1. Received: "
                f"label_smoothing={label_smoothing}."
            )
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.label_smoothing = label_smoothing
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        rows = one_hot(y_true, y_pred, "SmoothSparseCrossentropy")
        return keras.losses.categorical_crossentropy(
            rows, y_pred, self.from_logits, self.label_smoothing
        )

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "from_logits": self.from_logits,
        }
