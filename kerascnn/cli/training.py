"""Commands that train: finetune, demo."""

import time
from pathlib import Path
from typing import Annotated

import typer

from kerascnn._console import native_messages_aside, starting_keras, table
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
from kerascnn.cli._reading import read_photos, read_recipe, refuse_inside

__all__ = ["demo", "finetune"]

_TRAINING = ("strategy", "epochs", "learning_rate", "seed", "views", "class_weight")


def finetune(
    context: typer.Context,
    photos: Photos,
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to make.")] = Path(
        "run"
    ),
    backbone: Backbone = "MobileNetV2",
    weights: Weights = None,
    image_size: ImageSize = None,
    strategy: Annotated[
        str,
        typer.Option(help="auto, probe (linear), head, partial (last stage) or full (everything)."),
    ] = "auto",
    epochs: Annotated[int, typer.Option(help="At most, of each training stage.")] = 12,
    learning_rate: Annotated[float, typer.Option(help="Peak rate of the partial stage.")] = 3e-4,
    resize: Resize = "stretch",
    seed: Seed = 0,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="JSON file of these options and more, such as best.json of `kerascnn tune`; what "
            "is typed counts more."
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Use the photos and splits of an earlier run.")
    ] = None,
    engine: Engine = "auto",
    precision: Precision = "float32",
    reproducible: Annotated[
        bool,
        typer.Option(
            "--reproducible",
            help="Repeat to the bit on this machine: slower; --engine auto is not by speed.",
        ),
    ] = False,
    distribute: Annotated[
        str, typer.Option(help="none, or mirrored: training on all devices of this machine.")
    ] = "none",
    compute: Annotated[
        str,
        typer.Option(help="default, or auto: the fastest precision and compilation, measured."),
    ] = "default",
    json_: Json = False,
):
    """Train a classifier on a folder of photos and write a run folder.

    It holds model.keras (preprocessing and labels inside), report.html, model_card.md,
    metrics.json, config.json, manifest.csv, history.csv. The plan is chosen by how many photos
    there are and how similar they are to what the backbone knows; test photos are used once, at
    the end.

    Example: kerascnn finetune photos/ --backbone MobileNetV2 --output run/
    """
    from kerascnn import _random
    from kerascnn._runs import CHECKPOINTS, run_folder
    from kerascnn.transfer._options import (
        check_compute,
        check_distribute,
        check_engine,
        check_training,
    )
    from kerascnn.transfer.recipe import checked_recipe

    options = {
        "backbone": backbone, "weights": weights, "strategy": strategy, "epochs": epochs,
        "learning_rate": learning_rate, "engine": engine, "precision": precision, "seed": seed,
        "views": "auto", "class_weight": "auto",
    }  # fmt: skip
    if recipe:
        options |= read_recipe(recipe, context)
    check_training(**{name: options[name] for name in _TRAINING})
    check_engine(options["engine"], options["precision"])
    checked_recipe(options.get("recipe"), options["strategy"])
    check_distribute(distribute)
    check_compute(compute, distribute, reproducible)
    refuse_inside(output, photos)
    verbose = not context.obj["quiet"]
    start = time.perf_counter()
    with run_folder(output) as folder:  # refused now rather than after the training
        if reproducible:
            with native_messages_aside():
                _random.reproducible(options["seed"])
        start_from = options["backbone"], options["weights"]
        data, options["weights"] = read_photos(
            photos, *start_from, image_size, resize, options["seed"], manifest, verbose
        )
        from kerascnn import transfer

        reading = time.perf_counter() - start
        result = transfer.finetune(
            data, **options, distribute=distribute, compute=compute,
            checkpoints=folder / CHECKPOINTS, verbose=verbose,
        )  # fmt: skip
        result.timings = {"read photos, start TensorFlow": reading, **result.timings}
        result.write(folder)
    if json_:
        print_json({**result.metrics, "output": str(output)})
    else:
        typer.echo(_summary(result, output))


def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("demo"),
    json_: Json = False,
):
    """Transfer a small network from MNIST to other digits: no download, under a minute.

    LeNet-5, trained on MNIST and part of this package, learns scikit-learn's digits from ten
    labelled images a class: from scratch, as frozen features, and fine-tuned, five times each.
    """
    with starting_keras():
        from kerascnn.transfer.demo import run_demo

    result = run_demo(output, verbose=not context.obj["quiet"])
    if json_:
        print_json(result)
        return
    typer.echo(table(result["columns"], result["rows"]))
    typer.echo(f"\nReport: {(output / 'report.html').resolve().as_uri()}")


def _summary(result, output):
    metrics = result.metrics
    lines = [f"\n{stage['name']}: {stage['what']}" for stage in result.stages]
    if metrics["test_accuracy"] is not None:
        low, high = metrics["test_interval"]
        lines.append(
            f"\nTest accuracy {metrics['test_accuracy']:.1%} "
            f"(95 % interval {low:.1%} to {high:.1%}, {metrics['num_photos']['test']} photos)"
        )
    if metrics["validation_accuracy"] is not None:
        lines.append(f"Validation accuracy {metrics['validation_accuracy']:.1%}")
    lines += [f"Model  {output / 'model.keras'}", f"Report {output / 'report.html'}"]
    return "\n".join(lines).lstrip()
