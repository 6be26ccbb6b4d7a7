"""Whether the images that judge a network are among those it learns from."""

import numpy as np

from kerascnn.data import find_near_duplicates
from kerascnn.doctor._finding import Finding
from kerascnn.doctor.labels import digests

__all__ = ["leak"]

_SMALLEST = 64  # pixels a side: enlarged digits look alike
_MOST = 1500  # training images, and a third as many others, that are compared by how they look


def leak(train, validation):
    """Whether training and validation data share samples.

    Equal rows are counted among all; images of 64 pixels a side or more are also compared by how
    they look (`kerascnn.data.find_near_duplicates`), up to 1,500 against 500. A problem where over
    1 % of the validation samples are in the training data, a warning for fewer. The limit is ours;
    3.3 % of CIFAR-10's test images and 10 % of CIFAR-100's have a near duplicate in the training
    set (Barz and Denzler 2020, arXiv:1902.00423).

    Args:
        train, validation: arrays (N, ...) and (M, ...) of the same kind of samples.

    Returns:
        `Finding`.

    >>> leak(np.arange(6).reshape(6, 1), np.array([[9], [2]])).message
    '1 of 2 validation samples is in the training data: 1 equal.'
    """
    check, source = "leak", "Barz and Denzler 2020, arXiv:1902.00423"
    train, validation = np.asarray(train), np.asarray(validation)
    if train.shape[1:] != validation.shape[1:]:
        message = f"Samples of shapes {train.shape[1:]} and {validation.shape[1:]} are unlike."
        return Finding(check, "skipped", message)
    seen = set(digests(train.astype("float32")))
    equal = sum(digest in seen for digest in digests(validation.astype("float32")))
    alike, looked_at = _alike(train, validation)
    share = max(equal / len(validation), alike / looked_at)
    kinds = [f"{equal} equal"] if equal else []
    if alike:
        kinds.append(f"{alike} of the {looked_at} looked at look the same as one there")
    if not kinds:
        message = f"None of {len(validation):,} validation samples is in the training data."
        return Finding(check, "fine", message, source=source)
    number = max(equal, alike)
    message = (
        f"{number} of {len(validation)} validation samples {'is' if number == 1 else 'are'} in the "
        f"training data: {', '.join(kinds)}."
    )
    advice = "Split once, equal photos together (kerascnn.data does), before anything is copied."
    return Finding(check, "problem" if share > 0.01 else "warning", message, advice, source)


def _alike(train, validation):
    """(how many of the validation images look like one in training, of how many looked at)."""
    train, validation = train[:_MOST], validation[: _MOST // 3]
    if train.ndim != 4 or train.shape[-1] not in (1, 3) or min(train.shape[1:3]) < _SMALLEST:
        return 0, len(validation)
    images = np.concatenate([train, validation])
    if images.dtype != np.uint8:
        low, high = float(images.min()), float(images.max())
        images = ((images - low) * (255 / max(high - low, 1e-12))).round().astype("uint8")
    groups = find_near_duplicates(images)
    crossing = [group for group in groups if group[0] < len(train)]
    return sum(number >= len(train) for group in crossing for number in group), len(validation)
