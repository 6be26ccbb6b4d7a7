"""A linear classifier on features, its strength chosen on the validation photos."""

import contextlib
import dataclasses
import math
import os
import tempfile

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from kerascnn._errors import InputError
from kerascnn.data import cache_folder

__all__ = ["Probe", "fit_probe"]

# Penalties per photo, strong to weak; the search stops when the validation loss has risen twice.
_PENALTIES = [0.5 / 2**i for i in range(13)]
_DEFAULT_PENALTY = 0.05  # without validation photos
_HELD_BYTES = 32_000_000  # a larger copy of the features is on disk
_ROWS = 1024  # read at a time


@dataclasses.dataclass
class Probe:
    """A softmax layer: `softmax(features @ kernel + bias)`.

    Attributes:
        kernel: float32 array (F, classes). bias: float32 array (classes,).
        penalty: float > 0. The L2 penalty per photo that was chosen.
        trials: list of dicts of "penalty", "loss", "accuracy", on the validation photos.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float
    trials: list

    def predict(self, features):
        """Class probabilities, float32 array (N, classes), of features (N, F)."""
        return softmax(np.asarray(features) @ self.kernel + self.bias)


def softmax(logits):
    """Probabilities (N, classes) of logits (N, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(probabilities, labels):
    """Mean cross-entropy in nats of int labels (N,)."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def accuracy(probabilities, labels):
    """Share of photos whose most probable class is the label, in [0, 1]."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def fit_probe(features, labels, validation=None, num_classes=None, class_weight=None):
    """Multinomial logistic regression with the L2 penalty that predicts the validation photos best.

    Features are centred and divided by one number (their standard deviation over everything), so
    that one grid of penalties suits every network; both are folded into the kernel and bias.
    Penalties are tried from strong to weak, each starting from the last solution.

    Args:
        features: float array (N, F), or anything `np.array` reads, e.g. `Features`.
        labels: class numbers from 0 up: ints (N,) or (N, 1), or one-hot rows (N, classes).
        validation: pair (features (M, F), labels (M,)), or None: the penalty is then 0.05.
        num_classes: int above every label, or None for the highest one plus one.
        class_weight: dict class -> weight, or None.

    Returns:
        `Probe`.

    Raises:
        InputError: labels that are no class numbers, or not as many as features; fewer than two
            classes among them.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(60, 5)), np.arange(60) % 3
    >>> x[np.arange(60), y] += 4
    >>> probe = fit_probe(x[:30], y[:30], (x[30:], y[30:]))
    >>> accuracy(probe.predict(x[30:]), y[30:]) > 0.9
    True
    """
    # The products are small: on a busy machine two BLAS threads spend most time waiting in a spin
    # for each other.
    with threadpool_limits(1):
        return _fit(labels, features, validation, num_classes, class_weight)


def class_numbers(labels, count, num_classes=None):
    """Labels for `count` photos as int64 array (N,) of numbers from 0 up, below `num_classes`."""
    from kerascnn.tasks._classes import one_each  # brings Keras, which no check of files needs

    given = one_each(labels, count)
    wrong = given
    if given.dtype.kind in "biuf":
        is_one = (given >= 0) & (given < (num_classes or np.inf)) & (given == np.floor(given))
        wrong = given[~is_one]
    if len(wrong):
        most = f"to {num_classes - 1}" if num_classes else "up"
        raise InputError(
            f"Labels must be class numbers, ints from 0 {most}. Received: {wrong[0]!s}. For names "
            "and other numbers pass np.unique(labels, return_inverse=True)[1]."
        )
    return given.astype(np.int64)


def _fit(labels, features, validation, num_classes, class_weight):
    labels = class_numbers(labels, len(features), num_classes)
    if len(np.unique(labels)) < 2:
        raise InputError(
            f"A classifier needs photos of two classes. Received: {len(np.unique(labels))}."
        )
    held, held_labels = ((), ()) if validation is None else validation
    held_labels = class_numbers(held_labels, len(held), num_classes)
    num_classes = num_classes or int(np.max(np.r_[labels, held_labels])) + 1
    x, mean, scale = _standardised(features)
    fitted = LogisticRegression(max_iter=1000, warm_start=True, class_weight=class_weight)

    def fit(penalty):
        fitted.set_params(C=1 / (penalty * len(x))).fit(x, labels)
        return Probe(*_folded(fitted, num_classes, mean, scale), penalty, [])

    if not len(held_labels):
        return fit(_DEFAULT_PENALTY)
    return _best(fit, np.asarray(held, dtype=np.float32), held_labels)


def _standardised(features):
    """(our own centred and scaled copy, mean, scale): one copy, whatever its size."""
    x = _copy(features)
    mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
    x -= mean
    # The variance of everything: within the columns, and of their means.
    scale = float(np.sqrt(np.vdot(x, x) / x.size + mean.var(dtype=np.float64))) or 1.0
    x /= scale
    return x, mean, scale


def _copy(features):
    """Our own float32 copy. A large one is in a file without a name: its pages are not held by
    the process, so that memory stays flat with the number of photos."""
    size = 4 * math.prod(np.shape(features))
    file = _file(size) if size > _HELD_BYTES else None
    if file is None:
        return np.array(features, dtype=np.float32)
    with file:
        x = np.memmap(file, np.float32, "r+", shape=np.shape(features))
    for start in range(0, len(x), _ROWS):
        x[start : start + _ROWS] = features[start : start + _ROWS]
    return np.asarray(x)


def _file(size):
    """An open file of that many bytes, or None if the disk has no room for it."""
    if not hasattr(os, "posix_fallocate"):  # macOS: a disk full only later would end the process
        return None
    with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
        cache_folder().mkdir(parents=True, exist_ok=True)
        file = opened.enter_context(tempfile.TemporaryFile(dir=cache_folder()))
        os.posix_fallocate(file.fileno(), 0, size)
        opened.pop_all()
        return file
    return None


def _best(fit, features, labels):
    """The probe with the lowest loss; the search ends when the loss has risen twice."""
    best, trials = None, []
    for penalty in _PENALTIES:
        probe = fit(penalty)
        guess = probe.predict(features)
        loss = log_loss(guess, labels)
        trials.append({"penalty": penalty, "loss": loss, "accuracy": accuracy(guess, labels)})
        losses = [trial["loss"] for trial in trials]
        if loss == min(losses):
            best = probe
        elif len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]:
            break
    best.trials = trials
    return best


def _folded(fitted, num_classes, mean, scale):
    """(kernel, bias) over unscaled features; classes without photos get probability 0."""
    weights, bias = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # one logit: half of it for one class, half against the other
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    kernel = np.zeros((len(mean), num_classes))
    biases = np.full(num_classes, -30.0)
    kernel[:, fitted.classes_] = weights.T / scale
    biases[fitted.classes_] = bias - mean @ (weights.T / scale)
    return kernel.astype(np.float32), biases.astype(np.float32)
