"""Checks of how a network starts: its layers, and the loss of one that knows nothing yet."""

import keras
import numpy as np

from kerascnn.doctor._finding import Finding
from kerascnn.tasks._expected import expected
from kerascnn.tasks._outputs import outputs_of

__all__ = ["layer_starts", "uninformed_output"]

_ADVICE = {
    "symmetric": "Let kernels start at random (glorot_uniform, he_normal), not at a constant.",
    "dead": "Start biases at 0, and look at the scale of inputs and weights.",
    "saturated": "Start with smaller weights (glorot_uniform, lecun_normal), and scale the inputs.",
    "exploding": "Start with he_normal (ReLU) or lecun_normal, and normalise inputs or batches.",
    "vanishing": "Start with he_normal (ReLU) or lecun_normal, or normalise batches.",
}


def layer_starts(rows):
    """Whether the layers of a network start well: verdicts of `audit_initialization`, as a finding.

    A problem where layers are symmetric, dead, saturated, exploding or vanishing, the first in this
    order counts. Signals that only shrink are called vanishing here from a thousandth of the first
    layer's on, and gradients that vanish at once: the published LeNet-5 shrinks signals to 1/500.

    Args:
        rows: list of `LayerStart`.

    Returns:
        `Finding`.

    >>> from kerascnn.doctor import LayerStart
    >>> row = LayerStart("fc", "dead", 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, None, ([1], [0, 1]), None)
    >>> layer_starts([row]).message
    "1 of 1 layers starts dead, the first is 'fc' (outputs 0 +- 0, 100 % zero)."
    """
    check, source = "start of the layers", "Glorot and Bengio 2010, Fig. 6 and 7"
    verdicts = [_verdict(row, rows) for row in rows]
    for verdict, advice in _ADVICE.items():
        found = [row for row, own in zip(rows, verdicts) if own == verdict]
        if found:
            first = found[0]
            message = (
                f"{len(found)} of {len(rows)} layers start{'s' * (len(found) == 1)} {verdict}, the "
                f"first is {first.layer!r} (outputs {first.mean:.2g} +- {first.std:.2g}, "
                f"{100 * first.zero:.0f} % zero)."
            )
            return Finding(check, "problem", message, advice, source)
    return Finding(check, "fine", f"All {len(rows)} layers start well.", source=source)


def _verdict(row, rows):
    if row.verdict != "vanishing":
        return row.verdict
    last = next((other.gradient_std for other in reversed(rows) if other.gradient_std), None)
    own = row.gradient_std
    faint = last is not None and own is not None and own < 1e-4 * last
    return "vanishing" if faint or row.signal < 0.001 * rows[0].signal else "fine"


def uninformed_output(model, y):
    """What a network should say of samples that it knows nothing of, or None if it is not known.

    Equal probabilities for the classes, 1/2 for yes or no, 0 for scores and logits, the mean of the
    targets for numbers. Its loss, log(classes) for a softmax, log 2 for a sigmoid, the variance for
    the mean squared error, is what training should begin at.

    Args:
        model: compiled functional or Sequential `keras.Model` of one output.
        y: array, the labels of a batch.

    Returns:
        float32 array of the shape of the model's output for them.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> uninformed_output(model, np.array([3, 1]))
    array([[0.25, 0.25, 0.25, 0.25],
           [0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """
    rules = _rules(model)
    if rules is None:
        return None
    (output,) = outputs_of(model)
    shape = (len(y), *output.shape)
    if None in shape:
        return None
    if rules.labels == "numbers":
        return np.broadcast_to(np.mean(y, axis=0).reshape(-1), shape).astype("float32")
    value = 0.0
    if rules.activation and not rules.from_logits:
        value = 1 / output.units if rules.activation == "softmax" else 0.5
    return np.full(shape, value, "float32")


def perfect_output(model, y):
    """What a network that knows all should say of samples, or None: its loss is the lowest one.

    That is above 0 where labels are smoothed or mixed.
    """
    rules = _rules(model)
    if rules is None or (rules.activation is None and rules.labels != "numbers"):
        return None
    (output,) = outputs_of(model)
    y = np.asarray(y, "float32")
    if rules.labels == "numbers":
        return y.reshape(len(y), *output.shape)
    if rules.labels == "ordered ints":
        y = y.reshape(-1, 1) > np.arange(output.units)
    elif rules.labels == "ints":
        y = np.eye(output.units)[y.astype(int).reshape(y.shape[: len(output.shape)])]
    loss = keras.losses.get(model.loss)
    smoothing = getattr(loss, "label_smoothing", 0.0) or 0.0
    number = output.units if rules.activation == "softmax" else 2
    p = np.clip(y.reshape(len(y), *output.shape) * (1 - smoothing) + smoothing / number, 1e-7, 1)
    if rules.from_logits:
        p = np.log(p) if rules.activation == "softmax" else np.log(p / np.maximum(1 - p, 1e-7))
    return p.astype("float32")


def classes_of(model, y):
    """The class of each sample, int array (N,), if labels are single classes, else None.

    It is the number that the label gives, be there such a class or not.
    """
    rules = _rules(model)
    if rules is None or getattr(y, "dtype", None) is None:
        return None
    (output,) = outputs_of(model)
    y = np.asarray(y)
    is_known = y.dtype.kind in "biuf" and np.isfinite(y).all()
    if len(output.shape) != 1 or not len(y) or not is_known:
        return None
    flat = y.reshape(len(y), -1)
    if rules.labels == "one-hot" and flat.shape[1] == output.units:
        return flat.argmax(axis=1)
    single = rules.labels in ("ints", "ordered ints") or output.units == 1
    if rules.labels == "numbers" or not single or flat.shape[1] != 1:
        return None
    least = 0 if rules.labels == "signs" else -np.inf  # signs are -1 and 1
    return np.maximum(flat[:, 0], least).astype(int)


def num_classes(model):
    """How many classes the output tells apart."""
    (output,), rules = outputs_of(model), _rules(model)
    more = rules.labels == "ordered ints" or (output.units == 1 and rules.labels != "ints")
    return output.units + more


def are_numbers(model):
    """Whether the only output is a regression."""
    rules = _rules(model)
    return rules is not None and rules.labels == "numbers"


def _rules(model):
    """What the loss of the only output expects, or None."""
    loss = model.loss
    loss = list(loss.values()) if isinstance(loss, dict) else loss
    if len(model.outputs) != 1:
        return None
    return expected(loss[0] if isinstance(loss, list) else loss)
