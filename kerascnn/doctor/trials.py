"""Checks of short trainings: can the network learn a batch by heart, and at which rate?"""

import numpy as np

from kerascnn.doctor._finding import Finding

__all__ = ["learning_rate", "one_batch"]

_RECIPE = "Karpathy 2019, A Recipe for Training Neural Networks"
LEAST = 0.1  # of the loss of guessing, that a network should reach on one batch


def one_batch(losses, chance, floor=0.0):
    """Whether a network learns one batch by heart, without dropout and other regularisation.

    A problem where the loss does not come down to a tenth of that of guessing: then it will not
    learn the rest either. Source: Karpathy 2019, A Recipe for Training Neural Networks, "overfit
    one batch"; the limit is ours.

    Args:
        losses: list of floats, the loss before each step on the same batch.
        chance: float, the loss of guessing.
        floor: float, the lowest loss there is, above 0 with label smoothing.

    Returns:
        `Finding`.

    >>> one_batch([2.4, 2.35, 2.3], chance=2.3).message
    'The loss on one batch only comes from 2.4 to 2.3 in 2 steps, guessing has 2.3.'
    """
    check, finite = "one batch", [loss for loss in losses if np.isfinite(loss)]
    low, steps = min(finite, default=np.nan), len(losses) - 1
    if low <= floor + LEAST * (chance - floor):
        message = f"The loss on one batch comes from {losses[0]:.2g} to {low:.2g} in {steps} steps."
        return Finding(check, "fine", message, source=_RECIPE)
    message = (
        f"The loss on one batch only comes from {losses[0]:.2g} to {low:.2g} in {steps} steps, "
        f"guessing has {chance:.2g}."
    )
    advice = "Find out why before you train on more: labels, loss, frozen or dead layers, rate."
    return Finding(check, "problem", message, advice, _RECIPE)


def learning_rate(rate, first, final):
    """Whether a learning rate is in the range in which a network learns.

    From the same start, so many steps on the same batches at rates around it. A problem (too high)
    where the loss ends above its start or is not finite. A warning where it falls less than a fifth
    as far as at a lower rate (too high), or a fiftieth as far as at a higher one (too low).
    The limits are ours; Smith 2017, arXiv:1506.01186, Sec. 3.3 and CS231n's notes look for the
    range alike.

    Args:
        rate: float, the one that is judged.
        first: float, the loss at the start.
        final: dict, rate: float, the loss at the end; `rate` among them.

    Returns:
        `Finding`.

    >>> learning_rate(1.0, 2.3, {0.01: 1.9, 0.1: 0.6, 1.0: 9.0, 10.0: float("nan")}).message
    'At 1 the loss comes from 2.3 to 9; at 0.1 it comes to 0.6.'
    """
    check, source = "learning rate", "Smith 2017, arXiv:1506.01186, Sec. 3.3"
    gains = {r: first - loss if np.isfinite(loss) else -np.inf for r, loss in final.items()}
    best = max(gains, key=gains.get)
    message = f"At {rate:.2g} the loss comes from {first:.2g} to {final[rate]:.2g}"
    if best != rate:
        message += f"; at {best:.2g} it comes to {final[best]:.2g}"
    if gains[best] <= 0:
        tried = ", ".join(f"{r:.2g}" for r in final)
        return Finding(check, "skipped", f"The loss falls at none of the rates {tried}.")
    if gains[rate] <= 0 or (best < rate and gains[rate] < 0.2 * gains[best]):
        severity = "problem" if gains[rate] <= 0 else "warning"
        advice = f"It is too high: try about {best:.1g}, or a warm-up."
        return Finding(check, severity, f"{message}.", advice, source)
    if best > rate and gains[rate] < 0.02 * gains[best]:
        advice = f"It is too low, unless weights are only to be adjusted: try about {best / 10:.1g}"
        return Finding(check, "warning", f"{message}.", f"{advice} to {best:.1g}.", source)
    return Finding(check, "fine", f"{message}.", source=source)
