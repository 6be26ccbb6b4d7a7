"""Checks of labels: their form, the classes they name, their order, their contradictions."""

import hashlib
from collections import defaultdict

import numpy as np

from kerascnn import tasks
from kerascnn.doctor._finding import Finding
from kerascnn.tasks._classes import one_each

__all__ = ["class_balance", "label_conflicts", "label_form", "label_order", "occurring_classes"]


def label_form(model, data):
    """Whether labels, loss and output fit: what `kerascnn.tasks.check` tells, as a finding.

    Softmax or sigmoid applied twice or not at all, ints where one-hot labels belong and the
    reverse, labels out of range, targets that the last activation cannot reach.

    Args:
        model: compiled functional or Sequential `keras.Model`.
        data: what `fit` gets.

    Returns:
        `Finding`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="kind")])
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> label_form(model, (np.ones((2, 4)), np.array([1, 3]))).message
    'kind: labels must be ints from 0 to 2 for 3 outputs. Found: 3.'
    """
    found = [line for line in tasks.check(model, data) if not line.startswith("input: ")]
    if found:
        advice = "kerascnn.tasks makes heads, losses and labels that fit."
        return Finding("label form", "problem", " ".join(found), advice)
    return Finding("label form", "fine", "Outputs, loss and labels fit.")


def occurring_classes(counts):
    """Whether each class has samples.

    A problem where only one has, or where the first class has none and all others do: labels that
    begin at 1, with one unit too many. Otherwise a warning.

    Args:
        counts: ints, one for each unit of the output: how many samples its class has.

    Returns:
        `Finding`.

    >>> occurring_classes([0, 5, 4, 6]).advice
    'Do labels begin at 1? Subtract 1, and leave out one unit.'
    """
    check, counts = "classes", np.asarray(counts)
    absent = np.flatnonzero(counts == 0)
    if len(absent) == len(counts) - 1:
        message = f"All {counts.sum():,} labels are {counts.argmax()}, there are {len(counts)}."
        return Finding(check, "problem", message, "Look at how labels are read, and in what order.")
    if len(counts) > 2 and absent.tolist() == [0]:
        message = f"Class 0 of {len(counts)} never occurs, all others do."
        advice = "Do labels begin at 1? Subtract 1, and leave out one unit."
        return Finding(check, "problem", message, advice)
    if len(absent):
        named = ", ".join(map(str, absent[:5])) + (", ..." if len(absent) > 5 else "")
        message = f"{len(absent)} of {len(counts)} classes have no samples: {named}."
        return Finding(check, "warning", message, "Leave out their units, or find samples.")
    return Finding(check, "fine", f"Each of {len(counts)} classes has {counts.min():,} or more.")


def class_balance(counts):
    """Whether some classes have far fewer samples than others.

    A warning where the most frequent class has over 10 times the samples of the rarest. Buda et al.
    2018, arXiv:1710.05381, Sec. 4, study ratios up to 100 (5000 on ImageNet) and find the harm grow
    with the ratio; the limit is ours.

    Args:
        counts: ints, samples of each class.

    Returns:
        `Finding`.

    >>> class_balance([200, 10]).message
    'The most frequent class has 20 times the samples of the rarest (200 and 10).'
    """
    counts = np.asarray(counts)[np.asarray(counts) > 0]
    check, source = "class balance", "Buda et al. 2018, arXiv:1710.05381"
    most, least = counts.max(), counts.min()
    message = (
        f"The most frequent class has {most / least:.2g} times the samples of the rarest "
        f"({most:,} and {least:,})."
    )
    if most > 10 * least:
        advice = "Weight the classes (Split.class_weight), and judge by macro-F1, not accuracy."
        return Finding(check, "warning", message, advice, source)
    return Finding(check, "fine", message, source=source)


def label_order(batches, shuffles=False):
    """Whether batches hold the classes mixed.

    The mean entropy of the labels in a batch is compared with that of batches of the same labels
    drawn at random. A problem where it is less than 0.75 of it: neighbours are of one class more
    often than by chance, and each step forgets what the last ones learnt. The limit is ours; random
    order has 0.97-1.03 with 8 batches or more. Source: LeCun et al. 1998, "Efficient BackProp",
    Sec. 4.2: shuffle, so that successive examples rarely belong to the same class.

    Args:
        batches: list of int arrays, the classes in each batch as they are read.
        shuffles: bool. `fit` shuffles these samples itself, as it does arrays; then it is only a
            warning, since `validation_split` takes the last ones before that.

    Returns:
        `Finding`.

    >>> label_order([[0, 0, 0, 0], [1, 1, 1, 1]]).message
    'A batch holds 1 of 2 classes in the mean, with 0.00 of the entropy of a random order.'
    """
    check, source = "order", 'LeCun et al. 1998, "Efficient BackProp", Sec. 4.2'
    batches = [np.asarray(batch) for batch in batches]
    ends = np.cumsum([len(batch) for batch in batches])
    if len(batches) < 2 or len(np.unique(np.concatenate(batches))) < 2:
        return Finding(check, "skipped", "It needs two batches and two classes.")
    drawn = np.random.default_rng(0).permutation(np.concatenate(batches))
    usual = np.mean([_entropy(part) for part in np.split(drawn, ends[:-1])])
    ratio = np.mean([_entropy(batch) for batch in batches]) / usual if usual else 1.0
    number, total = np.mean([len(np.unique(batch)) for batch in batches]), len(np.unique(drawn))
    message = (
        f"A batch holds {number:.3g} of {total} classes in the mean, with {ratio:.2f} of the "
        "entropy of a random order."
    )
    if ratio >= 0.75:
        return Finding(check, "fine", message, source=source)
    advice = "Shuffle all samples in each epoch; tf.data's shuffle needs a buffer of all of them."
    if shuffles:
        advice = "fit shuffles arrays, but validation_split takes the last ones: mix them before."
    return Finding(check, "warning" if shuffles else "problem", message, advice, source)


def label_conflicts(x, labels):
    """Whether equal inputs have different labels: no network can learn both.

    A problem over 1 % of the samples, a warning for fewer. The limit is ours.

    Args:
        x: array (N, ...).
        labels: N of any kind, (N,) or (N, 1), or one-hot rows (N, classes).

    Returns:
        `Finding`.

    Raises:
        InputError: labels of another shape.

    >>> label_conflicts(np.array([[1.0], [2.0], [1.0]]), [0, 1, 1]).message
    '2 of 3 samples have an equal one with another label, 0 and 2 for instance.'
    """
    check, groups = "label conflicts", defaultdict(list)
    for number, digest in enumerate(digests(x)):
        groups[digest].append(number)
    labels = one_each(labels, len(x))
    bad = [group for group in groups.values() if len(np.unique(labels[group])) > 1]
    if not bad:
        return Finding(check, "fine", f"No equal samples of {len(labels):,} have other labels.")
    count, (first, second, *_) = sum(map(len, bad)), bad[0]
    message = (
        f"{count:,} of {len(labels):,} samples have an equal one with another label, {first} and "
        f"{second} for instance."
    )
    severity = "problem" if count > 0.01 * len(labels) else "warning"
    return Finding(check, severity, message, "Correct the labels, or leave these samples out.")


def digests(x):
    """A digest of each row's bytes."""
    return [hashlib.sha256(np.ascontiguousarray(row)).digest() for row in np.asarray(x)]


def _entropy(labels):
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log(shares)).sum())
