"""Checks after training, of the curves of its epochs: a pure function each."""

import numpy as np

from kerascnn.doctor._finding import Finding

__all__ = [
    "divergence",
    "fit_of_training",
    "gap",
    "learning",
    "noise",
    "overfitting",
    "plateau",
    "rate_drops",
    "still_improving",
    "validation_above_training",
    "validation_learning",
]

_RECIPE = "Karpathy 2019, A Recipe for Training Neural Networks"
_MONITORING = 'lecture notes PHYS555, "Monitoring the training"'
_CURVES = 'lecture notes on CNN tricks: "big gap = overfitting, no gap => increase capacity"'
_NO_VALIDATION = "There is no validation loss."


def divergence(loss, held=None):
    """Whether the training loss stayed finite and did not give back what it had gained.

    A problem if a loss is not finite, or the last is over 1.5 times the lowest and half of the way
    back to the first.

    >>> divergence(np.array([2.3, 0.9, 0.8, 2.1])).message
    'The training loss rose from 0.8 after epoch 3 to 2.1.'
    """
    check, source = "divergence", _MONITORING
    curves = {"training": loss} if held is None else {"training": loss, "validation": held}
    advice = "Divide the learning rate by 10, or let kerascnn.callbacks.DivergenceRestart do it."
    for name, curve in curves.items():
        bad = np.flatnonzero(~np.isfinite(curve))
        if len(bad):
            message = f"The {name} loss is {curve[bad[0]]:g} in epoch {bad[0] + 1}."
            return Finding(check, "problem", message, advice, source)
    low, last = loss.min(), loss[-1]
    if last > 1.5 * low and last - low > 0.5 * (loss[0] - low):
        best = int(loss.argmin()) + 1
        message = f"The training loss rose from {low:.3g} after epoch {best} to {last:.3g}."
        return Finding(check, "problem", message, advice, source)
    return Finding(check, "fine", f"The training loss ends at {last:.3g}.", source=source)


def learning(loss, chance, accuracy=None):
    """Whether the training loss left that of guessing: over 95 % of it is a problem.

    Penalties on weights are in the loss, so it is none if accuracy is over halfway from guessing to
    perfect.

    >>> learning(np.array([2.31, 2.30, 2.30]), np.log(10)).message
    'The training loss is 2.3 at best, guessing has 2.3: next to nothing was learnt.'
    """
    check = "learning"
    if chance is None:
        return Finding(check, "skipped", "The loss of guessing is not known.")
    best = _lowest(loss)
    message = f"The training loss is {best:.3g} at best, guessing has {chance:.3g}"
    if not (best <= 0.95 * chance or _is_halfway(accuracy, chance)):
        advice = (
            "Overfit one batch first; if that works, look at the labels, the scale of the inputs "
            "and the learning rate (a range test), and train longer."
        )
        return Finding(check, "problem", f"{message}: next to nothing was learnt.", advice, _RECIPE)
    return Finding(check, "fine", f"{message}.", source=_RECIPE)


def validation_learning(loss, held, chance, accuracy=None):
    """Whether what was learnt helps on validation: no better than guessing there is a problem.

    It is none if the accuracy there is over halfway from guessing to perfect, see `learning`.

    >>> validation_learning(np.array([1.0, 0.1]), np.array([6.0, 9.0]), np.log(10)).severity
    'problem'
    """
    check = "validation"
    if held is None or chance is None:
        reason = _NO_VALIDATION if held is None else "The loss of guessing is not known."
        return Finding(check, "skipped", reason)
    best, trained = _lowest(held), _lowest(loss)
    message = f"The validation loss is {best:.3g} at best, guessing has {chance:.3g}"
    if trained <= 0.95 * chance and not (best < chance or _is_halfway(accuracy, chance)):
        message = f"{message}, the training loss {trained:.3g}."
        advice = (
            "Compare labels and preprocessing of training and validation, look whether the "
            "training images are shuffled, their labels right and the statistics of batch "
            "normalisation up to date."
        )
        return Finding(check, "problem", message, advice, _RECIPE)
    return Finding(check, "fine", f"{message}.", source=_RECIPE)


def overfitting(loss, held, chance=None):
    """Whether the validation loss rises again while the training loss falls.

    A warning if it ends 10 % above its lowest, which is 2 epochs ago or more, and by 5 % of the
    loss of guessing (of the largest validation loss if that is not known).

    >>> overfitting(np.array([1.0, 0.5, 0.3, 0.1]), np.array([1.0, 0.7, 0.8, 1.1])).severity
    'warning'
    """
    check, source = "overfitting", _MONITORING
    if held is None:
        return Finding(check, "skipped", _NO_VALIDATION)
    best = int(held.argmin())
    rise, size = held[-1] - held[best], held.max() if chance is None else chance
    loss = loss[: len(held)]
    is_late = len(held) - 1 - best >= 2 and loss[-1] < loss[best]
    if is_late and rise > 0.1 * held[best] and rise > 0.05 * size:
        message = (
            f"The validation loss rose from {held[best]:.3g} after epoch {best + 1} to "
            f"{held[-1]:.3g}, the training loss fell to {loss[-1]:.3g}."
        )
        advice = (
            "Stop at the best epoch (EarlyStopping), augment or get more data, regularise, or take "
            "a smaller network."
        )
        return Finding(check, "warning", message, advice, source)
    message = f"The validation loss ends at {held[-1]:.3g}, its lowest was {held[best]:.3g}."
    return Finding(check, "fine", message, source=source)


def gap(accuracy, held):
    """Whether training accuracy is over 15 points above validation accuracy: a warning.

    >>> gap(np.array([0.7, 1.0]), np.array([0.6, 0.75])).message
    'Training accuracy is 100.0 %, validation accuracy 75.0 %: a gap of 25.0 points.'
    """
    check = "gap"
    if accuracy is None or held is None:
        return Finding(check, "skipped", "There is no accuracy of training and validation.")
    ours, theirs = (float(part[len(held) - 1]) for part in (accuracy, held))
    message = (
        f"Training accuracy is {100 * ours:.1f} %, validation accuracy {100 * theirs:.1f} %: "
        f"a gap of {100 * (ours - theirs):.1f} points."
    )
    if ours - theirs > 0.15:
        advice = (
            "Augment or get more data, raise weight decay or dropout, start from a pretrained "
            "network; look whether both splits are alike."
        )
        return Finding(check, "warning", message, advice, _CURVES)
    small = ours - theirs < 0.02 and ours < 0.98
    advice = "There is no gap: a larger network may do better still." if small else ""
    return Finding(check, "fine", message, advice, _CURVES)


def fit_of_training(loss, chance, accuracy=None):
    """Whether the network fits its training images, or has stopped far from it: underfitting.

    A warning if the training loss ends over half that of guessing and fell by under 5 % between the
    last two quarters of the epochs; none if accuracy is over halfway, see `learning`.

    >>> fit_of_training(np.array([2.2, 2.0, 1.9, 1.88, 1.87, 1.87, 1.87, 1.87]), 2.3).severity
    'warning'
    """
    check, source = "fit", _MONITORING
    if chance is None or len(loss) < 4:
        reason = "The loss of guessing is not known." if chance is None else "Under 4 epochs."
        return Finding(check, "skipped", reason)
    if not _lowest(loss) <= 0.95 * chance:
        return Finding(check, "skipped", "Next to nothing was learnt.")
    fall = _recent_fall(loss)
    message = f"The training loss ends at {loss[-1]:.3g}, {_share(loss[-1], chance)} of guessing's"
    if loss[-1] > 0.5 * chance and fall < 0.05 and not _is_halfway(accuracy, chance):
        message = f"{message}, and fell by {100 * max(fall, 0):.0f} % in its last quarter."
        advice = (
            "Overfit first: a larger network, less regularisation, another learning rate; look at "
            "the labels."
        )
        return Finding(check, "warning", message, advice, source)
    return Finding(check, "fine", f"{message}.", source=source)


def still_improving(curve):
    """Whether the loss (of validation, if there is one) was still falling at the end; always fine.

    It was if its last is its lowest, and its last quarter 5 % under the quarter before.

    >>> still_improving(np.array([2.0, 1.5, 1.1, 0.8])).advice
    'Train longer.'
    """
    check, source = "length", _RECIPE
    if len(curve) < 4:
        return Finding(check, "skipped", "Under 4 epochs.")
    fall = _recent_fall(curve)
    if fall > 0.05 and curve[-1] <= curve.min():
        message = f"The loss still fell by {100 * fall:.0f} % in its last quarter."
        return Finding(check, "fine", message, "Train longer.", source)
    return Finding(check, "fine", "The loss had stopped falling.", source=source)


def plateau(loss, rate=None, accuracy=None):
    """Whether the training loss stands still far from 0 at a rate that is not lowered.

    A warning if it moved by under 1 % of its first value in its last third, of 5 epochs or more, is
    over a quarter of it still, and the rate (where it is known) stayed the same.

    >>> plateau(np.r_[2.0, np.full(14, 1.2)]).message
    'The training loss stays at 1.2 in the last 5 epochs.'
    """
    check, source = "plateau", 'lecture notes PHYS555: "divide learning rate by 10"'
    count = max(5, len(loss) // 3)
    if len(loss) <= count:
        return Finding(check, "skipped", f"Under {count + 1} epochs.")
    end = loss[-count:]
    is_fitted = accuracy is not None and accuracy[-1] > 0.95
    is_lowered = rate is not None and rate[-1] < 0.99 * rate[-count]
    flat = np.ptp(end) < 0.01 * loss[0] and end[-1] > 0.25 * loss[0]
    if flat and not is_fitted and not is_lowered:
        message = f"The training loss stays at {end[-1]:.3g} in the last {count} epochs."
        advice = "Divide the learning rate by 10 (kerascnn.callbacks.PlateauRollback)."
        return Finding(check, "warning", message, advice, source)
    message = (
        f"In the last {count} epochs the training loss went from {end[0]:.3g} to {end[-1]:.3g}."
    )
    return Finding(check, "fine", message, source=source)


def validation_above_training(loss, held):
    """Whether validation is easier than training to the end: a leak, or strong regularisation.

    The training loss is a mean over its epoch, in which the network improves: so the validation
    loss is compared with that of the epoch after it. A warning if it is under half of that in
    the whole last third, of at least 2 epochs.

    >>> validation_above_training(np.full(8, 1.0), np.full(8, 0.3)).severity
    'warning'
    """
    check = "easier"
    if held is None or len(held) < 6:
        return Finding(check, "skipped", _NO_VALIDATION if held is None else "Under 6 epochs.")
    count = max(2, len(held) // 3)
    ratios = held[-count - 1 : -1] / np.maximum(loss[len(held) - count : len(held)], 1e-7)
    message = f"The validation loss is {np.median(ratios):.2g} times the training loss."
    if (ratios < 0.5).all():
        advice = (
            "With strong dropout or augmentation in training it may be so: try less. Else "
            "look for images that are in both splits, and for a validation set that is too easy."
        )
        return Finding(check, "warning", message, advice, _RECIPE)
    return Finding(check, "fine", message, source=_RECIPE)


def noise(held, chance=None):
    """Whether the validation loss jumps: up by 25 % in a quarter of the last half of its epochs.

    Jumps under 5 % of the loss of guessing (of the largest if that is not known) do not count;
    needs 8 epochs and 2 jumps.

    >>> noise(np.array([2, 1.5, 1.2, 1, 2, 1, 2, 1, 2, 1.0])).message
    'The validation loss jumps up by 25 % or more in 2 of its last 5 epochs.'
    """
    check = "noise"
    if held is None or len(held) < 8:
        return Finding(check, "skipped", _NO_VALIDATION if held is None else "Under 8 epochs.")
    end = held[len(held) // 2 - 1 :]
    rises, size = np.diff(end), held.max() if chance is None else chance
    jumps = int(((rises > 0.25 * end[:-1]) & (rises > 0.05 * size)).sum())
    message = (
        f"The validation loss jumps up by 25 % or more in {jumps} of its last {len(rises)} epochs."
    )
    if jumps >= max(2, len(rises) / 4):
        advice = "Lower the learning rate, or take larger batches or a larger validation set."
        source = 'lecture notes PHYS555: "Large LR prevents final convergence"'
        return Finding(check, "warning", message, advice, source)
    return Finding(check, "fine", message)


def rate_drops(loss, rate):
    """What each drop of a rate that was constant before it (a staircase) gained; always fine.

    >>> rate_drops(np.array([2, 1.5, 1.4, 0.7]), np.array([0.1, 0.1, 0.1, 0.01])).message
    'The training loss fell by 50 % when the rate was divided by 10 (epoch 4).'
    """
    check = "rate drops"
    if rate is None:
        return Finding(check, "skipped", "The learning rate is not in the history.")
    drops = [
        i
        for i in range(2, len(rate))
        if rate[i] < 0.55 * rate[i - 1] and np.isclose(rate[i - 1], rate[i - 2], rtol=1e-3)
    ]
    if not drops:
        return Finding(check, "fine", "The rate has no steps.")
    told = [
        f"by {100 * (1 - loss[i] / loss[i - 1]):.0f} % when the rate was divided by "
        f"{rate[i - 1] / rate[i]:.2g} (epoch {i + 1})"
        for i in drops
    ]
    advice = "" if loss[drops[-1]] < 0.95 * loss[drops[-1] - 1] else "The last drop gained little."
    return Finding(check, "fine", f"The training loss fell {', '.join(told)}.", advice)


def _recent_fall(curve):
    """By what share the mean of the last quarter is under that of the quarter before it."""
    count = max(1, len(curve) // 4)
    before = curve[-2 * count : -count].mean()
    return 1 - curve[-count:].mean() / max(before, 1e-12)


def _is_halfway(accuracy, chance):
    return accuracy is not None and np.max(accuracy) > 0.5 * (1 + np.exp(-chance))


def _lowest(curve):
    return float(np.nanmin(curve)) if np.isfinite(curve).any() else np.inf


def _share(part, whole):
    return f"{100 * part / whole:.0f} %"
