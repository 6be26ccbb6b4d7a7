"""The model card: Markdown with the metadata of the Hugging Face Hub, from what was measured.

Source of the fields: huggingface.co/docs/hub/model-cards; of the headings: Mitchell et al. 2019,
arXiv:1810.03993. What a run cannot know is left to its author, marked "TO FILL IN".
"""

import functools
import json
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from kerascnn import report
from kerascnn._console import printable
from kerascnn._runs import atomic_path
from kerascnn.transfer._instructions import start
from kerascnn.transfer._page import calibration, photos_name

_FEW = 20  # test photos of a class


def write(path, record):
    """Write the card of a `Record`, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(card(record), "utf-8")


def card(record):
    """The card as one str."""
    metrics, rows = record.metrics, record.metrics["per_class"] or []
    tested = sorted((row for row in rows if row["support"]), key=lambda row: row["f1"])
    untested = [row for row in rows if not row["support"]]
    values = {
        "metrics": metrics,
        "config": record.config,
        "start": start(record.config),
        "name": photos_name(record.config),
        "class_names": record.class_names,
        "per_class": tested + untested,
        "few_photos": _FEW,
        "few": [row["name"] for row in tested if row["support"] < _FEW],
        "untested": [row["name"] for row in untested],
        "splits": record.splits,
        "calibration": calibration(record.predictions),
        "results": [  # type in the Hub's list of metrics, name, value
            ("accuracy", "Accuracy", metrics["test_accuracy"]),
            ("f1", "Macro F1", metrics["test_macro_f1"]),
        ],
        "interval": metrics["test_interval"],
    }
    return _template().render(values)


@functools.cache
def _template():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_escaped,
    )
    environment.filters |= {"percent": report.percent, "yaml": _yaml}
    return environment.get_template("model_card.md")


def _escaped(value):
    """Text in which nothing is Markdown or HTML; what a filter made safe stays as it is."""
    if isinstance(value, Markup):
        return str(value)
    text = printable(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", text)


def _yaml(value):
    """A str or number as JSON, which is YAML too."""
    value = printable(value) if isinstance(value, str) else value
    return Markup(json.dumps(value, ensure_ascii=False))
