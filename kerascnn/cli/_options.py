"""Arguments that several commands share, and how they print JSON."""

import json
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
    """One document on stdout; what JSON has no form for, as text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
