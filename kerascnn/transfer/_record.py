"""What a run leaves for its report: plain values, the same in memory and in the run's folder."""

import collections
import contextlib
import csv
import dataclasses
import json
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn._runs import atomic_path, write_json
from kerascnn.data import load_manifest

HISTORY = ("stage", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
PREDICTIONS = ("path", "true", "predicted", "probability")
_REQUIRED = {
    "config.json": {
        "backbone", "weights", "strategy", "epochs", "learning_rate", "views", "class_weight",
        "engine", "precision", "seed", "reproducible", "photos", "image_size", "channels",
        "resize", "plan", "versions",
    },
    "metrics.json": {
        "test_accuracy", "test_interval", "test_balanced_accuracy", "test_macro_f1",
        "test_log_loss", "validation_accuracy", "strategy", "stages", "seconds", "num_photos",
        "per_class",
    },
}  # fmt: skip
_ENCODING = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}  # names are bytes


@dataclasses.dataclass
class Record:
    """A run without its model.

    Attributes:
        class_names: list of str.
        config: dict, everything needed to repeat the run (config.json).
        metrics: dict, see `Result.metrics` (metrics.json).
        history: list of dicts of HISTORY, one an epoch (history.csv).
        predictions: list of dicts of PREDICTIONS, one a test photo (predictions.csv).
        splits: dict split -> dict class -> photos (counted in manifest.csv), or None.
        details: dict of what only the report shows (report.json): "created" (str), "findings" and
            "tables" (as `kc.report.render` takes them), "pictures" (see `_mistakes`).
        diagnosis: list of dicts, see `kerascnn.doctor.Diagnosis` (doctor.json), or None.
    """

    class_names: list
    config: dict
    metrics: dict
    history: list
    predictions: list
    splits: dict | None
    details: dict
    diagnosis: list | None = None

    def write(self, folder):
        """Write the files it consists of, but for the labels and the manifest."""
        write_json(folder / "config.json", self.config)
        write_json(folder / "metrics.json", self.metrics)
        write_json(folder / "report.json", self.details)
        write_json(folder / "doctor.json", self.diagnosis)
        _write_csv(folder / "history.csv", HISTORY, self.history)
        _write_csv(folder / "predictions.csv", PREDICTIONS, self.predictions)


def prediction_rows(split, probabilities):
    """A dict of PREDICTIONS for each photo of a `Split`, of probabilities (N, classes)."""
    best, names = probabilities.argmax(axis=1), split.class_names
    return [
        {
            "path": path,
            "true": names[label],
            "predicted": names[guess],
            "probability": round(float(probabilities[i, guess]), 6),
        }
        for i, (path, label, guess) in enumerate(zip(split.paths, split.labels, best))
    ]


def read_record(folder):
    """The `Record` in a run folder; what an older version did not write yet is empty.

    Raises:
        InputError: it is no run folder, or a file in it is damaged.

    >>> read_record("nothing")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: nothing is no run folder: it has no config.json. Pass a folder ...
    """
    folder = Path(folder)
    config, metrics = (_required(folder, name, keys) for name, keys in _REQUIRED.items())
    names = _read(folder / "labels.json", lambda file: json.load(file)["class_names"])
    names = names or [row["name"] for row in metrics["per_class"] or []]
    predictions = _read(folder / "predictions.csv", _prediction_rows) or []
    if not {row[key] for row in predictions for key in ("true", "predicted")} <= set(names):
        raise _damaged(folder / "predictions.csv")
    manifest = folder / "manifest.csv"
    return Record(
        class_names=names,
        config=config,
        metrics=metrics,
        history=_read(folder / "history.csv", _history_rows) or [],
        predictions=predictions,
        splits=_counts(load_manifest(manifest), names) if manifest.exists() else None,
        details=_read(folder / "report.json", json.load) or {},
        diagnosis=_read(folder / "doctor.json", json.load),
    )


def _required(folder, name, keys):
    """The dict in a file without which a folder is no run."""
    found = _read(folder / name, json.load)
    if found is None:
        raise InputError(
            f"{folder} is no run folder: it has no {name}. "
            "Pass a folder that kerascnn finetune made."
        )
    if not isinstance(found, dict) or not keys <= found.keys():
        raise _damaged(folder / name)
    return found


def _damaged(path):
    return InputError(f"{path} is damaged. Copy the run folder again.")


def _read(path, parse):
    """What a file holds; None if there is none."""
    try:
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            path.open(**_ENCODING) as file,
        ):
            return parse(file)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise _damaged(path) from error
    return None


def _history_rows(file):
    rows = []
    for row in csv.DictReader(file):
        numbers = {key: float(row[key]) if row[key] else None for key in HISTORY[2:]}
        rows.append({"stage": row["stage"], "epoch": int(row["epoch"]), **numbers})
    return rows


def _prediction_rows(file):
    return [
        {key: float(row[key]) if key == "probability" else row[key] for key in PREDICTIONS}
        for row in csv.DictReader(file)
    ]


def _counts(photos, names):
    counts = collections.Counter((photo.split, photo.label) for photo in photos)
    splits = ("train", "validation", "test")
    return {split: {name: counts[split, name] for name in names} for split in splits}


def _write_csv(path, columns, rows):
    with atomic_path(path) as partial, partial.open("w", **_ENCODING) as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
