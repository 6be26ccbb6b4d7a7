"""The command that searches for hyperparameters: tune."""

import functools
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from kerascnn._console import table
from kerascnn._errors import InputError, one_of
from kerascnn.cli._options import ImageSize, Json, Photos, Resize, Seed, Weights, print_json
from kerascnn.cli._reading import read_decoded, read_photos, reading_for, refuse_inside

__all__ = ["tune"]

_BEST = 5  # trials in the table
_DEPTHS = ("head", "partial", "full")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def tune(
    context: typer.Context,
    photos: Photos,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the search; it goes on there.")
    ] = Path("search"),
    backbone: Annotated[
        list[str],
        typer.Option(
            help="Network to start from; several are searched over, on photos of the first's size."
        ),
    ] = ["MobileNetV2"],  # noqa: B006 (Typer's way to say it)
    weights: Weights = None,
    image_size: ImageSize = None,
    depth: Annotated[
        list[str], typer.Option(help="head, partial or full: how much may be trained.")
    ] = ["head", "partial"],  # noqa: B006
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Plain networks from random weights instead.")
    ] = False,
    oracle: Annotated[str, typer.Option(help="random, bayesian or hyperband.")] = "random",
    trials: Annotated[int, typer.Option(min=1, help="At most, of all calls in this folder.")] = 20,
    time_budget: Annotated[
        str | None, typer.Option(help="No trial starts after e.g. 30m, 2h or 900 (seconds).")
    ] = None,
    folds: Annotated[
        int, typer.Option(min=0, help="Score by cross-validation over so many folds; 0: by one.")
    ] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="At most, of a stage; default: 12, or 30 from scratch."),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, help="Also write ensemble.keras, the vote of so many best.")
    ] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that train.")] = 1,
    chief: Annotated[
        str | None, typer.Option(help="HOST:PORT at which other machines reach this one.")
    ] = None,
    worker: Annotated[
        str | None, typer.Option(help="Name of this machine's worker: join the search at --chief.")
    ] = None,
    resize: Resize = "stretch",
    seed: Seed = 0,
    manifest: Annotated[
        Path | None, typer.Option(help="Use the photos and splits of an earlier run.")
    ] = None,
    json_: Json = False,
):
    """Search for the settings that classify the validation photos best, and train with them.

    The first trial is what `kerascnn finetune --strategy partial` does; the others vary how much is
    trained, rates, batch size and more. Stop it at any time: the same command goes on. At the end
    the folder holds trials.csv, importance.png, parallel.png, best.json (for
    `kerascnn finetune --recipe`) and best/, a run folder of the winner, for which the test photos
    are used once.

    On several machines: the same command everywhere, with --chief HOST:PORT of the first one, and
    --worker NAME on the others. All need the photos; the output folder should be a shared one.

    Example: kerascnn tune photos/ --trials 20 --output search/
    """
    refuse_inside(output, photos)
    if worker and not chief:
        raise InputError("--worker joins the search at --chief HOST:PORT. Pass both.")
    verbose = not context.obj["quiet"]
    settings = {
        "oracle": one_of(oracle, ("random", "bayesian", "hyperband"), "oracle"),
        "max_trials": trials, "max_seconds": _seconds(time_budget), "seed": seed,
        "epochs": (epochs or 12) if oracle == "hyperband" else None, "verbose": verbose,
    }  # fmt: skip
    reading = (image_size, resize, seed, manifest, verbose)
    if from_scratch:
        space = _from_scratch(photos, *reading, epochs)
    else:
        names = [name for given in backbone for name in given.split(",")]
        depths = [one_of(name, _DEPTHS, "depth") for given in depth for name in given.split(",")]
        space = _fine_tuning(photos, names, weights, *reading, depths, epochs)
    searched = _folded(space, folds, seed)
    if worker:
        _join(searched, output, settings, workers, chief, worker)
        return
    tuner = _search(searched, output, settings, workers, chief)
    result = _finish(tuner, space, output, top, verbose)
    if json_:
        print_json(result)
    else:
        typer.echo(_summary(result, output))


def _fine_tuning(
    photos, names, weights, image_size, resize, seed, manifest, verbose, depths, epochs
):
    reading = (image_size, resize, seed, manifest, verbose)
    if len(names) > 1:  # each has its own; the photos are read once, as the first one takes them
        found = {name: reading_for(name, weights, image_size, resize) for name in names}
        channels = {name: decoder.channels for name, (decoder, _) in found.items()}
        if len(set(channels.values())) > 1:
            told = ", ".join(f"{name} {number}" for name, number in channels.items())
            raise InputError(
                f"Photos are read once for all backbones, but their channels differ: {told}. "
                "Search them apart."
            )
        data, _ = read_photos(photos, names[0], weights, *reading)
        weights = {name: chosen for name, (_, chosen) in found.items()}
    else:
        data, weights = read_photos(photos, names[0], weights, *reading)
    from kerascnn.search import FineTuning

    backbone = names if len(names) > 1 else names[0]
    options = {"weights": weights, "depths": depths, "seed": seed}
    return FineTuning(data, backbone, **options, **({"epochs": epochs} if epochs else {}))


def _from_scratch(photos, image_size, resize, seed, manifest, verbose, epochs):
    from kerascnn.data import Decoder

    decoder = Decoder(64 if image_size is None else image_size, 3, resize)
    data = read_decoded(photos, decoder, seed, manifest, verbose)
    from kerascnn.search import FromScratch

    return FromScratch(data, **({"epochs": epochs} if epochs else {}))


def _folded(space, folds, seed):
    from kerascnn.search import CrossValidation

    return CrossValidation(space, folds, seed) if folds else space


def _search(space, output, settings, workers, chief):
    """The `Tuner` of a search that has come to its end."""
    from kerascnn.search import Tuner, run_workers

    tuner = Tuner(space, output, **settings)  # which refuses what does not fit
    if settings["verbose"]:
        print(_plan(tuner, output, settings), file=sys.stderr)
    if workers == 1 and chief is None:
        tuner.search()
        return tuner
    if _done(tuner) < settings["max_trials"]:
        run_workers(functools.partial(_work, space, output, settings), workers, address=chief)
    return Tuner(space, output, **settings)


def _join(space, output, settings, workers, chief, name):
    from kerascnn.search import run_workers

    names = [name] if workers == 1 else [f"{name}-{i}" for i in range(1, workers + 1)]
    search = functools.partial(_work, space, output, settings)
    run_workers(search, names, address=chief, chief=False)


def _work(space, output, settings):
    """What each process of a search calls."""
    from kerascnn.search import Tuner

    Tuner(space, output, **settings).search()


def _plan(tuner, output, settings):
    """What the search is about to do."""
    done = _done(tuner)
    if done >= settings["max_trials"]:
        return f"All {done} trials in {output} are done."
    most = f"{settings['max_trials']} trials"
    if settings["max_seconds"]:
        most += f" or {settings['max_seconds']:g} s"
    before = f", {done} of them done" if done else ""
    return (
        f"{settings['oracle'].capitalize()} search, at most {most}{before}; each is scored on the "
        f"validation photos.\nIn {output}; stop with Ctrl-C, and the same command goes on."
    )


def _done(tuner):
    return len(tuner.oracle.end_order)


def _finish(tuner, space, output, top, verbose):
    """What the search has found, as plain JSON; all files are written."""
    from kerascnn.search import _outcome, trials
    from kerascnn.search.results import ranked

    best = ranked(output)[:_BEST]
    if not best:
        raise InputError(
            f"No trial in {output} was completed. Allow more time, or look at error.txt there."
        )
    _outcome.write_trials(output)
    shares = _outcome.write_pictures(output)
    metrics = _outcome.winner(space, output, verbose)
    if top > 1:
        _outcome.write_ensemble(tuner, output, top)
    found = {name: metrics.get(name) for name in ("test_accuracy", "test_interval")}
    first = trials(output)[0]
    return found | {"best": best, "default": first, "importance": shares, "output": str(output)}


def _summary(result, output):
    default, best = result["default"], result["best"]
    lines = [_comparison(default, [row for row in best if row != default])]
    lines.append(f"\nBest: trial {best[0]['trial']}, validation {_short(best[0]['score'])}")
    lines[-1] += (
        " (the defaults)" if best[0] == default else f" (defaults: {_short(default['score'])})"
    )
    if result["test_accuracy"] is not None:
        interval = result["test_interval"]
        said = f" (95 % interval {interval[0]:.1%} to {interval[1]:.1%})" if interval else ""
        lines.append(f"Test accuracy of the best: {result['test_accuracy']:.1%}{said}")
    shares = (result["importance"] or {}).items()
    if shown := [f"{name} {share:.0%}" for name, share in shares if share >= 0.01][:3]:
        lines.append(f"What mattered, in shares of the scores' variance: {', '.join(shown)}")
    names = ["best/model.keras", "best.json", "trials.csv", "parallel.png", "importance.png"]
    names += ["ensemble.keras"]
    return "\n".join([*lines, *(f"  {output / n}" for n in names if (output / n).exists())])


def _comparison(default, best):
    """A column for the default plan and one for each of the best trials: what differs there."""
    names = dict.fromkeys(name for row in (default, *best) for name in row["values"])
    rows = [["score", *(_short(row["score"]) for row in (default, *best))]]
    rows.append(["seconds", *(f"{row['seconds']:.0f}" for row in (default, *best))])
    for name in names:
        usual = default["values"].get(name)
        own = [row["values"].get(name) for row in best]
        rows.append([name, _short(usual), *(_short(v) if v != usual else "" for v in own)])
    return table(["trial", f"{default['trial']} (defaults)", *(row["trial"] for row in best)], rows)


def _short(value):
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _seconds(text):
    """Seconds of "1h30m", "30m" or "900"; None of None."""
    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if not seconds or "".join(number + unit for number, unit in parts) != text:
        raise InputError(f"A time budget is e.g. 30m, 1h30m or 900 (seconds), not {text!r}.")
    return seconds
