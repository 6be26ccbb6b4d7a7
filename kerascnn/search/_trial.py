"""One trial of a search, in this process: build, fit, the best epoch's numbers and weights."""

import copy
import dataclasses
import json
import math
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

import keras
import keras_tuner

from kerascnn._errors import InputError, NonFiniteError
from kerascnn._random import random_state_kept
from kerascnn._runs import atomic_path
from kerascnn._steps import releasable
from kerascnn.data.pipeline import EpochCounter

__all__ = [
    "BEST_SO_FAR",
    "WEIGHTS",
    "Study",
    "attempt",
    "best_epoch",
    "forget",
    "load_weights",
    "numbers",
    "run",
    "trial_folder",
]

WEIGHTS = "model.weights.h5"
BEST_SO_FAR = ".best.weights.h5"


@dataclasses.dataclass(frozen=True)
class Study:
    """What all trials of a search share: what is built and fitted, how it is scored, and where."""

    hypermodel: keras_tuner.HyperModel
    objective: keras_tuner.Objective
    seed: int
    folder: Path
    args: tuple = ()
    kwargs: dict = dataclasses.field(default_factory=dict)


def trial_folder(folder, trial):
    """Where Keras Tuner keeps a trial: <folder>/trial_0003."""
    return Path(folder, f"trial_{trial}")


def attempt(study, trial, hyperparameters, tell):
    """The outcome of a trial as plain JSON: of `run`, or the error that ended it.

    Args:
        tell: function (epoch, logs), called after each epoch of a Keras `fit`.
    """
    try:
        _, outcome = run(study, trial, hyperparameters, trial_folder(study.folder, trial), tell)
    except Exception as error:
        outcome = _failure(error)
    forget()
    # In build and fit a hypermodel may ask for values that nobody declared.
    return {**outcome, "hyperparameters": hyperparameters.get_config()}


@random_state_kept()
def run(study, trial, hyperparameters, folder, tell=lambda epoch, logs: None):
    """Build and fit the model of a trial; its weights of the best epoch are saved in `folder`.

    Those a `fit` leaves behind count where it returns numbers instead of the model's `History`.

    Returns:
        (model, outcome): the model as `fit` left it, and a dict of plain JSON.
    """
    forget()
    keras.utils.set_random_seed(study.seed)
    started = time.perf_counter()
    model = _built(study, hyperparameters)
    watch = _Watch(model, study.objective, folder, tell)
    options = _options(study.kwargs, hyperparameters.values)
    options["callbacks"] = [*options["callbacks"], watch]
    with EpochCounter.all_from(options.get("initial_epoch", 0)):  # whatever was trained before
        results = study.hypermodel.fit(hyperparameters, model, *study.args, **options)
    metrics, epoch = _scored(results, study.objective)
    watch.keep_weights(best_epoch=getattr(results, "model", None) is model)
    score = metrics[study.objective.name]
    return model, {
        "status": "FAILED" if math.isnan(score) else "COMPLETED",
        "message": f"{study.objective.name} is nan" if math.isnan(score) else "",
        "score": score,
        "metrics": metrics,
        "epoch": epoch,
        "epochs": watch.epochs,
        "seconds": time.perf_counter() - started,
        "peak_bytes": _peak_bytes(),
        "build_config": model.get_build_config(),  # some models need it to load their weights
    }


def forget():
    """Free what the trial before has left in Keras and in Python."""
    policy = keras.config.dtype_policy()
    keras.backend.clear_session()
    keras.config.set_dtype_policy(policy)  # which Keras forgets with the rest


def load_weights(model, folder):
    """Load what a trial saved into a model that was built with the same values."""
    if not model.built:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        model.build_from_config(config["build_config"])
    with warnings.catch_warnings():  # an optimizer that has not trained yet has no place for more
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        model.load_weights(folder / WEIGHTS)
    return model


def _built(study, hyperparameters):
    model = study.hypermodel.build(hyperparameters)
    if not isinstance(model, keras.Model):
        raise InputError(
            f"`build` of the hypermodel should return a compiled keras.Model, not {model!r}."
        )
    earlier = hyperparameters.values.get("tuner/trial_id")
    if earlier is not None:  # Hyperband trains the best of a round further
        load_weights(model, trial_folder(study.folder, earlier))
    return releasable(model)


def _options(kwargs, values):
    """The arguments of `fit`: quiet, with callbacks of its own, and as long as Hyperband says."""
    options = {"verbose": 0, **kwargs}
    options["callbacks"] = copy.deepcopy(list(options.get("callbacks") or []))
    if "tuner/epochs" in values:
        options["epochs"] = values["tuner/epochs"]
        options["initial_epoch"] = values["tuner/initial_epoch"]
    return options


def _scored(results, objective):
    """The metrics that a trial is judged by, and their epoch: a `History` counts by its best."""
    epoch = None
    if isinstance(results, keras.callbacks.History):
        rows = [dict(zip(results.history, row)) for row in zip(*results.history.values())]
        results, epoch = best_epoch(rows, objective)
    elif not isinstance(results, dict):
        results = {objective.name: results}
    metrics = numbers(results)
    if not objective.has_value(metrics):
        raise InputError(
            f"`fit` gives no {objective.name}, only {', '.join(metrics) or 'nothing'}: choose an "
            "objective among these, or pass validation data."
        )
    return {**metrics, objective.name: objective.get_value(metrics)}, epoch


def best_epoch(rows, objective):
    """(metrics, number) of the epoch that an objective finds best, of [{metric: float}]."""
    rows = [row for row in rows if objective.has_value(row)] or rows[-1:] or [{}]
    best = 0
    for i, row in enumerate(rows):
        if objective.has_value(row) and _better(objective, row, rows[best]):
            best = i
    return rows[best], best


def _better(objective, row, best):
    value, other = objective.get_value(row), objective.get_value(best)
    return objective.better_than(value, other) or (math.isnan(other) and not math.isnan(value))


def numbers(logs):
    """{metric: float}, without those that are no single number, as a score for each class.

    >>> numbers({"loss": 1, "f1_score": [0.5, 0.7]})
    {'loss': 1.0}
    """
    return {name: float(value) for name, value in logs.items() if _is_number(value)}


def _is_number(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


class _Watch(keras.callbacks.Callback):
    """Tells each epoch, and keeps the weights of the best one of the model that was built."""

    def __init__(self, built, objective, folder, tell):
        super().__init__()
        self.built, self.objective, self.folder, self.tell = built, objective, folder, tell
        self.epochs = []
        self._best = None
        self._partial = folder / BEST_SO_FAR

    def on_epoch_end(self, epoch, logs=None):
        row = numbers(logs or {})
        self.epochs.append(row)
        if self.model is self.built and self.objective.has_value(row):
            self._keep_best(row)
        self.tell(epoch, row)  # last: who is told may end this process

    def _keep_best(self, row):
        if self._best is None or _better(self.objective, row, self._best):
            self._best = row
            self.built.save_weights(self._partial)

    def keep_weights(self, best_epoch):
        """Those of the best epoch, or those that the model has now, become the trial's."""
        if not self.built.built:  # `fit` trained something else
            return
        if not (best_epoch and self._best):
            self.built.save_weights(self._partial)
        with atomic_path(self.folder / WEIGHTS) as partial:
            self._partial.replace(partial)


def _failure(error):
    """An outcome; "fatal" where no other trial would fare better."""
    fatal = isinstance(error, InputError | keras_tuner.errors.FatalError)
    lines = str(error).strip().splitlines() or [""]
    said = lines[0] if isinstance(error, InputError) else f"{type(error).__name__}: {lines[0]}"
    return {
        "status": "FAILED",
        "message": said,
        "traceback": "".join(traceback.format_exception(error)),
        "fatal": fatal and not isinstance(error, NonFiniteError),
    }


def _peak_bytes():
    """The most memory that this process has had so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
