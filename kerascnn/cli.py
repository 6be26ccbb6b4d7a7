"""The command `kerascnn`. A command imports what it needs when it runs, so `--help` is quick."""

import contextlib
import errno
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from kerascnn._console import (
    Lines,
    described,
    native_messages_aside,
    printable,
    starting_keras,
    table,
)
from kerascnn._errors import InputError

__all__ = ["app", "main"]

app = typer.Typer(
    name="kerascnn",
    help="Photos in a folder -> a trained, explained, saved Keras model.\n\n"
    "Start with `kerascnn check PHOTOS`, then `kerascnn finetune PHOTOS --output run/`, "
    "open run/report.html, and use `kerascnn predict run/ photo.jpg`.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
_Photos = Annotated[
    Path, typer.Argument(help="Folder of class folders, or of train/validation/test folders.")
]
_ImageSize = Annotated[
    int | None,
    typer.Option(help="Height and width in pixels; default: what the backbone was trained for."),
]
_Resize = Annotated[
    str, typer.Option(help="stretch (whole photo), crop (its centre) or pad (whole, on white).")
]
_Backbone = Annotated[
    str, typer.Option(help="Network to start from; `kerascnn models` lists them.")
]
_Weights = Annotated[
    str | None,
    typer.Option(
        help="A name that `kerascnn models` lists (imagenet is downloaded once), the path of a "
        "weights file, or none; default: the first that is listed."
    ),
]
_Engine = Annotated[
    str, typer.Option(help="auto, keras, tensorflow or openvino: what computes the frozen part.")
]
_Precision = Annotated[
    str, typer.Option(help="float32, or bfloat16 for features (faster, slightly different).")
]
_Seed = Annotated[int, typer.Option(help="Repeats the split, the order and the views.")]


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
):
    if version:
        from kerascnn import __version__

        typer.echo(f"kerascnn {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    context.obj = {"quiet": quiet}
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[Lines()])
    logging.getLogger("kerascnn").setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its advice is not for users of ours
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@app.command()
def check(
    context: typer.Context,
    photos: _Photos,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for check.html, check.json, quarantine.csv."),
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Let a backbone look for wrong labels and shift.")
    ] = False,
    backbone: _Backbone = "MobileNetV2",
    weights: _Weights = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Height and width in pixels; default: 224, or the backbone's."),
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="skip (list the bad files) or raise (stop at the first).")
    ] = "skip",
    seed: _Seed = 0,
    manifest: Annotated[
        Path | None, typer.Option(help="Also write path, SHA-256, label, split.")
    ] = None,
    json_: _Json = False,
):
    """Read every photo once: classes, splits, and what is wrong. Nothing is changed.

    Damaged files, photos that look the same (across splits, in two classes), sizes and colours;
    with --features also labels that are probably wrong, and splits that differ.

    Example: kerascnn check photos/ --features --output check/
    """
    from kerascnn.data import Decoder, inspect_directory

    if output:
        _refuse_inside(output, photos)
    decoder = Decoder(224 if image_size is None else image_size)
    if features:
        decoder, weights = _reading(backbone, weights, image_size, "stretch")
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
        _print_json(found.as_dict())
    else:
        typer.echo(_check_summary(found, output))


@app.command()
def finetune(
    context: typer.Context,
    photos: _Photos,
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to make.")] = Path(
        "run"
    ),
    backbone: _Backbone = "MobileNetV2",
    weights: _Weights = None,
    image_size: _ImageSize = None,
    strategy: Annotated[
        str, typer.Option(help="auto, probe (linear), partial (last stage) or full (everything).")
    ] = "auto",
    epochs: Annotated[int, typer.Option(help="At most, of each training stage.")] = 12,
    learning_rate: Annotated[float, typer.Option(help="Peak rate of the partial stage.")] = 3e-4,
    resize: _Resize = "stretch",
    seed: _Seed = 0,
    manifest: Annotated[
        Path | None, typer.Option(help="Use the photos and splits of an earlier run.")
    ] = None,
    engine: _Engine = "auto",
    precision: _Precision = "float32",
    reproducible: Annotated[
        bool,
        typer.Option(
            "--reproducible",
            help="Repeat to the bit on this machine: slower; --engine auto is not by speed.",
        ),
    ] = False,
    json_: _Json = False,
):
    """Train a classifier on a folder of photos and write a run folder.

    It holds model.keras (preprocessing and labels inside), report.html, metrics.json, config.json,
    manifest.csv, history.csv. The plan is chosen by how many photos there are and how similar they
    are to what the backbone knows; test photos are used once, at the end.

    Example: kerascnn finetune photos/ --backbone MobileNetV2 --output run/
    """
    from kerascnn import _random
    from kerascnn._runs import CHECKPOINTS, run_folder
    from kerascnn.transfer._options import check_engine, check_training

    check_training(strategy, epochs, learning_rate, seed)
    check_engine(engine, precision)
    _refuse_inside(output, photos)
    verbose = not context.obj["quiet"]
    start = time.perf_counter()
    with run_folder(output) as folder:  # refused now rather than after the training
        if reproducible:
            with native_messages_aside():
                _random.reproducible(seed)
        data, weights = _read(
            photos, backbone, weights, image_size, resize, seed, manifest, verbose
        )
        from kerascnn import transfer

        reading = time.perf_counter() - start
        result = transfer.finetune(
            data, backbone, strategy, weights=weights, epochs=epochs,
            learning_rate=learning_rate, engine=engine, precision=precision, seed=seed,
            checkpoints=folder / CHECKPOINTS, verbose=verbose,
        )  # fmt: skip
        result.timings = {"read photos, start TensorFlow": reading, **result.timings}
        result.write(folder)
    if json_:
        _print_json({**result.metrics, "output": str(output)})
    else:
        typer.echo(_summary(result, output))


@app.command()
def extract(
    context: typer.Context,
    photos: _Photos,
    output: Annotated[Path, typer.Option("--output", "-o", help="An .npz file to make.")] = Path(
        "features.npz"
    ),
    backbone: _Backbone = "MobileNetV2",
    weights: _Weights = None,
    image_size: _ImageSize = None,
    layer: Annotated[
        str | None, typer.Option(help="Name of a layer; default: the pooled output.")
    ] = None,
    resize: _Resize = "stretch",
    seed: _Seed = 0,
    engine: _Engine = "auto",
    precision: _Precision = "float32",
    json_: _Json = False,
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
        data, weights = _read(photos, backbone, weights, image_size, resize, seed, None, verbose)
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
        _print_json({"output": str(output), "shapes": shapes})
    else:
        typer.echo(
            table(["array", "shape"], [[n, "x".join(map(str, s))] for n, s in shapes.items()])
        )
        typer.echo(f"\n{output}")


@app.command()
def evaluate(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Run folder, or its model.keras.")],
    photos: _Photos,
    json_: _Json = False,
):
    """Accuracy of a run on other labelled photos.

    Example: kerascnn evaluate run/ photos/test
    """
    with starting_keras():
        from kerascnn.transfer import load_run

    scores = load_run(run).evaluate(photos, progress=not context.obj["quiet"])
    if json_:
        _print_json(scores | {"findings": [vars(finding) for finding in scores["findings"]]})
        return
    _say_skipped(scores["findings"])
    rows = [
        [row["name"], *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")), row["support"]]
        for row in scores["per_class"]
        if row["support"]
    ]
    low, high = scores["interval"]
    typer.echo(table(["class", "precision", "recall", "f1", "photos"], rows))
    typer.echo(
        f"\naccuracy {scores['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}), "
        f"balanced {scores['balanced_accuracy']:.1%}, {scores['num_photos']} photos"
    )


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Run folder, or its model.keras.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    top: Annotated[int, typer.Option(min=1, help="Classes to show for each photo.")] = 1,
    json_: _Json = False,
):
    """Classify photos with a run.

    Example: kerascnn predict run/ new_photo.jpg
    """
    import numpy as np

    files = _photo_files(photos)
    with starting_keras():
        from kerascnn.transfer import load_run

    model = load_run(run)
    rows = []
    for file, guess in zip(files, model.predict(files)):
        best = np.argsort(-guess)[:top]
        rows += [[str(file), model.class_names[i], float(guess[i])] for i in best]
    if json_:
        _print_json([dict(zip(("path", "class", "probability"), row)) for row in rows])
    else:
        typer.echo(
            table(["photo", "class", "probability"], [[*r[:2], f"{r[2]:.1%}"] for r in rows])
        )


@app.command()
def doctor(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    json_: _Json = False,
):
    """Say what a finished run's numbers tell of its training, and what to do next.

    Nothing is trained and no model is opened: curves, splits and figures, and what was found while
    it trained.

    Example: kerascnn doctor run/
    """
    with starting_keras():
        from kerascnn.doctor import examine_run

    diagnosis = examine_run(run)
    if json_:
        _print_json(diagnosis.as_dicts())
    else:
        typer.echo(diagnosis)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; two or more are compared.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="HTML file; default: report.html of the run, or compare.html."
        ),
    ] = None,
    json_: _Json = False,
):
    """Write the report of a run again, or compare several runs.

    Nothing is trained and no model is opened: the files of the run folders say it all.

    Example: kerascnn report run1/ run2/ --output compare.html
    """
    with starting_keras():
        from kerascnn.transfer import compare_runs, write_report

    if len(runs) == 1:
        path = write_report(runs[0], output)
        said, found = "Report", {}
    else:
        comparison = compare_runs(runs)
        path = comparison.save(output or "compare.html")
        said, found = "Comparison", comparison.as_dict()
    if json_:
        _print_json({**found, "output": str(path)})
    else:
        typer.echo(f"{said} {path}")


@app.command()
def models(json_: _Json = False):
    """List the builders and the backbones: size, cost, depth, published error, weights.

    Example: kerascnn models --json
    """
    from kerascnn.overview import overview
    from kerascnn.transfer.backbones import list_backbones

    backbones = {(row.source, row.name): row for row in list_backbones()}
    networks = {(row.source, row.name): row for row in overview()}
    if json_:
        _print_json([_network(row, backbones.get(key)) for key, row in networks.items()])
        return
    own = [row for row in networks.values() if row.source == "kerascnn"]
    typer.echo(f"Builders: kerascnn.models.NAME(weights=...)\n\n{_networks(own)}")
    start = [networks[key] for key in backbones if key in networks]
    typer.echo(f"\nBackbones: --backbone NAME --weights ...\n\n{_networks(start)}")
    typer.echo(
        "\nsize in pixels; params: those that train; mult-adds and memory of the activations "
        "(float32)\nfor one image; depth: layers with kernels; top-1, top-5: published error in %, "
        "--json says where.\n* weights of another form of the network: --json says which."
    )


@app.command()
def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("demo"),
    json_: _Json = False,
):
    """Transfer a small network from MNIST to other digits: no download, under a minute.

    LeNet-5, trained on MNIST and part of this package, learns scikit-learn's digits from ten
    labelled images a class: from scratch, as frozen features, and fine-tuned, five times each.
    """
    with starting_keras():
        from kerascnn.transfer.demo import run_demo

    result = run_demo(output, verbose=not context.obj["quiet"])
    if json_:
        _print_json(result)
        return
    typer.echo(table(result["columns"], result["rows"]))
    typer.echo(f"\nReport: {(output / 'report.html').resolve().as_uri()}")


# --- pieces ----------------------------------------------------------------------------------


def _network(row, backbone):
    """What `kerascnn models --json` says of a network."""
    more = {"activation_bytes": row.activation_bytes, "weights": row.weights}
    return {**vars(row), **more, "backbone": backbone and vars(backbone)}


def _networks(rows):
    """A table, at most 100 columns wide."""
    columns = ["network", "size", "params", "mult-adds", "memory", "depth", "data"]
    cells = [
        [
            row.name,
            row.input_shape[0],
            *map(_short, (row.parameters, row.multiply_adds)),
            f"{_short(row.activation_bytes)}B",
            row.depth,
            row.data or "",
            *("" if e is None else str(e) for e in (row.top1_error, row.top5_error)),
            _weight_names(row),
        ]
        for row in rows
    ]
    return table([*columns, "top-1", "top-5", "weights"], cells)


def _weight_names(row):
    """Each name once, with a star if only another form of the network has weights of it."""
    first = {}
    for name in row.weights:
        first.setdefault(name.partition(" ")[0], "*" * ("(" in name))
    return ", ".join(name + star for name, star in first.items())


def _short(number):
    """Three digits and K, M or G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= size:
            return f"{number / size:#.3g}".rstrip(".") + unit
    return str(number)


def _refuse_inside(output, photos):
    if output.resolve().is_relative_to(photos.resolve()):
        raise InputError(
            f"The output folder {output} is inside {photos}, where it would be taken for a class "
            "of photos. Choose another one with --output."
        )


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


def _read(photos, backbone, weights, image_size, resize, seed, manifest, verbose):
    """(data, weights): `from_directory`, done while TensorFlow starts, for a backbone's photos."""
    from kerascnn.data import inspect_directory

    decoder, weights = _reading(backbone, weights, image_size, resize)
    with starting_keras():
        inventory = inspect_directory(
            photos, decoder, seed=seed, manifest=manifest, progress=verbose
        )
        if verbose:
            _say_skipped(inventory.findings)
    from kerascnn.data.pipeline import ImageData, StoredPixels

    read = StoredPixels(decoder, root=photos)
    options = {"batch_size": 32, "one_hot": False, "seed": seed}
    return ImageData.assemble(read, inventory, decoder, **options), weights


def _reading(backbone, weights, image_size, resize):
    """(`Decoder`, weights) for a backbone; what was not given is the backbone's own."""
    from kerascnn._errors import one_of
    from kerascnn.data import Decoder
    from kerascnn.transfer.backbones import list_backbones

    rows = {row.name: row for row in list_backbones()}
    row = rows[one_of(backbone, rows, "backbone")]
    size = row.image_size if image_size is None else image_size
    weights = weights or row.weights[0]
    if weights.lower() == "none":
        weights = None
    elif weights not in row.weights and not Path(weights).is_file():
        raise InputError(
            f"There is no weights file {weights}. Pass the path of one, none, or a name that "
            f"{backbone} has: {', '.join(row.weights)}."
        )
    return Decoder(size, row.channels, resize), weights


def _say_skipped(findings):
    for finding in findings:
        if finding.action == "skipped":
            print(described(finding, 3), file=sys.stderr)


def _photo_files(paths):
    """The photos named, and those in folders that are named, sorted.

    Each is decoded, small, before TensorFlow starts: what is wrong is said at once. A file that was
    named must be a photo; one in a folder is left out.
    """
    from kerascnn.data.decode import SUFFIXES, Decoder

    decoder, files = Decoder(32), []
    for path in paths:
        if not path.is_dir():
            decoder.read(path)
            files.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        usable = [file for file in inside if _is_photo(file, decoder)]
        if not usable:
            raise InputError(f"{path} holds no photos.")
        files += usable
    return files


def _is_photo(file, decoder):
    try:
        decoder.read(file)
    except InputError as error:
        print(f"skipped: {printable(str(error))}", file=sys.stderr)
        return False
    return True


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


def _print_json(value):
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


_NO_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES)  # asking whether it exists says so


def main():
    """Run the command; wrong input ends with one sentence on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # file names need not be text
    try:
        code = app(standalone_mode=False) or 0
        if code == 130:  # so Typer says that Control-C was pressed
            raise KeyboardInterrupt
    except InputError as error:
        _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        _fail(
            "Stopped. What was computed is in the cache; the same command goes on from there.", 130
        )
    except Exception as error:
        shown = getattr(error, "format_message", None)
        if shown:  # a wrong option or a missing argument
            _fail(f"{shown()} Try `kerascnn --help`.", 2)
        if isinstance(error, OSError) and error.errno in _NO_PATH:
            _fail(f"Cannot use {error.filename}: {error.strerror}.", 2)
        first = (str(error).splitlines() or [""])[0]
        _fail(
            f"This is a defect of kerascnn: {type(error).__name__}: {first} "
            "(`kerascnn --debug ...` shows the traceback).",
            1,
        )
    sys.exit(code)


def _fail(message, code):
    if "--debug" in sys.argv and sys.exc_info()[0]:
        import traceback

        traceback.print_exc()
    print(f"kerascnn: {printable(message)}", file=sys.stderr)
    sys.exit(code)
