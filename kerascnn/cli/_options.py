"""Arguments that several commands share, and how they print JSON."""

import json
import math
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]

Photos = Annotated[
    Path, typer.Argument(help="Folder of class folders, or of train/validation/test folders.")
]

ImageSize = Annotated[
    int | None,
    typer.Option(help="Height and width in pixels; default: what the backbone was trained for."),
]

Resize = Annotated[
    str, typer.Option(help="stretch (whole photo), crop (its centre) or pad (whole, on white).")
]

Backbone = Annotated[str, typer.Option(help="Network to start from; `kerascnn models` lists them.")]

Weights = Annotated[
    str | None,
    typer.Option(
        help="A name that `kerascnn models` lists (imagenet is downloaded once), the path of a "
        "weights file, or none; default: the first that is listed."
    ),
]

Engine = Annotated[
    str, typer.Option(help="auto, keras, tensorflow or openvino: what computes the frozen part.")
]

Precision = Annotated[
    str, typer.Option(help="float32, or bfloat16 for features (faster, slightly different).")
]

Seed = Annotated[int, typer.Option(help="Repeats the split, the order and the views.")]


def print_json(value):
    """One document on stdout; NaN and infinities as null, what else JSON has no form for as text.

    >>> print_json({"score": float("nan"), "epoch": 3})
    {
      "score": null,
      "epoch": 3
    }
    """
    typer.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str))


def _finite(value):
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
