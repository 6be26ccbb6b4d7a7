"""How good predictions are: shares, their interval, and figures for each class."""

import numpy as np

from kerascnn.transfer.probe import accuracy, log_loss


def scores(probabilities, labels, class_names):
    """Accuracy, its interval, and per-class figures; all None without photos.

    The means are those of the classes that have photos. A class without any has no recall and no F1
    (None), one that is never predicted no precision.
    """
    if not len(labels):
        keys = ("accuracy", "interval", "balanced_accuracy", "macro_f1", "log_loss", "per_class")
        return dict.fromkeys(keys)
    counts = confusion(probabilities.argmax(axis=1), labels, len(class_names))
    rows = _per_class(counts, class_names)
    present = [row for row in rows if row["support"]]
    share = accuracy(probabilities, labels)
    return {
        "accuracy": share,
        "interval": wilson_interval(share, len(labels)),
        "balanced_accuracy": float(np.mean([row["recall"] for row in present])),
        "macro_f1": float(np.mean([row["f1"] for row in present])),
        "log_loss": log_loss(probabilities, labels),
        "per_class": rows,
    }


def wilson_interval(share, count, z=1.959964):
    """95 % interval of a share observed in `count` photos (Wilson 1927), [low, high].

    >>> [round(x, 3) for x in wilson_interval(0.5, 100)]
    [0.404, 0.596]
    """
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return [float(centre - half), float(centre + half)]


def confusion(predicted, labels, num_classes):
    """Counts of ints (N,): rows are true classes, columns predicted."""
    table = np.zeros((num_classes, num_classes), int)
    np.add.at(table, (labels, predicted), 1)
    return table


def _per_class(table, class_names):
    table = np.array(table)
    found = zip(class_names, np.diag(table), table.sum(axis=1), table.sum(axis=0))
    return [
        {
            "name": name,
            "precision": float(hits / guessed) if guessed else None,
            "recall": float(hits / support) if support else None,
            "f1": float(2 * hits / (support + guessed)) if support else None,
            "support": int(support),
        }
        for name, hits, support, guessed in found
    ]
