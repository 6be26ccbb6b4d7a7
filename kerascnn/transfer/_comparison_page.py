"""What the page of a comparison shows."""

import datetime

import kerascnn
from kerascnn import report
from kerascnn.transfer._page import calibration, photos_name


def page(comparison):
    """The dict that `kc.report.write` takes, of a `Comparison`."""
    records = comparison.records
    photos = dict.fromkeys(photos_name(record.config) for record in records.values())
    tables = [_results(records), _tests(comparison), _settings(comparison)]
    tables += [_classes(records), _times(records)]
    return {
        "title": f"{len(records)} runs compared",
        "created": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "subtitle": f"{', '.join(photos)}: {', '.join(records)}",
        "tables": [table for table in tables if table["rows"]],
        "curves": _curves(records),
        "versions": {"kerascnn": kerascnn.__version__},
    }


def _results(records):
    """A row a run."""
    rows = []
    for name, record in records.items():
        metrics, trust = record.metrics, calibration(record.predictions)
        low, high = metrics["test_interval"] or (None, None)
        rows.append(
            [
                name,
                metrics["num_photos"]["test"],
                report.percent(metrics["test_accuracy"]),
                f"{report.percent(low)} to {report.percent(high)}" if low is not None else None,
                report.percent(metrics["test_balanced_accuracy"]),
                report.percent(metrics["test_macro_f1"]),
                metrics["test_log_loss"],
                report.percent(trust and trust["error"]),
                report.percent(metrics["validation_accuracy"]),
                report.seconds(sum(metrics["seconds"].values())),
            ]
        )
    columns = ["Run", "Test photos", "Test accuracy", "95 % interval", "Balanced accuracy"]
    columns += ["Macro F1", "Log loss", "Calibration error", "Validation accuracy", "Time"]
    note = "The interval is that of one run alone (Wilson); the same photos say more, see below."
    return {"title": "Results", "note": note, "columns": columns, "rows": rows}


def _tests(comparison):
    first, rows = next(iter(comparison.records)), []
    for name, test in comparison.tests().items():
        if test is None:
            rows.append([name, None, None, None, "other test photos"])
        else:
            points = f"{100 * test['difference']:+.1f}"
            rows.append([name, points, test["only_this"], test["only_first"], _p(test["p_value"])])
    columns = ["Run", "Points", "Only it is right", f"Only {first} is right", "p-value"]
    note = (
        f"Each run against {first}, on the same test photos: McNemar's exact test (1947; "
        "Dietterich 1998). A p-value above 0.05: the difference may well be chance."
    )
    return {"title": "Is the difference more than chance?", "note": note, "columns": columns,
            "rows": rows}  # fmt: skip


def _p(value):
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _settings(comparison):
    rows = [
        [key, *(_said(values[name]) for name in comparison.records)]
        for key, values in comparison.settings().items()
    ]
    note = "All other settings, packages and the machine are the same."
    columns = ["Setting", *comparison.records]
    return {"title": "Settings that differ", "note": note, "columns": columns, "rows": rows}


def _said(value):
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _classes(records):
    """F1 of each class in every run; the class of the largest difference first."""
    found = {
        name: {row["name"]: row for row in record.metrics["per_class"] or []}
        for name, record in records.items()
    }
    classes = dict.fromkeys(row for rows in found.values() for row in rows)
    table = []
    for name in classes:
        scores = [rows[name]["f1"] if name in rows else None for rows in found.values()]
        changes = [None if None in (scores[0], s) else s - scores[0] for s in scores[1:]]
        table.append((name, scores, changes))
    table.sort(key=lambda row: -max((abs(change) for change in row[2] if change), default=0))
    rows = [
        [name, report.percent(scores[0])]
        + [_changed(score, change) for score, change in zip(scores[1:], changes)]
        for name, scores, changes in table
    ]
    note = "F1; in brackets, points more or less than the first run. Largest difference first."
    columns = ["Class", *records]
    return {"title": "Class by class", "note": note, "columns": columns, "rows": rows}


def _changed(score, change):
    shown = report.percent(score)
    return shown if change is None else f"{shown} ({100 * change:+.1f})"


def _times(records):
    stages = dict.fromkeys(key for record in records.values() for key in record.metrics["seconds"])
    rows = [
        [stage, *(report.seconds(r.metrics["seconds"].get(stage)) for r in records.values())]
        for stage in stages
    ]
    totals = [report.seconds(sum(r.metrics["seconds"].values())) for r in records.values()]
    columns = ["Stage", *records]
    return {"title": "Where the time went", "columns": columns, "rows": [*rows, ["all", *totals]]}


def _curves(records):
    """Validation loss and accuracy by epoch, all runs in one chart; None if nobody trained."""
    charts = [
        {
            "title": title,
            "unit": unit,
            "lines": {
                name: [row[key] for row in record.history]
                for name, record in records.items()
                if record.history
            },
        }
        for title, key, unit in (
            ("Validation loss", "val_loss", ""),
            ("Validation accuracy", "val_accuracy", "%"),
        )
    ]
    if not charts[0]["lines"]:
        return None
    note = "Epochs are counted through all stages of a run."
    if still := [name for name, record in records.items() if not record.history]:
        note += f" Nothing was trained by gradients in: {', '.join(still)}."
    return {"note": note, "charts": charts}
