"""Trainings that are killed in the middle and continued, all in this process."""

import keras
import numpy as np
import pytest

from kerascnn.callbacks import Resume
from kerascnn.data import from_arrays

L = keras.layers
IMAGES = np.random.default_rng(0).integers(256, size=(40, 6, 6), dtype="uint8")
FLOATS = IMAGES[..., None].astype("float32")
LABELS = np.arange(40) % 3


class Killed(Exception):
    pass


class KillAt(keras.callbacks.Callback):
    """Ends `fit` by an error after a step, as a sibling of `Resume` that knows nothing of it."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.moment = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.moment:
            raise Killed


def images(**options):
    options = {"batch_size": 8, "splits": ["train"] * 32 + ["test"] * 8} | options
    return from_arrays(IMAGES, LABELS, **options)


def train():
    return images().train  # 4 batches


def layers():
    return [keras.Input((6, 6, 1)), L.Rescaling(1 / 255), L.Flatten(), L.Dropout(0.2), L.Dense(3)]


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(
    make_layers=layers, optimizer=lambda: keras.optimizers.SGD(0.1, momentum=0.9), **options
):
    """A function that makes a small model, run eagerly unless told: so it starts at once."""

    def make():
        model = make_layers()
        model = keras.Sequential(model) if isinstance(model, list) else model
        options.setdefault("run_eagerly", True)
        model.compile(optimizer(), loss(), metrics=["accuracy"], **options)
        return model

    return make


def fit(
    folder,
    model=compiled(),  # noqa: B008  (a function)
    callbacks=list,
    data=train,
    kill=None,
    seed=0,
    every=2,
    epochs=2,
    **options,
):
    """Train as a user's script does; what it ends with."""
    keras.utils.set_random_seed(seed)
    model = model() if callable(model) and not isinstance(model, keras.Model) else model
    resume = Resume(folder, data(), callbacks(), every=every)
    history = model.fit(
        resume.data,
        epochs=epochs,
        initial_epoch=resume.initial_epoch,
        callbacks=[resume, KillAt(*kill)] if kill else [resume],
        shuffle=False,
        verbose=0,
        **options,
    )
    return ended(model, history)


def ended(model, history):
    return {
        "weights": [np.array(v) for v in model.variables],
        "optimizer": [np.array(v) for v in model.optimizer.variables],
        "epochs": history.epoch,
        "history": history.history,
    }


def assert_same(result, expected):
    """To the bit."""
    for kind in ("weights", "optimizer"):
        assert len(result[kind]) == len(expected[kind])
        for a, b in zip(result[kind], expected[kind]):
            np.testing.assert_array_equal(a, b)
    assert result["epochs"] == expected["epochs"]
    assert result["history"].keys() == expected["history"].keys()
    for name, values in expected["history"].items():
        np.testing.assert_array_equal(result["history"][name], values)


def killed_and_continued(folder, kill=(1, 2), **options):
    """The result of a run that died once; the second process has drawn other weights."""
    with pytest.raises(Killed):
        fit(folder, kill=kill, **options)
    return fit(folder, seed=1, **options)


def assert_continues(folder, kill=(1, 2), **options):
    result = killed_and_continued(folder / "killed", kill, **options)
    assert_same(result, fit(folder / "undisturbed", **options))
    return result
