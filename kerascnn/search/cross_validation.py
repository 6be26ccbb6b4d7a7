"""Trials that are scored by cross-validation: the mean over folds in place of one split."""

import keras
import keras_tuner
import numpy as np

from kerascnn._errors import InputError
from kerascnn.data import folding
from kerascnn.search._trial import numbers

__all__ = ["CrossValidation"]


class CrossValidation(keras_tuner.HyperModel):
    """A space whose trials train once for each fold, and are scored by the mean.

    For small data sets, where the photos of one validation split decide too much. The folds are
    those of `kerascnn.data.folds`: stratified, over the training and validation photos, and photos
    that look alike share one; the test photos stay unseen. All trials have the same folds.

    A trial has one network for each fold. The one that the tuner gets, watches by its callbacks and
    saves is that of fold 0: `get_best_models` gives it, and `members` gives all of them.

    Args:
        hypermodel: `keras_tuner.HyperModel` with an attribute `data` (`ImageData`) and methods
            `with_data(data)` and `declare_hyperparameters(hp)`: `FineTuning`, `FromScratch`, or
            your own.
        folds: int >= 2.
        seed: int. Which photos share a fold.
        objective: str. What a fold's best epoch is chosen by, as Keras Tuner chooses it for a
            single training: the highest, or for names that end in "loss" the lowest.

    Raises:
        InputError: the hypermodel lacks one of these, or see `kerascnn.data.folds`.

    >>> from kerascnn.data import from_arrays
    >>> from kerascnn.search import FromScratch
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> space = FromScratch(from_arrays(images, [0, 1] * 20), epochs=1, max_blocks=1)
    >>> space = CrossValidation(space, folds=2)
    >>> hp = keras_tuner.HyperParameters()
    >>> found = space.fit(hp, space.build(hp))
    >>> found["val_accuracy"] == (found["val_accuracy_fold0"] + found["val_accuracy_fold1"]) / 2
    True
    """

    def __init__(self, hypermodel, folds=5, seed=0, *, objective="val_accuracy"):
        super().__init__()
        inherited = keras_tuner.HyperModel.declare_hyperparameters
        declared = getattr(type(hypermodel), "declare_hyperparameters", inherited)
        if declared is inherited or not hasattr(hypermodel, "with_data"):
            raise InputError(
                "Folds need a keras_tuner.HyperModel with `data`, `with_data` and "
                "`declare_hyperparameters`, as FineTuning and FromScratch have. "
                f"Received: {type(hypermodel).__name__}."
            )
        self.hypermodel, self.folds, self.seed, self.objective = hypermodel, folds, seed, objective
        self.spaces = [
            hypermodel.with_data(part) for part in folding.folds(hypermodel.data, folds, seed)
        ]

    @property
    def data(self):
        """The photos of all folds, as the space has them."""
        return self.hypermodel.data

    def with_data(self, data):
        """The same on other data."""
        space = self.hypermodel.with_data(data)
        return CrossValidation(space, self.folds, self.seed, objective=self.objective)

    def fingerprint(self):
        """What decides a trial beside its hyperparameters, as a dict of plain values."""
        own = {"folds": self.folds, "fold_seed": self.seed, "fold_objective": self.objective}
        describe = getattr(self.hypermodel, "fingerprint", dict)
        return {**own, "space": describe()}

    def declare_hyperparameters(self, hp):
        """The whole space, that of the hypermodel."""
        self.hypermodel.declare_hyperparameters(hp)

    def build(self, hp):
        """The compiled model of fold 0."""
        return self.spaces[0].build(hp)

    def fit(self, hp, model, *args, callbacks=(), **options):
        """Train a model for each fold: a dict of the metrics' means.

        Only metrics that are one number count. Beside the mean of each, `val_accuracy_std` is the
        spread of the objective over the folds (divisor: folds - 1), `val_accuracy_fold0`, ... what
        each fold has.

        `model` trains on fold 0, and it alone with `callbacks`, which may save it; it ends with the
        weights of its best epoch.

        Raises:
            InputError: the trial is to go on from another one, as those of Hyperband do.
        """
        if options.get("initial_epoch"):
            raise InputError(
                "Folds are trained from the start, and Hyperband's trials go on from earlier ones. "
                'Search with oracle="random" or "bayesian".'
            )
        options |= {"callbacks": callbacks}
        found = [self._trained(0, hp, model, *args, **options)]
        options["callbacks"] = ()
        for number in range(1, self.folds):
            other = self.spaces[number].build(hp)
            found.append(self._trained(number, hp, other, *args, **options))
        mean = {name: float(np.mean([own[name] for own in found])) for name in found[0]}
        each = [own[self.objective] for own in found]
        spread = {f"{self.objective}_std": float(np.std(each, ddof=1))}
        return mean | spread | {f"{self.objective}_fold{i}": v for i, v in enumerate(each)}

    def members(self, hp, *args, **options):
        """The trained networks of all folds, each with the weights of its best epoch.

        `kerascnn.ensembles.ensemble` makes one network of them, which has seen every photo.

        Args:
            hp: `keras_tuner.HyperParameters`, e.g. of `get_best_hyperparameters()`.
            *args, **options: as for `fit`.

        Returns:
            List of `keras.Model`s, one for each fold.
        """
        models = [space.build(hp) for space in self.spaces]
        for number, model in enumerate(models):
            self._trained(number, hp, model, *args, **options)
        return models

    def _trained(self, number, hp, model, *args, callbacks=(), **options):
        """{metric: float} of a fold at its best epoch, whose weights the model keeps."""
        sign = -1 if self.objective.endswith("loss") else 1
        best, space = _BestEpoch(self.objective, sign), self.spaces[number]
        space.data.train.epoch = 0  # whatever was trained before
        found = space.fit(hp, model, *args, callbacks=[*callbacks, best], **options)
        if isinstance(found, keras.callbacks.History):
            found = best.logs
            model.set_weights(best.weights or model.get_weights())
        elif isinstance(found, dict):
            found = numbers(found)
        else:
            found = {self.objective: float(found)}
        if self.objective not in found:
            raise InputError(
                f"`fit` of the space gives no {self.objective}, only "
                f"{', '.join(found) or 'nothing'}: choose an objective among these, or pass the "
                "callbacks on to the model's `fit`."
            )
        return found


class _BestEpoch(keras.callbacks.Callback):
    """Remembers the epoch with the highest `sign` * objective; unlike `EarlyStopping`, restores
    nothing by itself: a `fit` that returns numbers has decided which weights it leaves."""

    def __init__(self, objective, sign):
        super().__init__()
        self.objective, self.sign = objective, sign
        self.logs, self.weights = {}, None

    def on_epoch_end(self, epoch, logs=None):
        row, best = numbers(logs), self.sign * self.logs.get(self.objective, np.nan)
        if self.objective in row and (np.isnan(best) or self.sign * row[self.objective] > best):
            self.logs = row
            self.weights = self.model.get_weights()
