"""What the report of a fine-tuning shows."""

import dataclasses
import datetime
import platform
from importlib import metadata
from pathlib import Path

import keras
import numpy as np

import kerascnn
from kerascnn import report
from kerascnn.transfer._scores import confusion

_MISTAKES = 12


def page(result):
    """The dict that `kc.report.write` takes, of a `Result`."""
    metrics, data, names = result.metrics, result.data, result.class_names
    total = sum(metrics["num_photos"].values())
    settings = result.settings()
    return {
        "title": f"{_name(data.inventory.root)}: {len(names)} classes",
        "created": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "subtitle": f"{settings['backbone']}, strategy {result.plan.strategy}, {total:,} photos",
        "summary": _tiles(metrics),
        "plan": {**dataclasses.asdict(result.plan), "stages": result.stages},
        "tables": result.tables,
        "history": result.history or None,
        "class_names": names,
        "confusion": confusion(result.test_probabilities, data.test.labels, len(names)),
        "per_class": metrics["per_class"],
        "mistakes": _mistakes(result),
        "findings": [_finding_row(finding) for finding in data.findings],
        "splits": data.inventory.counts(),
        "timings": result.timings,
        "settings": {key: value for key, value in settings.items() if key != "versions"},
        "versions": settings["versions"],
    }


def _mistakes(result):
    """The test photos that were misclassified with the highest probability."""
    guess, test = result.test_probabilities, result.data.test
    best = guess.argmax(axis=1)
    wrong = np.flatnonzero(best != test.labels)
    wrong = wrong[np.argsort(-guess[wrong, best[wrong]])][:_MISTAKES]
    images = test.images(wrong) if len(wrong) else []
    return [
        {
            "path": test.paths[i],
            "thumbnail": report.thumbnail(image),
            "true": result.class_names[test.labels[i]],
            "predicted": result.class_names[best[i]],
            "probability": float(guess[i, best[i]]),
        }
        for i, image in zip(wrong, images)
    ]


def _tiles(metrics):
    tiles = []
    if metrics["test_accuracy"] is not None:
        low, high = metrics["test_interval"]
        count = metrics["num_photos"]["test"]
        note = f"{count:,} photos, 95 % interval {100 * low:.1f}-{100 * high:.1f}"
        tiles.append(("Test accuracy", report.percent(metrics["test_accuracy"]), note))
        tiles.append(
            ("Balanced accuracy", report.percent(metrics["test_balanced_accuracy"]), "mean recall")
        )
    count = metrics["num_photos"]["validation"]
    if metrics["validation_accuracy"] is not None:
        value = report.percent(metrics["validation_accuracy"])
        tiles.append(("Validation accuracy", value, f"{count:,} photos, used for choices"))
    tiles.append(("Time", report.seconds(sum(metrics["seconds"].values())), "all stages"))
    return tiles


def _name(folder):
    return Path(folder).resolve().name or str(folder)


def _finding_row(finding):
    return {
        "problem": finding.problem,
        "action": finding.action,
        "count": len(finding.paths),
        "examples": finding.paths[:5],
    }


def versions():
    """{package: version} of what results depend on."""
    names = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn", "jax", "openvino")
    found = {"kerascnn": kerascnn.__version__, "python": platform.python_version()}
    found["backend"] = keras.backend.backend()
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
