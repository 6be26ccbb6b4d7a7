"""Commands on finished runs: evaluate, predict, doctor, report."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kerascnn._console import printable, starting_keras, table
from kerascnn._errors import InputError
from kerascnn.cli._options import Json, Photos, print_json
from kerascnn.cli._reading import say_seen, say_skipped

__all__ = ["doctor", "evaluate", "predict", "report"]


def evaluate(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Run folder, or its model.keras.")],
    photos: Photos,
    json_: Json = False,
):
    """Accuracy of a run on other labelled photos.

    Example: kerascnn evaluate run/ photos/test
    """
    with starting_keras():
        from kerascnn.transfer import load_run

    scores = load_run(run).evaluate(photos, progress=not context.obj["quiet"])
    if json_:
        print_json(scores | {"findings": [vars(finding) for finding in scores["findings"]]})
        return
    say_skipped(scores["findings"])
    say_seen(scores["findings"])
    rows = [
        [row["name"], *(_share(row[key]) for key in ("precision", "recall", "f1")), row["support"]]
        for row in scores["per_class"]
        if row["support"]
    ]
    low, high = scores["interval"]
    typer.echo(table(["class", "precision", "recall", "f1", "photos"], rows))
    typer.echo(
        f"\naccuracy {scores['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}), "
        f"balanced {scores['balanced_accuracy']:.1%}, {scores['num_photos']} photos"
    )


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder, or its model.keras.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    top: Annotated[int, typer.Option(min=1, help="Classes to show for each photo.")] = 1,
    json_: Json = False,
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
        print_json([dict(zip(("path", "class", "probability"), row)) for row in rows])
    else:
        typer.echo(
            table(["photo", "class", "probability"], [[*r[:2], f"{r[2]:.1%}"] for r in rows])
        )


def doctor(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    json_: Json = False,
):
    """Say what a finished run's numbers tell of its training, and what to do next.

    Nothing is trained and no model is opened: curves, splits and figures, and what was found while
    it trained.

    Example: kerascnn doctor run/
    """
    from kerascnn.doctor import examine_run

    diagnosis = examine_run(run)
    if json_:
        print_json(diagnosis.as_dicts())
    else:
        typer.echo(diagnosis)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; two or more are compared.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="HTML file; default: report.html of the run, or compare.html."
        ),
    ] = None,
    json_: Json = False,
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
        print_json({**found, "output": str(path)})
    else:
        typer.echo(f"{said} {path}")


def _share(value):
    return "" if value is None else f"{value:.1%}"  # None: the class was never predicted


def _photo_files(paths):
    """The photos named, and those in folders that are named, sorted.

    Each is decoded, small, before TensorFlow starts: what is wrong is said at once. A file that was
    named must be a photo; one in a folder is left out.
    """
    from kerascnn.data.decode import Decoder

    decoder, files = Decoder(32), []
    for path in paths:
        if not path.is_dir():
            decoder.read(path)
            files.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.is_file() and _like_photo(p, path))
        usable = [file for file in inside if _is_photo(file, decoder)]
        if not usable:
            raise InputError(f"{path} holds no photos.")
        files += usable
    return files


def _like_photo(file, folder):
    """Whether training would try it: neither it nor a folder above is hidden."""
    from kerascnn.data.decode import SUFFIXES

    hidden = any(part[0] == "." for part in file.relative_to(folder).parts)
    return not hidden and file.suffix.lower() in {"", *SUFFIXES}


def _is_photo(file, decoder):
    try:
        decoder.read(file)
    except InputError as error:
        print(f"skipped: {printable(str(error))}", file=sys.stderr)
        return False
    return True
