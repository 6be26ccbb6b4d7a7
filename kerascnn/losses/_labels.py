"""Integer class labels as rows, for losses."""

from keras import ops

from kerascnn._errors import InputError


def one_hot(y_true, y_pred, loss):
    """One-hot rows of int labels (N,) or (N, 1), shaped and typed as the scores (N, classes).

    A label that is no class gives a row of NaN: inside a compiled step nothing else is loud.

    Raises:
        InputError: the labels are one-hot already; names `loss`.
    """
    y_true = ops.convert_to_tensor(y_true)
    if len(y_true.shape) > 1 and y_true.shape[-1] not in (1, None):
        raise InputError(
            f"{loss} needs int labels of shape (N,) or (N, 1), not one-hot rows. "
            f"Received: y_true of shape {tuple(y_true.shape)}."
        )
    labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
    classes = y_pred.shape[-1]
    rows = ops.one_hot(labels, classes, dtype=y_pred.dtype)
    known = ops.logical_and(labels >= 0, labels < classes)
    return ops.where(ops.expand_dims(known, -1), rows, float("nan"))
