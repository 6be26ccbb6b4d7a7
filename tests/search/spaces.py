"""Small spaces for the tests of a search: models of a few weights, scores of plain arithmetic."""

import os
import time

import keras
import keras_tuner


class Space(keras_tuner.HyperModel):
    """Declared, conditional, and never built in the process that made it unless `here` says so.

    A trial's score follows from its values alone. `disturb` maps numbers of fits in one process to
    what happens in them.
    """

    def __init__(self, disturb=None, here=True, choices=("a", "b")):
        super().__init__()
        self.disturb, self.choices, self.fits = disturb or {}, list(choices), 0
        self.stranger = None if here else os.getpid()

    def declare_hyperparameters(self, hp):
        hp.Choice("kind", self.choices)
        with hp.conditional_scope("kind", ["b"]):
            hp.Int("units", 1, 9, default=2)
        hp.Float("rate", 1e-4, 1.0, sampling="log", default=0.01)

    def build(self, hp):
        assert os.getpid() != self.stranger
        units = hp.get("units") if hp.get("kind") == "b" else 1
        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(units, name="only")])

    def fit(self, hp, model, *args, callbacks=(), verbose=None, seconds=0.0, **kwargs):
        self.fits += 1
        time.sleep(seconds)
        self.disturb.get(self.fits, lambda: None)()
        units = hp.get("units") if hp.get("kind") == "b" else 0
        return {"val_accuracy": hp.get("rate") / 2 + units / 20, "process": os.getpid()}


class Line(Space):
    """One rate."""

    def declare_hyperparameters(self, hp):
        hp.Choice("kind", self.choices[:1])
        hp.Float("rate", 1e-4, 1.0, sampling="log", default=0.01)


def rows(trials):
    """What must repeat of a search: all but the time it took and the process that did it."""
    return [
        {name: row[name] for name in ("trial", "status", "values", "score", "seed")}
        for row in trials
    ]
