"""Commands that look at photos: check, extract."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from kerascnn._console import described, starting_keras, table
from kerascnn._errors import InputError
from kerascnn.cli._options import (
    Backbone,
    Engine,
    ImageSize,
    Json,
    Photos,
    Precision,
    Resize,
    Seed,
    Weights,
    print_json,
)
from kerascnn.cli._reading import read_photos, reading_for, refuse_inside

__all__ = ["check", "extract"]


def check(
    context: typer.Context,
    photos: Photos,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for check.html, check.json, quarantine.csv."),
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Let a backbone look for wrong labels and shift.")
    ] = False,
    backbone: Backbone = "MobileNetV2",
    weights: Weights = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Height and width in pixels; default: 224, or the backbone's."),
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="skip (list the bad files) or raise (stop at the first).")
    ] = "skip",
    seed: Seed = 0,
    manifest: Annotated[
        Path | None,
        typer.Option(help="A new file: path, SHA-256, label and split of each photo."),
    ] = None,
    json_: Json = False,
):
    """Read every photo once: classes, splits, and what is wrong. Nothing is changed.

    Damaged files, photos that look the same (across splits, in two classes), sizes and colours;
    with --features also labels that are probably wrong, and splits that differ.

    Example: kerascnn check photos/ --features --output check/
    """
    from kerascnn.data import Decoder, inspect_directory

    if output:
        refuse_inside(output, photos)
    if manifest and manifest.exists():
        raise InputError(f"{manifest} exists already. Pass --manifest a new file, to write to.")
    decoder = Decoder(224 if image_size is None else image_size)
    if features:
        decoder, weights = reading_for(backbone, weights, image_size, "stretch")
    options = {"seed": seed, "progress": not context.obj["quiet"]}
    with starting_keras() if features else contextlib.nullcontext():
        inventory = inspect_directory(photos, decoder, on_error=on_error, **options)
        from kerascnn.transfer.checking import check_inventory
    network = None
    if features:
        from kerascnn import transfer

        network = transfer.backbone(
            backbone, weights, image_size=decoder.image_size, channels=decoder.channels
        )
    found = check_inventory(inventory, decoder, network, **options)
    if manifest:
        inventory.save(manifest)
    if output:
        found.save(output)
    if json_:
        print_json(found.as_dict())
    else:
        typer.echo(_check_summary(found, output))


def extract(
    context: typer.Context,
    photos: Photos,
    output: Annotated[Path, typer.Option("--output", "-o", help="An .npz file to make.")] = Path(
        "features.npz"
    ),
    backbone: Backbone = "MobileNetV2",
    weights: Weights = None,
    image_size: ImageSize = None,
    layer: Annotated[
        str | None, typer.Option(help="Name of a layer; default: the pooled output.")
    ] = None,
    resize: Resize = "stretch",
    seed: Seed = 0,
    engine: Engine = "auto",
    precision: Precision = "float32",
    json_: Json = False,
):
    """Write the features of every photo: one .npz with features, labels, paths and class names.

    Features are kept in the cache: a second call, or one with ten photos more, computes the new.

    Example: kerascnn extract photos/ --layer block_12_add --output features.npz
    """
    import numpy as np

    from kerascnn._runs import atomic_path
    from kerascnn.transfer._options import check_engine

    check_engine(engine, precision)
    verbose = not context.obj["quiet"]
    with atomic_path(output) as partial, partial.open("wb") as file:  # refused now, not at the end
        data, weights = read_photos(
            photos, backbone, weights, image_size, resize, seed, None, verbose
        )
        from kerascnn import transfer
        from kerascnn.transfer._npz import write_npz

        network = transfer.backbone(
            backbone, weights, image_size=data.image_shape[:2], channels=data.image_shape[2]
        )
        extract = transfer.FeatureExtractor(network, layer, engine=engine, precision=precision)
        arrays = {"class_names": np.array(data.class_names)}
        for name in ("train", "validation", "test"):
            split = getattr(data, name)
            if split.num_photos:
                arrays[f"{name}_features"] = extract(split, progress=verbose)
                arrays[f"{name}_labels"] = split.labels
                arrays[f"{name}_paths"] = np.array(split.paths)
        write_npz(file, arrays)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    if json_:
        print_json({"output": str(output), "shapes": shapes})
    else:
        typer.echo(
            table(["array", "shape"], [[n, "x".join(map(str, s))] for n, s in shapes.items()])
        )
        typer.echo(f"\n{output}")


def _check_summary(found, output):
    """What `kerascnn check` says in a terminal."""
    inventory = found.inventory
    counts = inventory.counts()
    rows = [
        [n, *(counts[s][n] for s in counts), sum(counts[s][n] for s in counts)]
        for n in inventory.class_names
    ]
    total = ["total", *(sum(counts[s].values()) for s in counts), len(inventory.photos)]
    lines = [table(["class", *counts, "all"], [*rows, total])]
    sizes = [found.statistics[side] for side in ("width", "height")]
    span = ", ".join(
        f"{name} {'x'.join(f'{size[name]:g}' for size in sizes)}" for name in ("median", "max")
    )
    lines.append(f"\nPixels: {span}. Largest class / smallest: {found.imbalance():.1f}.")
    lines += [f"\n{described(finding, 5)}" for finding in inventory.findings]
    if found.suspicious:
        shown = [
            f"  {row['photo'].path} ({row['photo'].label}: looks like {row['suggested']})"
            for row in found.suspicious[:5]
        ]
        lines.append(f"\n{len(found.suspicious)} suspicious labels, the worst first")
        lines += [*shown, *(["  ..."] if len(found.suspicious) > 5 else [])]
    lines += [f"\nUnlike the training photos: {said}" for said in found.differences()]
    if not (inventory.findings or found.suspicious or found.differences()):
        lines.append("\nNo problems found.")
    if output:
        lines.append(f"\nPage: {(output / 'check.html').resolve().as_uri()}")
    return "\n".join(lines)
