"""What the files of a finished run tell of its training."""

import collections
import csv
import json
import math
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn.doctor import training
from kerascnn.doctor._finding import Diagnosis, Finding
from kerascnn.doctor.verdict import after_training

__all__ = ["examine_run", "judge_run"]

_FILES = ("history.csv", "metrics.json", "labels.json", "manifest.csv")


def examine_run(folder):
    """A diagnosis of a run folder that `finetune` made, from the files in it.

    What was found while it trained (`doctor.json`), the curves of each stage (see
    `after_training`; the best epoch's weights were kept), photos in two splits, classes that are
    never recognised, and test accuracy against that on validation and the largest class's share.

    Args:
        folder: str or path.

    Returns:
        `Diagnosis`.

    Raises:
        InputError: it is no run folder, or a file in it is damaged.

    >>> examine_run("nothing")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: nothing is no run folder of `kerascnn finetune`: ...
    """
    folder = Path(folder)
    absent = [name for name in _FILES if not (folder / name).is_file()]
    if absent:
        raise InputError(
            f"{folder} is no run folder of `kerascnn finetune`: {absent[0]} is not in it."
        )
    try:
        manifest = _rows(folder / "manifest.csv", {"sha256", "split"})
        classes = _json(folder / "labels.json")["class_names"]
        return judge_run(
            [_numbers(row) for row in _rows(folder / "history.csv", {"stage", "loss"})],
            _json(folder / "metrics.json"),
            [(row["sha256"], row["split"]) for row in manifest],
            len(classes),
            _watched(folder / "doctor.json"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error, OSError) as error:
        raise InputError(
            f"A file in {folder} is damaged ({type(error).__name__}: {error}). Copy the folder "
            "again."
        ) from error


def judge_run(history, metrics, photos, num_classes, watched=()):
    """The diagnosis of a run by its numbers: what `examine_run` reads, and `finetune` has.

    Args:
        history: list of dicts, one an epoch: "stage", "loss", "val_loss", ...
        metrics: dict, the content of `metrics.json`.
        photos: list of (SHA-256, split).
        num_classes: int.
        watched: list of `Finding`s that were made while it trained.

    Returns:
        `Diagnosis`.

    >>> metrics = {"validation_accuracy": 0.9, "test_accuracy": None, "test_interval": None,
    ...            "per_class": None}
    >>> found = judge_run([], metrics, [("a1", "train"), ("a1", "test")], 3)
    >>> found.problems[0].message
    '1 photo is in more than one split.'
    """
    found = Diagnosis(watched)
    for stage in dict.fromkeys(row["stage"] for row in history):
        rows = [row for row in history if row["stage"] == stage]
        judged = after_training(rows, chance=math.log(num_classes), best_kept=True)
        found += of_stage(judged, stage)
    found += [
        shared_photos(photos),
        missed_classes(metrics["per_class"]),
        choices(metrics["validation_accuracy"], metrics["test_interval"]),
        largest_class(metrics["test_accuracy"], metrics["per_class"]),
    ]
    return found


def of_stage(findings, stage):
    """The same findings, named after a stage of the training."""
    return [
        Finding(f"{stage}: {x.check}", x.severity, x.message, x.advice, x.source) for x in findings
    ]


def shared_photos(photos):
    """Whether a photo is in more than one split: a problem, for figures are too good then."""
    splits = collections.defaultdict(set)
    for digest, split in photos:
        splits[digest].add(split)
    count = sum(len(found) > 1 for found in splits.values())
    if not photos:
        return Finding("leak", "skipped", "No photos are listed.")
    if count:
        photos = "1 photo is" if count == 1 else f"{count:,} photos are"
        advice = "Split anew with kerascnn.data.from_directory, which keeps equal photos together."
        return Finding("leak", "problem", f"{photos} in more than one split.", advice)
    return Finding("leak", "fine", f"{len(splits):,} different photos, each in one split.")


def missed_classes(per_class):
    """Whether a class with test photos is never recognised: a warning, a problem if half are."""
    rows = [row for row in per_class or () if row["support"]]
    if not rows:
        return Finding("classes", "skipped", "There are no test photos.")
    missed = [row["name"] for row in rows if row["recall"] == 0]
    if missed:
        message = f"{len(missed)} of {len(rows)} classes are never recognised, e.g. {missed[0]!r}."
        advice = "Get more photos of them, weight classes, or look at their labels."
        severity = "problem" if 2 * len(missed) >= len(rows) else "warning"
        return Finding("classes", severity, message, advice)
    worst = min(rows, key=lambda row: row["recall"])
    recall = 100 * worst["recall"]
    return Finding("classes", "fine", f"The lowest recall is {recall:.0f} %, of {worst['name']!r}.")


def choices(validation, interval):
    """Whether validation accuracy is above the 95 % interval of test accuracy by 5 points.

    A warning: the choices fit the validation photos, or the splits differ.
    """
    check = "choices"
    if validation is None or interval is None:
        return Finding(check, "skipped", "There is no accuracy of validation and test.")
    low, high = interval
    message = (
        f"Validation accuracy is {100 * validation:.1f} %, that of test between "
        f"{100 * low:.1f} and {100 * high:.1f} %."
    )
    if validation > high + 0.05:
        advice = "Use more validation photos and try fewer things; look whether the splits differ."
        return Finding(check, "warning", message, advice)
    return Finding(check, "fine", message)


def largest_class(accuracy, per_class):
    """Whether test accuracy beats the share of the largest class: a problem if not."""
    check = "largest class"
    counts = [row["support"] for row in per_class or ()]
    if accuracy is None or not sum(counts):
        return Finding(check, "skipped", "There are no test photos.")
    share = max(counts) / sum(counts)
    message = (
        f"Test accuracy is {100 * accuracy:.1f} %, {100 * share:.1f} % of the photos are of the "
        "largest class."
    )
    if accuracy <= share:
        advice = "Nothing useful was learnt: look at the labels, the photos and the backbone."
        return Finding(check, "problem", message, advice)
    return Finding(check, "fine", message)


def _watched(path):
    """The findings of `doctor.json` that were made in training; none without the file."""
    if not path.is_file():
        return []
    found = [Finding(**row) for row in _json(path)]
    return [finding for finding in found if finding.check.split(": ")[-1] in training.CHECKS]


def _json(path):
    return json.loads(path.read_text("utf-8"))


def _rows(path, columns):
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        if not columns <= set(reader.fieldnames or ()):
            raise ValueError(f"{path.name} has no columns {', '.join(sorted(columns))}")
        return list(reader)


def _numbers(row):
    """A row of history.csv: what is empty was not measured."""
    return {
        name: value if name == "stage" else float(value) for name, value in row.items() if value
    }
