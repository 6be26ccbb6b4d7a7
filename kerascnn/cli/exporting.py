"""The command that writes a run for programs without Keras: export."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from kerascnn._console import native_messages_aside, printable, starting_keras
from kerascnn.cli._options import Json, print_json

__all__ = ["export"]


def export(
    run: Annotated[Path, typer.Argument(help="Run folder, or its model.keras.")],
    to: Annotated[str, typer.Option(help="saved_model, onnx, litert or openvino.")] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder to make; default: export/FORMAT in the run folder."
        ),
    ] = None,
    quantize: Annotated[
        str | None, typer.Option(help="int8: smaller and faster, and less accurate.")
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="Folder of photos to compare on; default: the run's own."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="How far probabilities may differ from Keras's.")
    ] = 1e-4,
    max_accuracy_drop: Annotated[
        float, typer.Option(min=0, help="How much accuracy int8 may cost; 0.02 is two points.")
    ] = 0.02,
    json_: Json = False,
):
    """Write a run for other programs, compared with Keras on its photos before it is kept.

    Example: kerascnn export run/ --to onnx
    """
    with starting_keras():
        from kerascnn.export import export as write

    home = run if run.is_dir() else run.parent
    with native_messages_aside():
        done = write(
            run,
            output or home / "export" / "-".join(filter(None, (to, quantize))),
            to,
            photos=photos,
            quantize=quantize,
            tolerance=tolerance,
            max_accuracy_drop=max_accuracy_drop,
        )
    if json_:
        print_json(dataclasses.asdict(done))
    else:
        typer.echo(printed(done))


def printed(done):
    """The lines that say what was written and how it compares."""
    lines = [
        f"{printable(str(done.file))}: {done.num_bytes / 1e6:.1f} MB in its folder",
        f"compared on {printable(done.compared_on)}: probabilities differ by up to "
        f"{done.max_difference:.2g}, same class for {done.agreement:.1%}",
    ]
    if done.accuracy is not None:
        lines.append(f"accuracy {done.accuracy:.1%} (Keras: {done.accuracy_before:.1%})")
    return "\n".join(lines)
