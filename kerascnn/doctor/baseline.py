"""Checks of a network's size against its data, and of what the data tells at all."""

import numpy as np
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerascnn.doctor._finding import Finding
from kerascnn.tasks._classes import one_each

__all__ = ["capacity", "linear_baseline"]

_RECIPE = "Karpathy 2019, A Recipe for Training Neural Networks"
_SIDE = 8  # pixels
_LEAST = 100  # samples
_EACH = 30  # of a class: 14 photos of clothing a class are too few for any line between them


def capacity(num_parameters, num_samples, from_scratch=True):
    """Whether a network that starts from scratch has far more parameters than samples to learn.

    A warning over 10,000 a sample. More parameters than samples is usual, and no rule says how many
    are too many: networks that can memorise random labels (2 N + d parameters suffice, Zhang et al.
    2017, arXiv:1611.03530, Theorem 1) generalise on real ones. The limit is ours: VGG-16 has 115 a
    photo on ImageNet, and over 10,000 on 13,000 photos and fewer.

    Args:
        num_parameters: int, those that are trained.
        num_samples: int, training samples.
        from_scratch: bool. Networks that continue from trained weights are fine.

    Returns:
        `Finding`.

    >>> capacity(61_706, 60_000).message
    '61,706 trained parameters for 60,000 samples, 1.03 each.'
    """
    each, source = num_parameters / max(num_samples, 1), "Zhang et al. 2017, arXiv:1611.03530"
    message = f"{num_parameters:,} trained parameters for {num_samples:,} samples, {each:,.3g} each"
    if from_scratch and each > 10_000:
        advice = "Start from pretrained weights, freeze most of it, or take a smaller network."
        message = f"{message}, from scratch."
        return Finding("capacity", "warning", message, advice, source)
    return Finding("capacity", "fine", f"{message}.", source=source)


def linear_baseline(x, targets, are_classes=True):
    """What a linear model makes of the pixels: the least that a network must reach.

    Ridge regression on inputs of at most 8 x 8 pixels, each standardised, in five-fold
    cross-validation. A warning where it is not better than always saying the most frequent class
    (by two standard deviations), or the mean: labels may belong to other inputs, or the problem is
    too hard for it, or the samples too few. Source: Karpathy 2019, A Recipe for Training Neural
    Networks, "set up the end-to-end skeleton + get dumb baselines".

    Args:
        x: float array (N, ...), images or features: 100 samples or more, and 30 for each class.
        targets: classes, (N,) or (N, 1) of any kind or one-hot rows (N, classes), or float array
            (N,) or (N, D).
        are_classes: bool. Whether targets are classes.

    Returns:
        `Finding`; skipped where inputs or targets are not finite.

    Raises:
        InputError: classes of another shape.

    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> linear_baseline(x, (x[:, 0] > 0).astype(int)).message
    'A linear model gets 98 % of 200 samples right, the most frequent class is 54 %.'
    """
    check, count = "linear baseline", len(x)
    targets = one_each(targets, count) if are_classes else np.asarray(targets)
    x = np.asarray(x, "float32")
    needed = max(_LEAST, _EACH * len(np.unique(targets))) if are_classes else _LEAST
    if count < needed:
        return Finding(check, "skipped", f"{count} samples are too few, {needed} are needed.")
    if not all(np.isfinite(a).all() for a in (x, targets) if a.dtype.kind == "f"):
        return Finding(check, "skipped", "Inputs or targets hold NaN or infinity.")
    scored = _accuracy if are_classes else _explained
    message, is_better = scored(_features(x), targets)
    if is_better:
        return Finding(check, "fine", message, source=_RECIPE)
    advice = "Look at some inputs with their labels: do they belong together?"
    return Finding(check, "warning", message, advice, _RECIPE)


def _accuracy(features, labels):
    labels = np.unique(labels, return_inverse=True)[1]  # names and halves are classes too
    found = _predicted(RidgeClassifierCV(np.logspace(-1, 5, 7)), features, labels)
    share, frequent = (found == labels).mean(), np.unique(labels, return_counts=True)[1].max()
    chance = frequent / len(labels)
    message = (
        f"A linear model gets {share:.0%} of {len(labels)} samples right, the most frequent class "
        f"is {chance:.0%}."
    )
    margin = 2 * np.sqrt(chance * (1 - chance) / len(labels))
    return message.replace("%", " %"), chance == 1 or share > chance + margin


def _explained(features, targets):
    targets = targets.reshape(len(targets), -1)
    found = _predicted(RidgeCV(np.logspace(-1, 5, 7)), features, targets)
    error = ((found.reshape(targets.shape) - targets) ** 2).mean()
    share = 1 - error / max(targets.var(axis=0).mean(), 1e-30)
    message = f"A linear model explains {100 * share:.0f} % of the variance of the targets."
    return message, share > 0


def _predicted(model, features, targets):
    folds = KFold(5, shuffle=True, random_state=0)
    return cross_val_predict(make_pipeline(StandardScaler(), model), features, targets, cv=folds)


def _features(x):
    """Rows of at most 8 x 8 places: means of blocks of an image."""
    if x.ndim == 4:
        blocks = [-(-size // _SIDE) for size in x.shape[1:3]]
        height, width = (size // block * block for size, block in zip(x.shape[1:3], blocks))
        x = x[:, :height, :width]
        shape = (len(x), height // blocks[0], blocks[0], width // blocks[1], blocks[1], x.shape[-1])
        x = x.reshape(shape).mean(axis=(2, 4))
    return x.reshape(len(x), -1)
