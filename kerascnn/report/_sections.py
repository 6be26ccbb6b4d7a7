"""What each section of a page is drawn from: parts of a run -> plain values, ready to print."""

import itertools
import math
import re

from kerascnn._errors import InputError
from kerascnn.report import _svg
from kerascnn.report._format import unknown

MAX_MATRIX_CLASSES = 30  # above it a table of counts is unreadable: the worst pairs replace it
NUM_STYLES = 8  # of lines, in style.html


def sections(run):
    """(macro, id, heading, what the macro gets) of every section that `run` has."""
    found = []
    for key in run:
        if key not in SECTIONS or run[key] is None:
            continue
        heading, view = SECTIONS[key]
        if key in _SEVERAL:
            macro = _SEVERAL[key]
            for i, part in enumerate(run[key], start=1):
                found.append((macro, f"{macro}-{i}", part["title"], view(part)))
        else:
            found.append((key, key.replace("_", "-"), heading, view(run)))
    return found


def _table(table):
    """A column of numbers is set to the right: numbers, text that begins like one, dashes."""
    for row in table["rows"]:
        if len(row) != len(table["columns"]):
            raise InputError(
                f"Every row of the table {table['title']!r} must have {len(table['columns'])} "
                f"cells, one for each column. Received: {row!r}."
            )

    def numeric(cell):
        return not isinstance(cell, str) or re.match(r"–$|[-+−±<>~≈]?\s?\d", cell)

    columns = [
        (name, all(numeric(row[i]) for row in table["rows"]))
        for i, name in enumerate(table["columns"])
    ]
    return {**table, "columns": columns}


def _history(run):
    rows = run["history"]
    stages = [
        (str(name or "training"), len(list(group)))
        for name, group in itertools.groupby(rows, key=lambda row: row.get("stage"))
    ]
    ends = itertools.accumulate(epochs for _, epochs in stages)
    spans = [(name, end - epochs + 1, end) for (name, epochs), end in zip(stages, ends)]
    charts = [_losses(rows, stages), _accuracies(rows, stages), _rates(rows, stages)]
    return {"rows": rows, "spans": spans, "charts": [chart for chart in charts if chart]}


def _losses(rows, stages):
    lines = {"training": _column(rows, "loss"), "validation": _column(rows, "val_loss")}
    return _chart("Loss", lines, stages, "{:.3f}", best=min, from_zero=True)


def _accuracies(rows, stages):
    keys = {"training": "accuracy", "validation": "val_accuracy"}
    lines = {name: _column(rows, key, 100) for name, key in keys.items()}
    return _chart("Accuracy", lines, stages, "{:.1f} %", best=max, unit=" %")


def _rates(rows, stages):
    lines = {"rate": _column(rows, "learning_rate")}
    return _chart("Learning rate", lines, stages, "{:.2g}", from_zero=True)


def _column(rows, key, scale=1):
    return [None if unknown(row.get(key)) else scale * row[key] for row in rows]


def _chart(title, lines, stages, form, best=None, **axes):
    """Curves over the epochs; `best` (min or max) picks the epoch of validation to mark."""
    chart = _svg.line_chart(lines, stages, **axes)
    if chart is None:
        return None
    measured = best and chart["lines"].get("validation")
    mark = best(measured, key=lambda point: point[3]) if measured else None
    styles = {name: name for name in lines}
    return {**chart, "title": title, "styles": styles, "best": mark, "form": form.format}


def _curves(run):
    """One line a run; its colour and dashes are the same in every chart."""
    names = dict.fromkeys(name for chart in run["curves"]["charts"] for name in chart["lines"])
    styles = {name: f"r{i % NUM_STYLES}" for i, name in enumerate(names)}
    charts = []
    for given in run["curves"]["charts"]:
        percent = given.get("unit") == "%"
        lines = {
            name: [None if unknown(value) else value * (100 if percent else 1) for value in values]
            for name, values in given["lines"].items()
        }
        stages = [("", max(map(len, lines.values()), default=0))]
        form, unit = ("{:.1f} %", " %") if percent else ("{:.3f}", "")
        chart = _chart(given["title"], lines, stages, form, unit=unit, from_zero=not percent)
        charts += [{**chart, "styles": styles}] if chart else []
    return {"note": run["curves"].get("note"), "charts": charts}


def _calibration(run):
    given = run["calibration"]
    filled = [part for part in given["bins"] if part["count"]]
    count = sum(part["count"] for part in filled)
    means = {
        key: sum(part["count"] * part[key] for part in filled) / max(count, 1)
        for key in ("confidence", "accuracy")
    }
    return {**given, **means, "count": count, "filled": filled, "bars": _svg.reliability(filled)}


_BAD = ("problem", "warning")
_SEVERITIES = (*_BAD, "fine", "skipped")  # worst first


def _diagnosis(run):
    found = sorted(run["diagnosis"], key=lambda row: _SEVERITIES.index(row["severity"]))
    count = {name: sum(row["severity"] == name for row in found) for name in _SEVERITIES}
    said = [f"{n} {name}{'s' * (n > 1)}" for name, n in count.items() if n and name in _BAD]
    rest = [f"{n} {name}" for name, n in count.items() if n and name not in _BAD]
    verdict = f"{', '.join(said) or 'No problem found'}. Other checks: {', '.join(rest) or 'none'}."
    grave = [row for row in found if row["severity"] in _BAD]
    return {"verdict": verdict, "open": grave, "rest": found[len(grave) :]}


def _confusion(run):
    """The matrix with the share of each row, or None if it is too large; and the worst pairs."""
    import numpy as np  # only here: the rest of a page needs none

    matrix = run["confusion"]
    names = run.get("class_names") or [str(i) for i in range(len(matrix))]
    if any(len(row) != len(names) for row in [matrix, *matrix]):
        raise InputError(
            f"`confusion` must be a square matrix with a row and a column for each of the "
            f"{len(names)} class names. Received: {len(matrix)} rows of lengths "
            f"{sorted({len(row) for row in matrix})}."
        )
    counts = np.asarray(matrix).astype("int64").reshape(len(names), len(names))
    totals = np.maximum(counts.sum(axis=1), 1)
    true, predicted = np.nonzero(counts)
    wrong = true != predicted
    true, predicted = true[wrong], predicted[wrong]
    count = counts[true, predicted]
    share = count / totals[true]
    small = len(names) <= MAX_MATRIX_CLASSES
    worst = np.lexsort((-share, -count))[: 5 if small else 30]
    pairs = [
        {
            "true": names[true[i]],
            "predicted": names[predicted[i]],
            "count": int(count[i]),
            "share": float(share[i]),
        }
        for i in worst
    ]
    rows = None
    if small:  # the square root of the share keeps a rare confusion visible
        roots = np.sqrt(counts / totals[:, None])
        cells = zip(names, counts.tolist(), roots.tolist())
        rows = [(name, list(zip(row, root))) for name, row, root in cells]
    return {"names": names, "rows": rows, "pairs": pairs}


def _per_class(run):
    """Weakest first; of those that were not tested nobody knows, so they come last."""
    rows = run["per_class"]
    return sorted(rows, key=lambda row: math.inf if unknown(row["f1"]) else row["f1"])


def _splits(run):
    splits = run["splits"]
    counts = {
        name: [split.get(name, 0) for split in splits.values()]
        for name in dict.fromkeys(itertools.chain(*splits.values()))
    }
    most = max(map(sum, counts.values()), default=0) or 1
    rows = [(name, row, [100 * count / most for count in row]) for name, row in counts.items()]
    return {
        "names": list(splits),
        "rows": rows,
        "totals": [sum(s.values()) for s in splits.values()],
    }


def _timings(run):
    timings = run["timings"]
    most = max(timings.values(), default=0) or 1
    rows = [(name, value, 100 * value / most) for name, value in timings.items()]
    return {"rows": rows, "total": sum(timings.values())}


def _as_given(key):
    return lambda run: run[key]


# A section is one row here and one macro of the same name in sections.html.
SECTIONS = {
    "asked": ("What was asked", _as_given("asked")),
    "plan": ("How it was trained", _as_given("plan")),
    "tables": (None, _table),
    "history": ("Training curves", _history),
    "curves": ("Curves, run by run", _curves),
    "confusion": ("What is confused with what", _confusion),
    "per_class": ("Class by class", _per_class),
    "calibration": ("How far its probabilities can be trusted", _calibration),
    "mistakes": ("Most confident mistakes", _as_given("mistakes")),
    "diagnosis": ("What the doctor says", _diagnosis),
    "findings": ("Problems in the data", _as_given("findings")),
    "galleries": (None, dict),
    "splits": ("Photos per class", _splits),
    "timings": ("Where the time went", _timings),
    "use": ("How to use it, how to go on", _as_given("use")),
    "environment": ("Environment", _as_given("environment")),
    "settings": ("Settings", _as_given("settings")),
}
_SEVERAL = {"tables": "table", "galleries": "gallery"}  # each part becomes a section
