"""What the report of a fine-tuning shows."""

from pathlib import Path

import numpy as np

from kerascnn import report, visualize
from kerascnn.transfer._instructions import asked, use
from kerascnn.transfer._mistakes import confident_mistakes
from kerascnn.transfer._scores import confusion

_ELSEWHERE = ("machine", "plan", "recipe", "versions")  # shown by themselves, or one by one


def page(record, folder):
    """The dict that `kc.report.write` takes, of a `Record` whose run folder is `folder`."""
    config, metrics, details = record.config, record.metrics, record.details
    total = sum(metrics["num_photos"].values())
    names = record.class_names
    return {
        "title": f"{photos_name(config)}: {len(names)} classes",
        "created": details.get("created"),
        "subtitle": f"{config['backbone']}, strategy {metrics['strategy']}, {total:,} photos",
        "summary": _tiles(metrics),
        "asked": asked(record, folder),
        "findings": details.get("findings"),
        "splits": record.splits,
        "plan": {**config["plan"], "stages": metrics["stages"]},
        "tables": details.get("tables"),
        "history": record.history or None,
        "class_names": names,
        "confusion": _confusion(record),
        "per_class": metrics["per_class"],
        "calibration": calibration(record.predictions),
        "mistakes": _mistakes(record),
        "diagnosis": record.diagnosis,
        "timings": metrics["seconds"],
        "use": use(record, folder),
        "environment": {**config.get("machine", {}), **config["versions"]},
        "settings": {k: v for k, v in config.items() if k not in _ELSEWHERE}
        | config.get("recipe", {}),
        "versions": {"kerascnn": config["versions"].get("kerascnn")},
    }


def photos_name(config):
    """What the photos are called: their folder's name."""
    return Path(config["photos"]).resolve().name or config["photos"]


def calibration(predictions):
    """Expected calibration error and its bins, for the report; None without photos."""
    if not predictions:
        return None
    sure = np.array([row["probability"] for row in predictions])
    wrong = np.array([row["true"] != row["predicted"] for row in predictions])
    # The class that was predicted against all others: right where the label is 0.
    rows = visualize.reliability(np.stack([sure, np.zeros_like(sure)], axis=1), wrong.astype(int))
    bins = [vars(row) for row in rows]
    gaps = [row.count * abs(row.accuracy - row.confidence) for row in rows if row.count]
    return {"error": sum(gaps) / len(predictions), "num_bins": len(bins), "bins": bins}


def _confusion(record):
    if not record.predictions:
        return None
    number = {name: i for i, name in enumerate(record.class_names)}
    pairs = [(number[row["true"]], number[row["predicted"]]) for row in record.predictions]
    true, predicted = np.array(pairs).T
    return confusion(predicted, true, len(number))


def _mistakes(record):
    """The test photos that were misclassified with the highest probability; None without photos."""
    if not record.predictions:
        return None
    pictures = record.details.get("pictures", {})
    rows = [record.predictions[i] for i in confident_mistakes(record.predictions)]
    return [{"thumbnail": None, **row, **pictures.get(row["path"], {})} for row in rows]


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


def finding_row(finding):
    """A `Finding` about the data as the report takes it."""
    return {
        "problem": finding.problem,
        "action": finding.action,
        "count": len(finding.paths),
        "examples": finding.paths[:5],
    }
