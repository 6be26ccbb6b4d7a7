"""The trials of a search on Ray: its processes or its cluster, and its schedulers."""

import collections
import contextlib
import math
import os
import shutil

import keras_tuner

from kerascnn._errors import InputError
from kerascnn.search import _trial
from kerascnn.search._oracles import Status
from kerascnn.search._process import process_settings
from kerascnn.search._worker import apply_settings
from kerascnn.search.tuner import Tuner

__all__ = ["with_ray"]

_DIED = "its process of Ray died (too little memory?)"
_ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths of photos stay right
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}


def with_ray(
    hypermodel,
    directory,
    *,
    objective="val_accuracy",
    max_trials=20,
    seed=0,
    scheduler=None,
    resources=None,
    verbose=True,
    **fit_kwargs,
):
    """Search at random with Ray Tune: the trials that `kc.search.Tuner` draws, run by Ray.

    Values, seed and folder are those of `Tuner(hypermodel, directory, ...)`, so that `trials`,
    `retrain_best` and the pictures read both. Each epoch is reported to Ray, whose scheduler may
    stop a trial; it counts by the best epoch that it had. The same call goes on after a kill: what
    was completed is kept.

    Ray starts on this machine, and ends with the search, unless `ray.init` was called before: with
    the address of a cluster the trials run there. Its machines need the same packages, the photos,
    and `directory`, at the same paths.

    ASHA, the usual scheduler: Li et al. 2020, arXiv:1810.05934.

    Args:
        hypermodel: as for `kc.search.Tuner`.
        directory: as for `kc.search.Tuner`.
        objective: name of a metric that `fit` gives, or a `keras_tuner.Objective`.
        max_trials: int >= 1.
        seed: int from 0 to 2**32 - 1.
        scheduler: of `ray.tune.schedulers`, without metric and mode, e.g.
            `ASHAScheduler(max_t=12)`; None runs every trial to its end.
        resources: {"cpu": number, "gpu": number} of one trial; None for a CPU, and a GPU where Ray
            has one.
        verbose: bool. A line for each trial on stderr.
        **fit_kwargs: what `fit` of the hypermodel needs.

    Returns:
        The `kc.search.Tuner`; `get_best_models` gives the best ones.

    Raises:
        InputError: Ray is not installed, or what `kc.search.Tuner` refuses.

    >>> data = kc.data.from_directory("photos/", 224)  # doctest: +SKIP
    >>> tuner = with_ray(kc.search.FineTuning(data), "search/")  # doctest: +SKIP
    """
    ray = _ray()
    options = {"objective": objective, "max_trials": max_trials, "seed": seed, "verbose": verbose}
    tuner = _RayTuner(hypermodel, directory, isolate=False, **options)
    if hasattr(tuner.oracle.objective, "objectives"):
        raise InputError("Ray's schedulers know one objective: pass the name of one metric.")
    with _started(ray):
        tuner.ray, tuner.scheduler = ray, scheduler
        tuner.resources = resources or {"cpu": 1, "gpu": min(1, _gpus(ray))}
        tuner.search(**fit_kwargs)
    return tuner


class _RayTuner(Tuner):
    """Hands out all trials at once, and takes what Ray makes of them."""

    def _search(self, study):
        trials = {}
        while (trial := self.oracle.create_trial(f"ray{len(trials)}")).status != Status.STOPPED:
            trials[trial.trial_id] = trial
        if not trials:
            return
        listener = _listener(self.ray, lambda name, rows: self._take(trials[name], rows))
        try:
            self._ray_tuner(study, trials, listener).fit()
        finally:
            shutil.rmtree(self._folder / "ray", ignore_errors=True)
        if listener.error:
            raise listener.error

    def _ray_tuner(self, study, trials, listener):
        tune, objective = self.ray.tune, self.oracle.objective
        function = tune.with_parameters(
            _on_ray,
            study=study,
            settings=process_settings(self.seed),
            spaces={name: trial.hyperparameters.get_config() for name, trial in trials.items()},
        )
        return tune.Tuner(
            tune.with_resources(function, self.resources),
            param_space={"trial": tune.grid_search(sorted(trials))},
            tune_config=tune.TuneConfig(
                metric=objective.name, mode=objective.direction, scheduler=self.scheduler
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=str(self._folder),
                callbacks=[listener],
                stop=lambda trial, result: listener.error is not None,
                verbose=0,
            ),
        )

    def _take(self, trial, rows):
        """Keep what became of a trial: its own outcome, or its epochs where Ray stopped it."""
        ended = rows[-1].get("outcome") if rows else {"status": "FAILED", "message": _DIED}
        outcome = ended or self._stopped(trial, rows)
        own = {"hyperparameters": trial.hyperparameters.get_config(), "seconds": 0.0}
        self._run = lambda *_: own | outcome
        self._end(trial, self.run_trial(trial))

    def _stopped(self, trial, rows):
        folder = _trial.trial_folder(self._folder, trial.trial_id)
        (folder / _trial.BEST_SO_FAR).replace(folder / _trial.WEIGHTS)
        epochs = [row["epoch_metrics"] for row in rows]
        metrics, epoch = _trial.best_epoch(epochs, self.oracle.objective)
        return {
            "status": Status.COMPLETED,
            "message": f"stopped by the scheduler after {len(epochs)} epochs",
            "score": metrics[self.oracle.objective.name],
            "metrics": metrics,
            "epoch": epoch,
            "epochs": epochs,
            "seconds": rows[-1]["time_total_s"],
        }


def _on_ray(config, study, settings, spaces):
    """A trial, in a process of Ray's."""
    from ray import tune

    apply_settings(settings)

    def tell(epoch, logs):
        tune.report({**logs, "epoch_metrics": logs})

    hyperparameters = keras_tuner.HyperParameters.from_config(spaces[config["trial"]])
    outcome = _trial.attempt(study, config["trial"], hyperparameters, tell)
    score = outcome.get("score", math.nan)  # Ray asks for the metric in every report
    tune.report({study.objective.name: score, "outcome": outcome})


def _listener(ray, take):
    """Ray's callback that calls `take(trial, reports)` once for each trial.

    The first error there ends the search; it is kept, to be raised where Ray does not swallow it.
    """

    class Listener(ray.tune.Callback):
        def __init__(self):
            self.rows, self.error = collections.defaultdict(list), None

        def on_trial_result(self, iteration, trials, trial, result, **info):
            self.rows[trial.config["trial"]].append(result)

        def on_trial_complete(self, iteration, trials, trial, **info):
            self.ended(trial.config["trial"], self.rows.pop(trial.config["trial"], []))

        def on_trial_error(self, iteration, trials, trial, **info):
            self.ended(trial.config["trial"], [])

        def ended(self, name, rows):
            try:
                self.error or take(name, rows)
            except Exception as error:
                self.error = error

    return Listener()


def _ray():
    """Ray, with what it should not do by itself."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    try:
        import ray
        import ray.tune
    except ImportError as error:
        raise InputError(
            'Ray is not installed: pip install "kerascnn[distributed]", or search with '
            "kc.search.Tuner."
        ) from error
    return ray


@contextlib.contextmanager
def _started(ray):
    """Ray for the block, unless the user has started it."""
    if ray.is_initialized():
        yield
        return
    ray.init(include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def _gpus(ray):
    return ray.cluster_resources().get("GPU", 0)
