"""What to train: scores of frozen features, and the lecture notes' table as a rule."""

import dataclasses

import numpy as np

from kerascnn import _graph
from kerascnn._errors import InputError
from kerascnn.tasks._classes import one_each
from kerascnn.transfer.features import FeatureExtractor
from kerascnn.transfer.probe import fit_probe

__all__ = ["Plan", "compare_stages", "h_score", "log_me", "plan"]

MUCH = 25  # training photos per class (median) from which fine-tuning is worth its risk
SIMILAR = 0.98  # the last stage keeps this share of the best stage's gain over guessing


def log_me(features, labels):
    """LogME: how well a linear model of the features explains the labels; higher is better.

    The log evidence per photo of Bayesian linear regression, its two precisions maximised, averaged
    over the classes as one-against-rest targets. No classifier is trained.
    Source: You et al. 2021, arXiv:2102.11005, Algorithm 1 (with its fixed-point iteration).
    Differs from the paper: no.

    Args:
        features: float array (N, F), finite.
        labels: N of any kind, (N,) or (N, 1), or one-hot rows (N, classes).

    Returns:
        float; only differences between scores of the same labels mean anything.

    Raises:
        InputError: features or labels of another shape, or features that are not finite.

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(40) % 2
    >>> x = rng.normal(size=(40, 3))
    >>> log_me(np.c_[x, 5 * y], y) > log_me(x, y)
    True
    """
    x, labels = _checked(features, labels)
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    squares = values**2
    targets = (labels[:, None] == np.unique(labels)).astype(np.float64)
    return float(np.mean([_evidence(left.T @ t, squares, t, x.shape) for t in targets.T]))


def _evidence(projected, squares, target, shape):
    """Log evidence per photo, at the fixed point of alpha (weights) and beta (noise)."""
    count, width = shape
    outside = max(target @ target - projected @ projected, 0.0)  # what no feature explains
    alpha = beta = 1.0
    for _ in range(100):
        shrunk = alpha + beta * squares
        gamma = (beta * squares / shrunk).sum()
        weights2 = (squares * (beta * projected / shrunk) ** 2).sum()
        residual2 = ((alpha * projected / shrunk) ** 2).sum() + outside
        old = alpha / beta
        alpha, beta = gamma / (weights2 + 1e-12), (count - gamma) / (residual2 + 1e-12)
        if abs(alpha / beta - old) <= 1e-4 * old:
            break
    shrunk = alpha + beta * squares
    weights2 = (squares * (beta * projected / shrunk) ** 2).sum()
    residual2 = ((alpha * projected / shrunk) ** 2).sum() + outside
    log_det = np.log(shrunk).sum() + (width - len(squares)) * np.log(alpha)
    evidence = width * np.log(alpha) + count * np.log(beta) - count * np.log(2 * np.pi)
    return 0.5 * (evidence - beta * residual2 - alpha * weights2 - log_det) / count


def h_score(features, labels):
    """H-score: the variance between class means relative to the whole; higher is better.

    tr(cov(f)^-1 cov(E[f | y])). Source: Bao et al. 2019, arXiv:2212.10082, Definition 2.
    Differs from the paper: the pseudo-inverse, so that more features than photos do not fail.

    Args:
        features, labels: as for `log_me`.

    Returns:
        float >= 0.

    Raises:
        InputError: as for `log_me`.

    >>> h_score(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1]))
    1.0
    """
    x, labels = _checked(features, labels)
    x = x - x.mean(axis=0)
    means = {label: x[labels == label].mean(axis=0) for label in np.unique(labels)}
    between = np.stack([means[label] for label in labels])
    _, values, right = np.linalg.svd(x, full_matrices=False)
    kept = values > values.max() * 1e-6
    return float(((between @ right[kept].T / values[kept]) ** 2).sum())


def _checked(features, labels):
    """Features as float64 (N, F), labels as numbers (N,)."""
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        what = "NaN or infinity" if x.size and x.ndim == 2 else f"shape {x.shape}"
        raise InputError(
            f"Features must be finite numbers (N, F), e.g. averages of maps. Received: {what}."
        )
    return x, np.unique(one_each(labels, len(x)), return_inverse=True)[1]


def compare_stages(backbone, data, layers=None, *, engine="auto", progress=True):
    """Linear classifiers on several stages of a network, side by side, from one pass.

    Where the last stage is best, the new photos are like those the network was trained on; where
    an earlier one is, its last stages are too special (note 3's "different" column).

    Args:
        backbone: flat functional `keras.Model` over raw photos that ends in pooled features.
        data: `ImageData`.
        layers: names of layers, or None for the ends of all stages, the output standing for the
            last one.
        engine, progress: as for `extract_features`.

    Returns:
        List of dicts, first stage first: "layer" (None is the output), "num_features",
        "validation_accuracy", "validation_loss" (None without validation photos), "probe".
    """
    layers = [*_graph.stage_ends(backbone)[:-1], None] if layers is None else list(layers)
    extractor = FeatureExtractor(backbone, layers, engine=engine)
    train = extractor(data.train, progress=progress)
    held = extractor(data.validation, progress=progress)
    rows = []
    for layer in layers:
        probe = fit_probe(
            train[layer],
            data.train.labels,
            (held[layer], data.validation.labels),
            len(data.class_names),
        )
        best = min(probe.trials, key=lambda trial: trial["loss"], default={})
        rows.append(
            {
                "layer": layer,
                "num_features": train[layer].shape[1],
                "validation_accuracy": best.get("accuracy"),
                "validation_loss": best.get("loss"),
                "probe": probe,
            }
        )
    return rows


@dataclasses.dataclass
class Plan:
    """What will be trained, and why.

    Attributes:
        strategy: "probe", "partial" or "full".
        layer: name of the layer the classifier reads, None for the network's output.
        reasons: list of str.
    """

    strategy: str
    layer: str | None
    reasons: list


def plan(photos_per_class, stages, majority):
    """The table of lecture note 3 as a rule: how much data, and how similar is it?

    |           | similar                            | different                          |
    |-----------|------------------------------------|------------------------------------|
    | little    | linear classifier on the last stage| linear classifier on the best stage|
    | much      | fine-tune the last stage           | fine-tune everything               |

    "Much" is at least 25 training photos in the median class. "Similar" is measured: a linear
    classifier on the last stage has at least 98 % of the best stage's gain over always guessing
    the largest class. Source: note 3's table; the two thresholds are ours.

    Args:
        photos_per_class: float >= 0.
        stages: rows of `compare_stages`, the output last.
        majority: float in [0, 1]. Share of the largest class among the validation photos.

    Returns:
        `Plan`.

    >>> rows = [
    ...     {"layer": "stage1", "validation_accuracy": 0.6},
    ...     {"layer": None, "validation_accuracy": 0.9},
    ... ]
    >>> plan(100, rows, 0.2).strategy, plan(10, rows, 0.2).strategy
    ('partial', 'probe')
    """
    much = photos_per_class >= MUCH
    amount = f"{photos_per_class:.0f} training photos in the median class: "
    amount += "much data" if much else "little data"
    known = [row for row in stages if row["validation_accuracy"] is not None]
    if not known:
        return Plan("probe", None, [amount, "no validation photos: similarity unknown"])
    best, last = max(known, key=lambda row: row["validation_accuracy"]), known[-1]
    gain = max(0.0, best["validation_accuracy"] - majority)  # of nothing, if no stage has any
    lost = best["validation_accuracy"] - last["validation_accuracy"]
    similar = lost <= (1 - SIMILAR) * gain
    closeness = (
        f"a linear classifier is {'as good' if similar else 'worse'} on the last stage "
        f"({last['validation_accuracy']:.1%}) {'as' if similar else 'than'} on any "
        f"(best {best['validation_accuracy']:.1%}): {'similar' if similar else 'different'} photos"
    )
    if much:
        return Plan("partial" if similar else "full", None, [amount, closeness])
    return Plan("probe", None if similar else best["layer"], [amount, closeness])
