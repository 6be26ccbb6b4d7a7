"""Who chooses the values of a trial: Keras Tuner's oracles, and random search by trial number."""

import json
import shutil
from pathlib import Path
from time import monotonic

import keras_tuner
import numpy as np
from threadpoolctl import threadpool_limits

from kerascnn._errors import InputError, one_of
from kerascnn._random import generator
from kerascnn._runs import write_json

__all__ = ["RandomOracle", "in_order", "make_oracle", "sturdy"]

Status = keras_tuner.engine.trial.TrialStatus
_DRAWS = 100  # for one trial, until a space counts as used up


def make_oracle(oracle, objective, seed, epochs):
    """One of Keras Tuner's oracles by its name.

    >>> make_oracle("bayesian", "val_loss", 0, None).objective.direction
    'min'
    """
    one_of(oracle, ["random", "bayesian", "hyperband"], "oracle")
    # Keras Tuner takes a seed of 0 for none, and neighbouring seeds for nearly the same one.
    options = {"objective": objective, "seed": int(generator(seed, "search").integers(1, 2**31))}
    try:
        if oracle == "random":
            return RandomOracle(**options)
        if oracle == "bayesian":
            return BayesianOracle(**options)
        if not epochs:
            raise InputError("Hyperband shares out epochs: say how many at most, e.g. epochs=27.")
        return keras_tuner.oracles.HyperbandOracle(max_epochs=epochs, **options)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"No objective can be made of {objective!r}: pass a metric that `fit` gives, e.g. "
            "'val_accuracy', or keras_tuner.Objective(name, direction)."
        ) from error


class RandomOracle(keras_tuner.Oracle):
    """Random values that depend on the seed, the trial's number and the names alone.

    So a search draws the same in any number of processes, and a new hyperparameter leaves the
    draws of the others as they were. Values that had their trial are drawn again.
    """

    def populate_space(self, trial_id):
        tried = [trial.hyperparameters.values for trial in self.trials.values()]
        for draw in range(_DRAWS):
            values = self._drawn(int(trial_id), draw)
            if values not in tried:
                return {"status": Status.RUNNING, "values": values}
        return {"status": Status.STOPPED}

    def _drawn(self, number, draw):
        chosen = keras_tuner.HyperParameters()
        for hyperparameter in self.hyperparameters.space:
            chosen.merge([hyperparameter])
            if chosen.is_active(hyperparameter):
                key = (self.seed, "trial", number, draw, hyperparameter.name)
                value = hyperparameter.prob_to_value(float(generator(*key).random()))
                chosen.values[hyperparameter.name] = value
        return chosen.values


class BayesianOracle(keras_tuner.oracles.BayesianOptimizationOracle):
    """Keras Tuner's, which also draws the same after it was stopped and continued."""

    def populate_space(self, trial_id):
        self._random_state = np.random.RandomState((self.seed + int(trial_id)) % 2**32)
        with threadpool_limits(1):  # thousands of tiny matrices
            return super().populate_space(trial_id)


def sturdy(oracle, max_trials, max_seconds):
    """Give an oracle of Keras Tuner, whichever it is, a budget and files that are always whole.

    Its first trial has the default values. Trials are numbered 0000, 0001, ..., also when more of
    them are allowed later.
    """
    oracle.__class__ = type(type(oracle).__name__, (_Sturdy, type(oracle)), {})
    oracle.most_trials = max_trials
    oracle.max_trials = None  # by which Keras Tuner chooses the number of digits
    oracle.max_seconds = max_seconds
    oracle.verbose = 0
    return oracle


def in_order(space, hyperparameters):
    """Hyperparameters of a trial as the space was declared, with values of the active ones alone.

    Keras Tuner sorts them by their types on the way between a chief and a worker, and gives those
    that are not active their defaults.
    """
    own, values = space.copy(), hyperparameters.values
    own.merge(hyperparameters.space)  # what only `build` or `fit` have asked for
    own.values = {}
    for parameter in own.space:
        if own.is_active(parameter) and parameter.name in values:
            own.values[parameter.name] = values[parameter.name]
    known = {parameter.name for parameter in own.space}
    own.values |= {name: value for name, value in values.items() if name not in known}
    return own


class _Sturdy:
    _before = 0.0  # seconds of earlier calls
    _started = None

    def seconds(self):
        """How long the search has taken, in all its calls."""
        return self._before + (0 if self._started is None else monotonic() - self._started)

    def remaining_trials(self):
        return None if self.most_trials is None else self.most_trials - len(self.trials)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        self._started = monotonic() if self._started is None else self._started
        out_of_time = self.max_seconds is not None and self.seconds() >= self.max_seconds
        if out_of_time and tuner_id not in self.ongoing_trials:
            self.tuner_ids.discard(tuner_id)
            return keras_tuner.engine.trial.Trial(self.get_space(), "none", Status.STOPPED)
        return super().create_trial(tuner_id)

    def populate_space(self, trial_id):
        if self.remaining_trials() is not None and self.remaining_trials() <= 0:
            return {"status": Status.STOPPED}
        response = super().populate_space(trial_id)
        if not self.trials and response["status"] == Status.RUNNING:
            defaults = keras_tuner.HyperParameters()
            defaults.merge(self.hyperparameters.space)
            bracket = {k: v for k, v in response["values"].items() if k.startswith("tuner/")}
            response["values"] = defaults.values | bracket
        return response

    @keras_tuner.synchronized
    def end_trial(self, trial):
        trial.hyperparameters = in_order(self.get_space(), trial.hyperparameters)
        super().end_trial(trial)

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        trial = self.trials[trial_id]
        trial.metrics = type(trial.metrics)()  # a worker that died may have told some already
        return super().update_trial(trial_id, metrics, step)

    def get_state(self):
        return super().get_state() | {"seconds": self.seconds()}

    def set_state(self, state):
        super().set_state(state)
        self._before = state["seconds"]

    def save(self):  # Keras Tuner's own files may be cut in the middle
        write_json(self._get_oracle_fname(), self.get_state())

    def _save_trial(self, trial):
        write_json(Path(self._get_trial_dir(trial.trial_id), "trial.json"), trial.get_state())

    def reload(self):
        """Go on where the files say; a kill falls between any two of them."""
        path = Path(self._get_oracle_fname())
        known = json.loads(path.read_text("utf-8"))["start_order"]
        for folder in path.parent.glob("trial_*"):
            if folder.name.removeprefix("trial_") not in known:
                shutil.rmtree(folder)  # it is drawn again, and the same
        super().reload()
        self.trials = dict(sorted(self.trials.items()))
        for trial_id in list(self._retry_queue):
            if self.trials[trial_id].status in (Status.COMPLETED, Status.FAILED):
                self._retry_queue.remove(trial_id)
                self.end_order.append(trial_id)
