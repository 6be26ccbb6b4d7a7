"""Checks during training, of the numbers of its steps. `kerascnn.callbacks.Doctor` takes them."""

import math

import numpy as np

from kerascnn.doctor._finding import Finding

__all__ = [
    "batch_order",
    "dead_units",
    "finite_weights",
    "frozen_head",
    "frozen_start",
    "gradient_sizes",
    "loss_at_start",
    "saturation",
    "step_loss",
    "update_ratio",
]

_KARPATHY = "Karpathy, CS231n notes, Neural Networks Part 3"
_RECIPE = "Karpathy 2019, A Recipe for Training Neural Networks"


def dead_units(shares):
    """Whether some layer's ReLUs are 0 for every image of a batch: they learn nothing any more.

    A problem where over half of a layer's units are. CS231n's notes (Part 1) tell of 40 % at a rate
    that is too high; a batch of 32 leaves out units that wait for a rare image, so the limit is
    higher.

    Args:
        shares: dict, name of a layer: float in [0, 1], its share of units that are 0.

    Returns:
        `Finding`.

    >>> dead_units({"conv1": 0.1, "fc": 0.75}).message
    "75 % of the ReLUs of 'fc' are 0 for every image of the batch."
    """
    source = "CS231n notes, Neural Networks Part 1"
    if not shares:
        return Finding("dead ReLUs", "skipped", "No inner layer with a ReLU was looked at.")
    name, worst = max(shares.items(), key=lambda pair: pair[1])
    message = f"{_percent(worst)} of the ReLUs of {name!r} are 0 for every image of the batch."
    if worst > 0.5:
        advice = (
            "Lower the learning rate, start biases at 0, look at the scale of the inputs, put "
            "batch normalisation in front, or use a leaky ReLU."
        )
        return Finding("dead ReLUs", "problem", message, advice, source)
    return Finding("dead ReLUs", "fine", message, source=source)


def saturation(shares):
    """Whether some inner layer's sigmoids or tanhs are at their ends, where their slope is 0.

    A problem where over half of a layer's outputs are in the outer 0.5 % of the range. The layers
    of Glorot and Bengio 2010, Fig. 2 and 3, learn slowly or not at all then; the limit is ours.

    Args:
        shares: dict, name of a layer: float in [0, 1], its share of such outputs.

    Returns:
        `Finding`.

    >>> saturation({"hidden": 0.93}).severity
    'problem'
    """
    source = "Glorot and Bengio 2010, Fig. 2 and 3"
    if not shares:
        return Finding("saturation", "skipped", "No inner layer's activation is bounded.")
    name, worst = max(shares.items(), key=lambda pair: pair[1])
    message = f"{_percent(worst)} of the outputs of {name!r} are at the ends of its activation."
    if worst > 0.5:
        advice = (
            "Use a ReLU, Glorot's initialisation, batch normalisation in front, or smaller inputs."
        )
        return Finding("saturation", "problem", message, advice, source)
    return Finding("saturation", "fine", message, source=source)


def gradient_sizes(sizes):
    """Whether the loss's gradient explodes, vanishes or is 0 on its way back through the layers.

    A problem where it is not finite, or 0 by every kernel, or the root mean square by a kernel is
    over 1e4 times, or under 1e-4 times, that by the last kernel: the limits of
    `kerascnn.doctor.audit_initialization`.

    Args:
        sizes: dict, name of a kernel: float, root mean square of the gradient by it; in the order
            of the network.

    Returns:
        `Finding`.

    >>> gradient_sizes({"conv1/kernel": 3e-9, "fc/kernel": 2e-3}).message
    "The gradient vanishes: by 'conv1/kernel' it is 3e-09, by the last kernel 0.002."
    """
    check, source = "gradients", "Glorot and Bengio 2010, Fig. 7; He et al. 2015, Sec. 2.2"
    if not sizes:
        return Finding(check, "skipped", "No kernel is trained.")
    (low_name, low), (high_name, high) = _ends(sizes)
    last = list(sizes.values())[-1]
    by_last = f"by the last kernel {last:.2g}"
    if not math.isfinite(high) or high > 1e4 * last > 0:
        message = f"The gradient explodes: by {high_name!r} it is {high:.2g}, {by_last}."
        advice = "Lower the rate, set global_clipnorm=1.0 in the optimiser, or normalise batches."
        return Finding(check, "problem", message, advice, source)
    if high == 0:
        message, advice = (
            "The gradient is 0 by every kernel: nothing learns.",
            "Look for dead ReLUs, for a layer that stops gradients, and at the loss.",
        )
        return Finding(check, "problem", message, advice, source)
    if low < 1e-4 * last:
        message = f"The gradient vanishes: by {low_name!r} it is {low:.2g}, {by_last}."
        advice = "Use ReLUs and He's initialisation, batch normalisation, or shortcuts."
        return Finding(check, "problem", message, advice, source)
    message = f"Root mean squares by the kernels are {low:.2g} to {high:.2g}."
    return Finding(check, "fine", message, source=source)


def update_ratio(ratios):
    """Whether the steps are of a good size: a step changes a kernel by about 1e-3 of its length.

    A problem two powers of ten from that: "rate too high" above 1e-1 in the median of at least 3
    looks, "rate too low" below 1e-5 in all of them, so that a warm-up is none. Healthy training
    with Adam is at 1e-3 to 3e-2.

    Args:
        ratios: list of floats, one a look: the median over kernels of
            |change in a step| / |kernel|.

    Returns:
        `Finding`.

    >>> update_ratio([1e-6, 1e-6, 1e-6]).message
    'Steps change the kernels by 1e-06 of their length, 1e-3 is usual: the rate is too low.'
    >>> update_ratio([3e-3, 1e-3, 2e-3]).severity
    'fine'
    """
    check = "update ratio"
    if len(ratios) < 3:
        return Finding(check, "skipped", f"{len(ratios)} looks are too few, 3 are needed.")
    middle, most = float(np.median(ratios)), float(np.max(ratios))
    usual = "of their length, 1e-3 is usual"
    message = f"Steps change the kernels by {middle:.1g} {usual}."
    if not middle <= 0.1:
        message = f"{message[:-1]}: the rate is too high."
        return Finding(check, "problem", message, "Divide the learning rate by 10.", _KARPATHY)
    if most == 0:
        advice = "Look at the gradients, the rate, and what is trainable."
        return Finding(check, "problem", "Steps change no kernel.", advice, _KARPATHY)
    if most < 1e-5:
        message = f"Steps change the kernels by {most:.1g} {usual}: the rate is too low."
        return Finding(check, "problem", message, "Multiply the learning rate by 10.", _KARPATHY)
    return Finding(check, "fine", message, source=_KARPATHY)


def finite_weights(bad):
    """Whether the kernels are finite. A ReLU hides NaN from the loss: TensorFlow's makes it 0.

    Args:
        bad: list of str, names of kernels that hold NaN or infinity.

    Returns:
        `Finding`.

    >>> finite_weights(["conv1/kernel"]).message
    "1 kernel holds NaN or infinity, the first is 'conv1/kernel'."
    """
    if not bad:
        return Finding("weights", "fine", "All kernels are finite.")
    count = "1 kernel holds" if len(bad) == 1 else f"{len(bad)} kernels hold"
    message = f"{count} NaN or infinity, the first is {bad[0]!r}."
    advice = "kerascnn.callbacks.NaNWatch finds the step and says what to try; look at the images."
    return Finding("weights", "problem", message, advice)


def loss_at_start(loss, chance=None):
    """Whether the first step's loss is near that of guessing, -ln(1 / classes).

    A problem over 3 times that: the network is sure of itself and wrong, as with inputs of 0-255
    that nothing scales, or weights that are too large. Lower is fine: a network that was trained
    before begins there. A problem too if it is NaN or infinite.

    Args:
        loss: float, of the first step, without penalties on weights.
        chance: float, the loss of guessing; None if it is not known.

    Returns:
        `Finding`.

    >>> loss_at_start(40.0, math.log(10)).message
    'The loss begins at 40, guessing has 2.3.'
    """
    check = "loss at start"
    if not math.isfinite(loss):
        advice = "Look for NaN and infinity in inputs, labels and weights."
        return Finding(check, "problem", f"The loss begins at {loss:g}.", advice)
    if chance is None:
        return Finding(check, "skipped", f"It is {loss:.3g}; that of guessing is not known.")
    message = f"The loss begins at {loss:.3g}, guessing has {chance:.2g}."
    if loss > 3 * chance:
        advice = "Scale the inputs to about 1, and start with smaller weights in the last layer."
        return Finding(check, "problem", message, advice, _RECIPE)
    return Finding(check, "fine", message, source=_RECIPE)


def step_loss(loss, start, chance=None):
    """Whether the loss is finite, and not far over where it began.

    A problem if it is NaN or infinite, or over 3 times (the limit of `DivergenceRestart`) the
    larger of its start and the loss of guessing; over 10 times its start where the latter is not
    known.

    Args:
        loss: float, the mean over the steps of the epoch so far.
        start: float, of the first step.
        chance: float, the loss of guessing; None if it is not known.

    Returns:
        `Finding`.

    >>> step_loss(12.0, 2.4, math.log(10)).message
    'The loss is 12, it began at 2.4: training diverges.'
    """
    check = "loss"
    source = 'lecture notes PHYS555: "Too high -> early plateau or divergence"'
    if not math.isfinite(loss):
        advice = (
            "Divide the learning rate by 10; kerascnn.callbacks.NaNWatch names the layer, "
            "DivergenceRestart goes back and on."
        )
        said = "NaN" if math.isnan(loss) else "infinite"
        return Finding(check, "problem", f"The loss is {said}.", advice, source)
    limit = 10 * abs(start) if chance is None else 3 * max(start, chance)
    message = f"The loss is {loss:.3g}, it began at {start:.3g}"
    if loss > limit:
        advice = "Divide the learning rate by 10, or clip: global_clipnorm=1.0 in the optimiser."
        return Finding(check, "problem", f"{message}: training diverges.", advice, source)
    return Finding(check, "fine", f"{message}.", source=source)


def batch_order(first, last):
    """Whether the data is in the order of its classes: one class in the first batch and the last.

    A problem if each holds one and they differ, of at least 4 images each: chance hardly ever does
    that, however unequal the classes are.

    Args:
        first, last: int arrays (N,) of classes, or one-hot (N, C).

    Returns:
        `Finding`.

    >>> batch_order([0, 0, 0, 0], [9, 9, 9, 9]).severity
    'problem'
    """
    check, source = "order", 'LeCun et al. 1998, "Efficient BackProp", Sec. 4.2'
    first, last = _classes(first), _classes(last)
    if min(len(first), len(last)) < 4:
        return Finding(check, "skipped", "The batches are smaller than 4.")
    counts = len(np.unique(first)), len(np.unique(last))
    message = f"The first batch has images of {counts[0]} classes, the last of {counts[1]}."
    if counts == (1, 1) and first[0] != last[0]:
        message = (
            f"The first batch has images of class {first[0]} only, the last of class {last[0]}: "
            "the data is in the order of its classes."
        )
        return Finding(check, "problem", message, "Shuffle the images in each epoch.", source)
    return Finding(check, "fine", message, source=source)


def frozen_start(vectors):
    """Whether what is frozen was never trained: its biases and moving means are still all 0.

    A problem then: frozen random features hold back what comes after them. Networks that were
    trained have no bias that is exactly 0 everywhere.

    Args:
        vectors: list of arrays: biases, offsets and moving means of the frozen layers.

    Returns:
        `Finding`.

    >>> frozen_start([np.zeros(8), np.zeros(4)]).severity
    'problem'
    """
    check, source = "frozen layers", "Yosinski et al. 2014, arXiv:1411.1792, Fig. 2 (random)"
    if not vectors:
        return Finding(check, "skipped", "No layer with biases or moving means is frozen.")
    if not any(np.any(vector) for vector in vectors):
        message = f"All {len(vectors)} biases and means of the frozen layers are 0, as at random."
        return Finding(check, "problem", message, "Load weights before you freeze them.", source)
    return Finding(check, "fine", "The frozen layers have been trained.", source=source)


def frozen_head(trained):
    """Whether the last layer with a kernel is frozen while others train.

    A problem then: what the last layer was made for stays, and the others must serve it.

    Args:
        trained: list of bools, one a layer with a kernel, first layer first.

    Returns:
        `Finding`.

    >>> frozen_head([True, True, False]).message
    'The last layer is frozen, 2 of 3 layers with kernels are trained.'
    """
    check = "head"
    if not trained:
        return Finding(check, "skipped", "No layer has a kernel.")
    message = f"{sum(trained)} of {len(trained)} layers with kernels are trained"
    if not any(trained):
        return Finding(check, "problem", f"{message}.", "Set trainable=True, then compile.")
    if not trained[-1]:
        message = f"The last layer is frozen, {message}."
        return Finding(check, "problem", message, "Set its trainable=True, then compile.")
    return Finding(check, "fine", f"{message}, the last one too.")


CHECKS = (
    *("dead ReLUs", "saturation", "gradients", "update ratio", "loss at start", "loss", "order"),
    *("frozen layers", "head", "weights", "batch normalisation"),
)


def _percent(share):
    return f"{100 * share:.0f} %"


def _ends(sizes):
    """The smallest and the largest, as (name, size); one that is not finite is the largest."""
    pairs = sorted(sizes.items(), key=lambda pair: (not math.isfinite(pair[1]), pair[1]))
    return pairs[0], pairs[-1]


def _classes(labels):
    labels = np.asarray(labels)
    if labels.ndim > 1 and labels.shape[-1] > 1:
        return labels.argmax(axis=-1).ravel()
    return labels.ravel()
