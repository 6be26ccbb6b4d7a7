"""What a search has found, from its folder: every trial, the best values, the best model again."""

import json
import tempfile
from pathlib import Path

from kerascnn._errors import InputError

__all__ = ["best_values", "retrain_best", "trials"]


def trials(directory):
    """All trials of a search, finished or not, in order of their numbers.

    Args:
        directory: str or path. The folder of a `Tuner`.

    Returns:
        List of dicts: "trial", e.g. "0003"; "status", one of "COMPLETED", "FAILED" and "RUNNING"
        (also what was cut and runs again when the search goes on); "values", {name: value} of the
        hyperparameters that were active; "score", the objective's value of the best epoch, or
        None; "metrics", {name: float} of the same epoch; "seconds"; "seed"; and "message", why a
        trial failed, "" otherwise.

    Raises:
        InputError: the folder holds no search.

    >>> best = max(trials("search/"), key=lambda trial: trial["score"])  # doctest: +SKIP
    """
    from kerascnn.search import _settings

    folder = Path(directory)
    seed = _settings.read(folder)["seed"]
    return [_row(path, seed) for path in sorted(folder.glob("trial_*/trial.json"))]


def best_values(directory, k=1):
    """The hyperparameters of the best trials, the best first.

    Args:
        directory: str or path. The folder of a `Tuner`.
        k: int >= 1. How many trials; fewer are returned if fewer are completed.

    Returns:
        List of dicts {name: value}.

    Raises:
        InputError: the folder holds no search.

    >>> best_values("search/")[0]  # doctest: +SKIP
    {'depth': 'partial', 'learning_rate': 0.0021, ...}
    """
    return [row["values"] for row in ranked(directory)[:k]]


def retrain_best(hypermodel, directory, rank=0, *fit_args, **fit_kwargs):
    """Build and fit one of the best trials again, from its config and seed.

    Its score is the trial's: to the bit where `kerascnn.reproducible` was called before the search
    and before this, otherwise but for the order in which the processor's threads add up.

    Args:
        hypermodel: as for the search.
        directory: str or path. The folder of a `Tuner`; it stays as it is.
        rank: int >= 0. 0 for the best trial, 1 for the next best, ...
        *fit_args: What `Tuner.search` was given, if anything.
        **fit_kwargs: As `fit_args`.

    Returns:
        (model, metrics): the `keras.Model` with the weights of its best epoch, and {name: float} of
        that epoch.

    Raises:
        InputError: the folder holds no search, of another space, or not so many completed trials.

    >>> model, metrics = retrain_best(hypermodel, "search/")  # doctest: +SKIP
    """
    from kerascnn.search import _settings, _trial
    from kerascnn.search._hypermodels import as_hypermodel, declared_space

    folder = Path(directory)
    found = ranked(folder)
    if rank >= len(found):
        raise InputError(f"{folder} has {len(found)} completed trials, so none of rank {rank}.")
    stored, hypermodel = _settings.read(folder), as_hypermodel(hypermodel)
    declared = declared_space(hypermodel)
    if declared is not None:
        _settings.check(folder, {"space": declared.get_config()["space"]})
    if stored["epochs"]:
        fit_kwargs.setdefault("epochs", stored["epochs"])
    objective = _settings.stored_objective(stored["objective"])
    study = _trial.Study(hypermodel, objective, stored["seed"], folder, fit_args, fit_kwargs)
    number = found[rank]["trial"]
    with tempfile.TemporaryDirectory() as scratch:
        values = hyperparameters(folder, number)
        model, outcome = _trial.run(study, number, values, Path(scratch))
        model.load_weights(Path(scratch, _trial.WEIGHTS))
    return model, outcome["metrics"]


def ranked(directory):
    """The completed trials, the best first; equal ones by number."""
    from kerascnn.search import _settings

    parts = _settings.read(Path(directory))["objective"]
    sign = -1 if [direction for _, direction in parts] == ["max"] else 1  # sums are minimised
    completed = [row for row in trials(directory) if row["status"] == "COMPLETED"]
    return sorted(completed, key=lambda row: sign * row["score"])


def hyperparameters(folder, number):
    """The space and the values of a trial as `keras_tuner.HyperParameters`."""
    import keras_tuner

    return keras_tuner.HyperParameters.from_config(
        _json(folder / f"trial_{number}" / "trial.json")["hyperparameters"]
    )


def _row(path, seed):
    kept = _json(path)
    config = path.with_name("config.json")
    ended = kept["status"] in ("COMPLETED", "FAILED") and config.exists()
    config = _json(config) if ended else {}
    values = kept["hyperparameters"]["values"].items()
    return {
        "trial": kept["trial_id"],
        "status": kept["status"],
        "values": {name: value for name, value in values if not name.startswith("tuner/")},
        "score": config.get("score") if kept["status"] == "COMPLETED" else None,
        "metrics": config.get("metrics", {}),
        "seconds": config.get("seconds", 0.0),
        "seed": seed,
        "message": config.get("message", ""),
    }


def _json(path):
    return json.loads(path.read_text("utf-8"))
