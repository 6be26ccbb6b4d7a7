"""A run as a plain dict -> one HTML page."""

import functools
import re
from pathlib import Path

import jinja2

from kerascnn._errors import InputError, one_of
from kerascnn._runs import atomic_path
from kerascnn.report import _svg
from kerascnn.report._format import number, percent, seconds
from kerascnn.report._sections import SECTIONS, sections

_KEYS = ["title", "created", "subtitle", "summary", "class_names", "versions", *SECTIONS]


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
            "asked": dict of "sentences" (list of str) and "command" (str or None).
            "plan": dict of "strategy" (str), "reasons" (list of str), "stages" (list of dicts of
                "name", "what", "learning_rate", "epochs", "validation_accuracy", "seconds").
            "tables": list of dicts of "title", "note", "columns" (list of str), "rows" (list of
                lists of str or number); each becomes a section.
            "history": list of dicts, one per epoch: "stage", "epoch", "loss", "accuracy",
                "val_loss", "val_accuracy", "learning_rate"; floats or None.
            "class_names": list of str, and "confusion": int matrix, rows true, columns predicted.
                Over 30 classes the most confused pairs are shown in its place.
            "per_class": list of dicts of "name", "precision", "recall", "f1", "support"; None for
                what was not measured.
            "calibration": dict of "error" (expected calibration error), "num_bins", "bins" (list of
                dicts of "low", "high", "count", "confidence" and "accuracy", both means).
            "mistakes": list of dicts of "path", "thumbnail" (base64 of a JPEG, or None), "map" (of
                the same photo with what the prediction rests on; absent or None without one),
                "true", "predicted", "probability".
            "diagnosis": list of dicts of "check", "severity" ("problem", "warning", "fine" or
                "skipped"), "message", "advice", "source" (str), see `kerascnn.doctor.Diagnosis`.
            "curves": dict of "note" and "charts": list of dicts of "title", "unit" ("%" for
                fractions, or "") and "lines": dict name -> list of floats or None, one an epoch.
            "galleries": list of dicts of "title", "note", "groups": lists of pictures, dicts of
                "path", "thumbnail" (as above), "lines" (list of (label, value)); each gallery
                becomes a section.
            "findings": list of dicts of "problem", "action" ("skipped" or "kept"), "count",
                "examples" (list of str), perhaps "advice" (str); an empty list says that no
                problem was found.
            "splits": dict split -> dict class -> count.
            "timings": dict stage -> seconds.
            "use": list of dicts of "title", "note" (str or None) and "code" (str).
            "environment", "settings", "versions": dicts.

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
    page = _template().render(run=run, sections=sections(run)).lstrip()
    # File names may hold bytes that are no text, and control characters, which HTML has no way to
    # say: the first are shown as escapes, the second as a replacement character.
    page = page.encode("utf-8", "backslashreplace").decode("utf-8")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", page)


@functools.cache
def _template():
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "seconds": seconds, "number": number}
    environment.globals["svg"] = _svg
    return environment.get_template("report.html")
