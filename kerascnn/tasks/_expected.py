"""What each loss expects of the output and of the labels."""

import dataclasses

import keras
import numpy as np

from kerascnn.losses import ClassWeighted, UncertaintyWeighted
from kerascnn.tasks._outputs import SQUASHING

# Form of the labels, and the activation that makes probabilities of what the loss takes.
_CLASSES = {
    "BinaryCrossentropy": ("zeros and ones", "sigmoid"),
    "BinaryFocalCrossentropy": ("zeros and ones", "sigmoid"),
    "CategoricalCrossentropy": ("one-hot", "softmax"),
    "CategoricalFocalCrossentropy": ("one-hot", "softmax"),
    "SparseCategoricalCrossentropy": ("ints", "softmax"),
    "SmoothSparseCrossentropy": ("ints", "softmax"),
    "OrdinalCrossentropy": ("ordered ints", "sigmoid"),
}
_SCORES = {
    "CategoricalHinge": "one-hot",
    "Hinge": "signs",
    "HingeLoss": "signs",
    "LogLoss": "signs",
    "MaxMarginLoss": "ints",
    "RBFLoss": "ints",
    "SquaredHinge": "signs",
}
_NUMBERS = {"Huber", "LogCosh", "MeanAbsoluteError", "MeanSquaredError"}
_RANGES = {  # of activations: (least, most)
    "relu": (0, np.inf),
    "relu6": (0, 6),
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
    "softmax": (0, 1),
    "softplus": (0, np.inf),
    "exponential": (0, np.inf),
    "tanh": (-1, 1),
}


def expected(loss):
    """The `Expected` of a loss as `compile` takes it, or None if it is not known."""
    loss = keras.losses.get(loss)
    weights = None
    while isinstance(loss, ClassWeighted | UncertaintyWeighted):
        weights = getattr(loss, "weights", weights)
        loss = loss.loss
    if isinstance(loss, keras.losses.Loss):
        name = type(loss).__name__
        from_logits = loss.get_config().get("from_logits", False)
    else:
        name = "".join(word.title() for word in getattr(loss, "__name__", "").split("_"))
        from_logits = False
    if name in _CLASSES:
        return Expected(name, *_CLASSES[name], from_logits, weights)
    if name in _SCORES:
        return Expected(name, _SCORES[name], None, False, weights)
    return Expected(name, "numbers", None, False, weights) if name in _NUMBERS else None


@dataclasses.dataclass
class Expected:
    """What a loss expects: `labels` of a form, `activation` unless `from_logits`."""

    loss: str
    labels: str
    activation: str | None
    from_logits: bool
    weights: list | None

    def problems(self, output, y, num_classes):
        """What does not fit to an `Output` and its labels (None: there are none)."""
        found = self._of_activation(output)
        if self.weights and len(self.weights) != self._classes(output):
            found.append(
                f"{len(self.weights)} class weights for {self._classes(output)} classes. Pass one "
                "for each."
            )
        if y is None or not y.size:
            return [*found, "`data` has no labels for this output."]
        if y.dtype.kind not in "biuf":
            return [*found, f"labels must be numbers, not {y.dtype}: see `Task.encode`."]
        if len(output.shape) < 2:
            found += _FORMS[self.labels](self, output, y)
        classes = self._classes(output)
        if num_classes and self.labels != "numbers" and classes != num_classes:
            found.append(
                f"layer {output.layer!r} has outputs for {classes} classes, the data has "
                f"{num_classes}."
            )
        return found

    def _classes(self, output):
        one_more = output.units == 1 and self.labels in ("zeros and ones", "signs")
        return output.units + (one_more or self.labels == "ordered ints")

    def _of_activation(self, output):
        last, layer = output.activation, output.layer
        if self.labels == "numbers" or (last is None and not output.known):
            return []
        squashes = last in SQUASHING
        if self.from_logits and squashes:
            return [
                f"{self.loss}(from_logits=True) takes logits, but layer {layer!r} ends with "
                f"{last}, which is then applied twice. Leave out one of the two."
            ]
        if self.activation is None and squashes:
            return [
                f"{self.loss} takes scores, but layer {layer!r} ends with {last}. Leave it out."
            ]
        if self.activation is None or self.from_logits:
            return []
        if not squashes:
            return [
                f"{self.loss} takes probabilities, but layer {layer!r} ends "
                f"{f'with {last}' if last else f'without {self.activation}'}. "
                f"Pass from_logits=True, or end with {self.activation}."
            ]
        constant = last == "softmax" and output.units == 1  # said already
        if (last == "softmax") != (self.activation == "softmax") and not constant:
            return [
                f"{self.loss} belongs to {self.activation}, but layer {layer!r} ends with {last}. "
                f"Change one of the two."
            ]
        return []

    def _ints(self, output, y, classes=None):
        classes = classes or output.units
        if y.ndim > 1 and y.shape[-1] > 1:
            return [
                f"{self.loss} takes int labels, but they have shape {_shape(y)}: one-hot? Pass "
                "y.argmax(-1), or take the loss for one-hot labels."
            ]
        wrong = _outside(y, np.arange(classes))
        if wrong:
            return [
                f"labels must be ints from 0 to {classes - 1} for {output.units} outputs. "
                f"Found: {wrong}."
            ]
        return []

    def _ordered(self, output, y):
        return self._ints(output, y, output.units + 1)

    def _one_hot(self, output, y):
        if y.ndim == 1 or y.shape[-1] == 1 != output.units:
            return [
                f"{self.loss} takes one-hot labels, but they have shape {_shape(y)}: ints? Pass "
                "keras.utils.to_categorical(y, classes), or take the loss for ints."
            ]
        if y.shape[-1] != output.units:
            return [_columns(output, y)]
        if (y < 0).any() or not np.allclose(y.sum(axis=-1), 1, atol=1e-3):
            return ["one-hot labels must be rows of at least 0 that add up to 1."]
        return []

    def _zeros_and_ones(self, output, y):
        if (y.shape[-1] if y.ndim > 1 else 1) != output.units:
            return [_columns(output, y)]
        if not ((y >= 0) & (y <= 1)).all():
            return [f"labels must be from 0 to 1 for {self.loss}. Found: {_outside(y, (0, 1))}."]
        return []

    def _signs(self, output, y):
        if (y.shape[-1] if y.ndim > 1 else 1) != output.units:
            return [_columns(output, y)]
        wrong = _outside(y, (-1, 0, 1))
        return [f"labels must be -1 (or 0) and 1 for {self.loss}. Found: {wrong}."] * bool(wrong)

    def _numbers(self, output, y):
        if (y.shape[-1] if y.ndim > 1 else 1) != output.units:
            return [_columns(output, y)]
        if not np.isfinite(y).all():
            return ["targets hold NaN or infinity."]
        least, most = _RANGES.get(output.activation, (-np.inf, np.inf))
        if y.min() < least or y.max() > most:
            return [
                f"targets go from {y.min():g} to {y.max():g}, but {output.activation} of layer "
                f"{output.layer!r} returns {least:g} to {most:g}. End with a linear layer, or "
                "scale the targets."
            ]
        return []


_FORMS = {
    "ints": Expected._ints,
    "ordered ints": Expected._ordered,
    "one-hot": Expected._one_hot,
    "zeros and ones": Expected._zeros_and_ones,
    "signs": Expected._signs,
    "numbers": Expected._numbers,
}


def _columns(output, y):
    return f"labels have shape {_shape(y)}, but layer {output.layer!r} has {output.units} outputs."


def _shape(y):
    return "(" + ", ".join(["N", *map(str, y.shape[1:])]) + ("," if y.ndim == 1 else "") + ")"


def _outside(y, allowed):
    """Up to five of the values that are not allowed, as text."""
    wrong = np.unique(y[~np.isin(y, allowed)])
    more = " and others" if len(wrong) > 5 else ""
    return ", ".join(f"{value:g}" for value in wrong[:5]) + more
