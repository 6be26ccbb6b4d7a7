"""A run as a plain dict -> one HTML page."""

import functools
import itertools
import math
import re
from numbers import Integral, Real
from pathlib import Path

import jinja2

from kerascnn._errors import InputError, one_of
from kerascnn._runs import atomic_path
from kerascnn.report import _svg

MAX_MATRIX_CLASSES = 30  # above it a table of counts is unreadable: the worst pairs replace it


def write(path, run):
    """Write the report of `run` to `path`: one HTML file that needs no other file and no network.

    The file appears whole or not at all.

    Args:
        path: str or path of the file; its folder is made if it is missing.
        run: dict, see `render`.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        InputError: `run` is malformed, or `path` cannot be written.

    >>> import os, tempfile
    >>> import kerascnn as kc
    >>> path = os.path.join(tempfile.mkdtemp(), "report.html")
    >>> kc.report.write(path, {"title": "Clothing"}).name
    'report.html'
    """
    page = render(run)
    with atomic_path(path) as partial:
        partial.write_text(page, "utf-8")
    return Path(path)


def render(run):
    """The report of `run` as one HTML string, without JavaScript or external resources.

    All text is escaped: class and file names may hold anything. Sections stand in the order of
    their keys; one is left out if its key is absent or None. Fractions are in [0, 1] and shown as
    percent; times are in seconds.

    Args:
        run: dict with "title" (str) and any of:
            "created", "subtitle": str.
            "summary": list of (label, value, note); the large tiles.
            "plan": dict of "strategy" (str), "reasons" (list of str), "stages" (list of dicts of
                "name", "what", "learning_rate", "epochs", "validation_accuracy", "seconds").
            "tables": list of dicts of "title", "note", "columns" (list of str), "rows" (list of
                lists of str or number); each becomes a section.
            "history": list of dicts, one per epoch: "stage", "epoch", "loss", "accuracy",
                "val_loss", "val_accuracy", "learning_rate"; floats or None.
            "class_names": list of str, and "confusion": int matrix, rows true, columns predicted.
                Over 30 classes the most confused pairs are shown in its place.
            "per_class": list of dicts of "name", "precision", "recall", "f1", "support".
            "mistakes": list of dicts of "path", "thumbnail" (base64 of a JPEG, or None), "true",
                "predicted", "probability".
            "galleries": list of dicts of "title", "note", "groups": lists of pictures, dicts of
                "path", "thumbnail" (as above), "lines" (list of (label, value)); each gallery
                becomes a section.
            "findings": list of dicts of "problem", "action" ("skipped" or "kept"), "count",
                "examples" (list of str), perhaps "advice" (str); an empty list says that no
                problem was found.
            "splits": dict split -> dict class -> count.
            "timings": dict stage -> seconds.
            "settings", "versions": dicts.

    Returns:
        str, a complete HTML document.

    Raises:
        InputError: "title" is missing, a key is unknown, a table has a row of another length than
            its columns, or the confusion matrix does not fit the class names.

    >>> import kerascnn as kc
    >>> page = kc.report.render({"title": "Cats & dogs", "timings": {"training": 64.2}})
    >>> "Cats &amp; dogs" in page, "1 min 4 s" in page
    (True, True)
    """
    for key in run:
        one_of(key, _KEYS, "report key")
    if not run.get("title"):
        raise InputError('A report needs a title. Pass run={"title": ..., ...}.')
    page = _template().render(run=run, sections=_sections(run), svg=_svg).lstrip()
    # File names may hold bytes that are no text, and control characters, which HTML has no way to
    # say: the first are shown as escapes, the second as a replacement character.
    page = page.encode("utf-8", "backslashreplace").decode("utf-8")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", page)


def percent(fraction):
    """A fraction as text: 0.8817 -> "88.2 %"; what is not known is a dash.

    >>> percent(0.8817), percent(None)
    ('88.2 %', '–')
    """
    return "–" if _unknown(fraction) else f"{100 * fraction:.1f} %"


def seconds(value):
    """A duration as text, in the two largest units.

    >>> [seconds(value) for value in (0.42, 59.7, 64, 7384)]
    ['0.4 s', '1 min 0 s', '1 min 4 s', '2 h 3 min']
    """
    if _unknown(value):
        return "–"
    if value < 9.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes >= 60:
        return f"{minutes // 60:,} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def number(value):
    """A cell as text: four significant digits, grouped thousands; text stays as it is.

    >>> [number(value) for value in (0.123456, 1e-5, 3538984, None, True, "1x1")]
    ['0.1235', '1e-5', '3,538,984', '–', 'yes', '1x1']
    """
    if _unknown(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{value:,}"
    if isinstance(value, Real):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}".replace("e-0", "e-")
    return str(value)


def _unknown(value):
    """Nothing was measured: None, a missing key, NaN or an infinity."""
    if value is None or isinstance(value, jinja2.Undefined):
        return True
    return isinstance(value, Real) and not math.isfinite(value)


@functools.cache
def _template():
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "seconds": seconds, "number": number}
    return environment.get_template("report.html")


def _sections(run):
    """(macro, id, heading, what the macro gets) of every section that `run` has."""
    sections = []
    for key in run:
        if key not in _SECTIONS or run[key] is None:
            continue
        heading, view = _SECTIONS[key]
        if key in _SEVERAL:
            macro = _SEVERAL[key]
            for i, part in enumerate(run[key], start=1):
                sections.append((macro, f"{macro}-{i}", part["title"], view(part)))
        else:
            sections.append((key, key.replace("_", "-"), heading, view(run)))
    return sections


def _table(table):
    """A column of numbers is set to the right: numbers, or text that begins like one."""
    for row in table["rows"]:
        if len(row) != len(table["columns"]):
            raise InputError(
                f"Every row of the table {table['title']!r} must have {len(table['columns'])} "
                f"cells, one for each column. Received: {row!r}."
            )

    def numeric(cell):
        return not isinstance(cell, str) or re.match(r"[-+−±<>~≈]?\s?\d", cell)

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
    charts = [_curves(rows, stages, "loss", min), _curves(rows, stages, "accuracy", max)]
    return {"rows": rows, "spans": spans, "charts": [chart for chart in charts if chart]}


def _curves(rows, stages, metric, best):
    """Training against validation; `best` (min or max) picks the epoch to mark."""
    scale = 100 if metric == "accuracy" else 1
    lines = {
        name: [None if _unknown(row.get(key)) else scale * row[key] for row in rows]
        for name, key in (("training", metric), ("validation", f"val_{metric}"))
    }
    unit = " %" if metric == "accuracy" else ""
    chart = _svg.line_chart(lines, stages, unit=unit, from_zero=metric == "loss")
    if chart is None:
        return None
    measured = chart["lines"].get("validation")
    mark = best(measured, key=lambda point: point[3]) if measured else None
    form = ".1f" if unit else ".3f"
    return {**chart, "metric": metric, "best": mark, "form": lambda v: f"{v:{form}}{unit}"}


def _confusion(run):
    """The matrix with the share of each row, or None if it is too large; and the worst pairs."""
    matrix = [[int(count) for count in row] for row in run["confusion"]]
    names = run.get("class_names") or [str(i) for i in range(len(matrix))]
    if any(len(row) != len(names) for row in [matrix, *matrix]):
        raise InputError(
            f"`confusion` must be a square matrix with a row and a column for each of the "
            f"{len(names)} class names. Received: {len(matrix)} rows of lengths "
            f"{sorted({len(row) for row in matrix})}."
        )
    totals = [sum(row) or 1 for row in matrix]
    pairs = [
        {"true": names[i], "predicted": names[j], "count": count, "share": count / totals[i]}
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if count and i != j
    ]
    pairs.sort(key=lambda pair: (-pair["count"], -pair["share"]))
    small = len(names) <= MAX_MATRIX_CLASSES
    # The square root of the share keeps a rare confusion visible.
    rows = [
        (name, [(count, (count / total) ** 0.5) for count in row])
        for name, row, total in zip(names, matrix, totals)
    ]
    return {"names": names, "rows": rows if small else None, "pairs": pairs[: 5 if small else 30]}


def _per_class(run):
    def weakness(row):
        return -1 if _unknown(row["f1"]) else row["f1"]

    return sorted(run["per_class"], key=weakness)


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


# A section is one row here and one macro of the same name in report.html.
_SECTIONS = {
    "plan": ("How it was trained", _as_given("plan")),
    "tables": (None, _table),
    "history": ("Training curves", _history),
    "confusion": ("What is confused with what", _confusion),
    "per_class": ("Class by class", _per_class),
    "mistakes": ("Most confident mistakes", _as_given("mistakes")),
    "findings": ("Problems in the data", _as_given("findings")),
    "galleries": (None, dict),
    "splits": ("Photos per class", _splits),
    "timings": ("Where the time went", _timings),
    "settings": ("Settings", _as_given("settings")),
}
_SEVERAL = {"tables": "table", "galleries": "gallery"}  # each part becomes a section
_KEYS = ["title", "created", "subtitle", "summary", "class_names", "versions", *_SECTIONS]
