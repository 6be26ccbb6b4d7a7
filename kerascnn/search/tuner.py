"""Search for hyperparameters with Keras Tuner, in trials that cannot take the search with them."""

import contextlib
import io
import math
import os
import shutil
import time
import warnings
from pathlib import Path

import keras_tuner

from kerascnn._errors import InputError, whole
from kerascnn._runs import lock, said_simply, write_json
from kerascnn.search import _settings
from kerascnn.search._hypermodels import as_hypermodel, declared_space
from kerascnn.search._oracles import Status, in_order, make_oracle, sturdy
from kerascnn.search._process import Worker
from kerascnn.search._progress import Progress
from kerascnn.search._trial import Study, attempt, load_weights, trial_folder
from kerascnn.search.results import trials

__all__ = ["Tuner"]


class Tuner(keras_tuner.Tuner):
    """A tuner of Keras Tuner whose search is repeatable, survives its trials, and can be killed.

    Trials run in a worker process. It serves one after another and is replaced when its memory has
    grown by 20 % since its second trial, or when it dies: then that trial counts as failed. The
    first trial has the default values. All trials have the same seed, so that they differ by their
    values alone, and the seed decides every trial, in however many processes they run.

    A search that was stopped or killed goes on in its folder: completed trials are kept, the one
    that was cut runs again. With a larger `max_trials` a finished search goes on too.

    In the folder are Keras Tuner's own files, `search.json`, and for each trial `config.json`
    (values, seed, score, metrics of all epochs, seconds, memory), `model.weights.h5` of its best
    epoch, and `error.txt` if it failed. See `kerascnn.search.trials`, `best_values` and
    `retrain_best`.

    Random search: Bergstra and Bengio 2012, JMLR 13. Hyperband: Li et al. 2018, arXiv:1603.06560.

    Args:
        hypermodel: `keras_tuner.HyperModel`, or a function that gets `keras_tuner.HyperParameters`
            and returns a compiled `keras.Model`. One that overrides `declare_hyperparameters`
            declares its whole space there, and nothing is built to find it. Its `fit` gets
            `verbose=0` unless `search` is told otherwise, and returns a `History`, which is scored
            by its best epoch, a dict of metrics or a float.
        directory: str or path of the search's folder. Its parents are made.
        oracle: "random", "bayesian" (Keras Tuner's Gaussian process, after 3 random trials for
            each hyperparameter), "hyperband", or a `keras_tuner.Oracle` with its own objective,
            seed and number of trials.
        objective: name of a metric that `fit` gives, or a `keras_tuner.Objective`.
        max_trials: int >= 1, or None for no bound; Hyperband ends by itself.
        max_seconds: number > 0, or None. No trial starts after so many seconds of searching, all
            calls in this folder together.
        epochs: int, or None for what the hypermodel's `fit` does. For Hyperband the most that a
            trial may have.
        seed: int from 0 to 2**32 - 1.
        isolate: bool. False runs the trials in this process, for a debugger.
        overwrite: bool. Whether a search that is in the folder is deleted first.
        verbose: bool. A line for each trial on stderr.

    Raises:
        InputError: an argument cannot be used, or the folder holds another search or other files.

    >>> import keras, numpy as np, tempfile
    >>> def build(hp):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-4, 1e-1, sampling="log")), "mse")
    ...     return model
    >>> tuner = Tuner(build, tempfile.mkdtemp(), objective="loss", max_trials=3, isolate=False)
    >>> tuner.search(np.ones((8, 2)), np.ones(8), epochs=2)
    >>> len(trials(tuner.project_dir)), tuner.get_best_models(1)[0].count_params()
    (3, 3)
    """

    def __init__(
        self,
        hypermodel,
        directory,
        *,
        oracle="random",
        objective="val_accuracy",
        max_trials=20,
        max_seconds=None,
        epochs=None,
        seed=0,
        isolate=True,
        overwrite=False,
        verbose=True,
    ):
        max_trials, epochs, seed = _numbers(max_trials, max_seconds, epochs, seed)
        self.seed, self.epochs, self.isolate = seed, epochs, isolate
        self._oracle_name = oracle if isinstance(oracle, str) else type(oracle).__name__
        if isinstance(oracle, str):
            oracle = make_oracle(oracle, objective, seed, epochs)
        else:
            max_trials = oracle.max_trials or max_trials
        sturdy(oracle, max_trials, max_seconds)
        self._folder = Path(directory).absolute()
        self._progress = Progress(verbose, oracle.objective.name)
        _prepare(self._folder, overwrite and not _is_worker())
        with _quiet(), said_simply(self._folder):
            super().__init__(
                oracle,
                as_hypermodel(hypermodel),
                directory=str(self._folder.parent),
                project_name=self._folder.name,
            )

    def search(self, *fit_args, **fit_kwargs):
        """Run trials until the budget is used up; what `fit` of the hypermodel needs is passed on.

        Raises:
            InputError: no trial can be run like this, three in a row failed, or another process
                searches in the folder.
        """
        if self.epochs:
            fit_kwargs.setdefault("epochs", self.epochs)
        with contextlib.ExitStack() as held:
            # Keras Tuner prints what it sends between a chief and a worker.
            held.enter_context(_quiet(stdout=_is_chief() or (_is_worker() and self.isolate)))
            if not _is_worker():
                held.enter_context(lock(self._folder))
                self._claim(_settings.arguments(fit_args, fit_kwargs))
            if _is_chief():
                super().search()
                return
            study = Study(
                self.hypermodel,
                self.oracle.objective,
                self.seed,
                self._folder,
                fit_args,
                fit_kwargs,
            )
            self._run = _here(study)
            if self.isolate:
                self._run = held.enter_context(Worker(study)).run
            self._search(study)

    def run_trial(self, trial, *fit_args, **fit_kwargs):
        """The outcome of a trial, of which all files but the oracle's are written."""

        def tell(epoch, logs):
            self._progress.epoch(trial.trial_id, epoch, logs)

        started = time.perf_counter()
        outcome = self._run(trial.trial_id, trial.hyperparameters, tell)
        outcome.setdefault("seconds", time.perf_counter() - started)  # of one that failed
        space = keras_tuner.HyperParameters.from_config(outcome.pop("hyperparameters"))
        trial.hyperparameters = space
        folder = trial_folder(self._folder, trial.trial_id)
        (folder / "error.txt").unlink(missing_ok=True)
        if "traceback" in outcome:
            (folder / "error.txt").write_text(outcome.pop("traceback"), "utf-8")
        self._refuse_hopeless(outcome)
        config = {"trial": trial.trial_id, "values": space.values, "seed": self.seed} | outcome
        write_json(folder / "config.json", config)
        return outcome

    def load_model(self, trial):
        """The model of a trial with the weights of its best epoch."""
        model = self.hypermodel.build(trial.hyperparameters)
        return load_weights(model, trial_folder(self._folder, trial.trial_id))

    def get_best_models(self, num_models=1):
        """The models of the best completed trials, the best first: for `kerascnn.ensembles` too."""
        best = self.oracle.get_best_trials(num_models)
        return [self.load_model(trial) for trial in best if trial.status == Status.COMPLETED]

    def save(self):
        if not _is_worker():
            self.oracle.save()
        write_json(self._get_tuner_fname(), self.get_state())

    def reload(self):
        """Take up the search that is in the folder, whichever process was here before."""
        self._populate_initial_space()

    def _populate_initial_space(self):
        declared = declared_space(self.hypermodel)
        if declared is None:
            super()._populate_initial_space()
        else:
            self.oracle.update_space(declared)
        self._space = self.oracle.get_space()
        self._identity = _settings.settings(
            self.hypermodel, self.oracle, self._oracle_name, self.seed, self.epochs
        )
        if (self._folder / _settings.FILE).exists():
            _settings.check(self._folder, self._identity)
        if not _is_worker() and (self._folder / "oracle.json").exists():
            with lock(self._folder):  # it clears what a kill left behind
                self.oracle.reload()

    def _claim(self, arguments):
        """Write what the folder's search is, or hold to it."""
        found = self._identity | {"arguments": arguments}
        if (self._folder / _settings.FILE).exists():
            _settings.check(self._folder, found)
        else:
            _settings.write(self._folder, found)
        self.save()

    def _search(self, study):
        trial = None
        try:
            while (trial := self.oracle.create_trial(self.tuner_id)).status != Status.STOPPED:
                if trial.status == Status.IDLE:  # it waits for what another process runs
                    continue
                trial.hyperparameters = in_order(self._space, trial.hyperparameters)
                outcome = self.run_trial(trial)
                self._end(trial, outcome)
        except KeyboardInterrupt:
            self._progress.say(
                f"Stopped in trial {trial.trial_id if trial else '0000'}. The trials before are "
                f"kept in {self._folder}: the same search goes on there."
            )
            raise

    def _end(self, trial, outcome):
        if outcome["status"] == Status.COMPLETED:
            self.oracle.update_trial(trial.trial_id, outcome["metrics"])
        else:
            trial.message = outcome["message"]
        trial.status = outcome["status"]
        try:
            self.on_trial_end(trial)
        except Exception as error:  # Keras Tuner ends after three failures in a row
            if "consecutive failures" not in str(error):  # a chief's error comes as one of gRPC
                raise
            raise InputError(
                f"Three trials in a row failed, the last one so: {outcome['message']} "
                f"See error.txt in {trial_folder(self._folder, trial.trial_id)}."
            ) from error
        finally:
            best = [t for t in self.oracle.get_best_trials(1) if t.status == Status.COMPLETED]
            self._progress.trial(trial, outcome, best and (best[0].trial_id, best[0].score))

    def _refuse_hopeless(self, outcome):
        """Stop at an error that no other values would mend, before it fails trial after trial."""
        if not outcome.pop("fatal", False):
            return
        if not any(row["status"] == "COMPLETED" for row in trials(self._folder)):
            raise InputError(outcome["message"])


def _here(study):
    def run(trial, hyperparameters, tell):
        return attempt(study, trial, hyperparameters, tell)

    return run


def _is_worker():
    """Whether a chief of Keras Tuner elsewhere hands out the trials."""
    return "KERASTUNER_ORACLE_IP" in os.environ and not _is_chief()


def _is_chief():
    here = "chief" in os.environ.get("KERASTUNER_TUNER_ID", "")
    return here and "KERASTUNER_ORACLE_IP" in os.environ


def _prepare(folder, overwrite):
    """Refuse a folder with other things in it; empty it where the user wants that."""
    if not folder.exists() or _is_worker():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / _settings.FILE).exists()):
        raise InputError(f"{folder} holds something else than a search. Choose another folder.")
    if overwrite:
        with said_simply(folder), lock(folder):
            shutil.rmtree(folder)


@contextlib.contextmanager
def _quiet(stdout=True):
    """Without what Keras Tuner prints, and what Python says about its use of threads."""
    with contextlib.ExitStack() as held:
        if stdout:
            held.enter_context(contextlib.redirect_stdout(io.StringIO()))
        held.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "currentThread|getName", DeprecationWarning)
        yield


def _numbers(max_trials, max_seconds, epochs, seed):
    """(max_trials, epochs, seed) as ints of Python, which JSON can hold."""
    if max_seconds is not None and not 0 < max_seconds < math.inf:
        raise InputError(f"max_seconds must be a number > 0, or None. Received: {max_seconds!r}.")
    seed = whole(seed, "seed", 0)
    if seed >= 2**32:
        raise InputError(f"seed must be an int from 0 to 2**32 - 1. Received: {seed}.")
    given = {"max_trials": max_trials, "epochs": epochs}
    return *(n if n is None else whole(n, name, 1) for name, n in given.items()), seed
