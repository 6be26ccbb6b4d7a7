"""A run that is cut and continued ends as one that was not; see also test_resume_refusals.py."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn._errors import NonFiniteError
from kerascnn.callbacks import NaNWatch, Resume, _checkpoint
from tests.callbacks.runs import (
    FLOATS,
    LABELS,
    Killed,
    assert_continues,
    assert_same,
    compiled,
    fit,
    killed_and_continued,
    train,
)
from tests.callbacks.situations import EXACT, dtype_policy

ROOT = Path(__file__).parents[2]


def checkpoints(folder):
    return _checkpoint.listed(folder)


# --- the same to the bit ---------------------------------------------------------------------

SLOW = {"XLA", "at all times", "mixed_bfloat16", "class weights"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in EXACT]
)
def test_a_run_that_was_killed_ends_the_same(name, tmp_path):
    options = dict(EXACT[name])
    with dtype_policy(options.pop("policy", "float32")):
        assert_continues(tmp_path, **options)


def test_killed_twice(tmp_path):
    for seed, kill in enumerate([(0, 2), (1, 1)]):
        with pytest.raises(Killed):
            fit(tmp_path / "killed", kill=kill, seed=seed, every=1)
    assert_same(fit(tmp_path / "killed", seed=2), fit(tmp_path / "undisturbed"))


def test_a_finished_run_is_not_trained_again_and_can_be_made_longer(tmp_path):
    first = fit(tmp_path / "a")
    assert_same(fit(tmp_path / "a", seed=1), first)
    assert_same(fit(tmp_path / "a", seed=1, epochs=3), fit(tmp_path / "b", epochs=3))


def test_one_that_was_stopped_for_good_stays_so(tmp_path):
    def stop():
        return [keras.callbacks.EarlyStopping("loss", min_delta=9, patience=1)]

    first = fit(tmp_path, callbacks=stop, epochs=9)
    assert first["epochs"] == [0, 1]
    assert_same(fit(tmp_path, callbacks=stop, epochs=9, seed=1), first)
    assert Resume(tmp_path, train(), stop()).initial_epoch == sys.maxsize


class StopAt(keras.callbacks.Callback):
    """Ends training after a step, for good."""

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = batch == 1


def test_one_that_stops_within_an_epoch(tmp_path):
    first = fit(tmp_path, callbacks=lambda: [StopAt()], every=1)
    assert first["epochs"] == [0] and int(first["optimizer"][0]) == 2
    assert [path.name[:23] for path in checkpoints(tmp_path)] == [
        "epoch-0001-step-000000-",
        "epoch-0000-step-000001-",  # none after the step that ended it
    ]
    assert_same(fit(tmp_path, callbacks=lambda: [StopAt()], seed=1), first)


def test_every_epoch_and_the_last_but_one_are_kept(tmp_path):
    fit(tmp_path, every="epoch", epochs=3)
    assert [path.name[:23] for path in checkpoints(tmp_path)] == [
        "epoch-0003-step-000000-",
        "epoch-0002-step-000000-",
    ]


# --- again in the same process ---------------------------------------------------------------


def test_a_fit_that_raised_can_be_repeated_with_the_same_model(tmp_path):
    """A notebook: the folder is not locked, and the learning rate is no new choice."""

    class Halve(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            rate = self.model.optimizer.learning_rate
            self.model.optimizer.learning_rate = 0.5 * rate

    keras.utils.set_random_seed(0)
    model = compiled()()
    with pytest.raises(Killed):
        fit(tmp_path / "a", model=model, callbacks=lambda: [Halve()], kill=(1, 2))
    result = fit(tmp_path / "a", model=model, callbacks=lambda: [Halve()], seed=1)
    assert_same(result, fit(tmp_path / "b", callbacks=lambda: [Halve()]))


def test_the_same_resume_serves_two_fits(tmp_path):
    keras.utils.set_random_seed(0)
    model, resume = compiled()(), Resume(tmp_path / "a", train())
    for epochs in (1, 2):
        history = model.fit(
            resume.data,
            epochs=epochs,
            initial_epoch=resume.initial_epoch,
            callbacks=[resume],
            shuffle=False,
            verbose=0,
        )
    assert history.epoch == [0, 1]
    expected = fit(tmp_path / "b")
    for a, b in zip(model.variables, expected["weights"]):
        np.testing.assert_array_equal(a, b)


class Stumble(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        raise Killed


def test_a_model_whose_fit_was_cut_while_batches_were_passed_over_trains_on(tmp_path):
    with pytest.raises(Killed):
        fit(tmp_path, kill=(0, 3))
    model, resume = compiled()(), Resume(tmp_path, train(), every=2)
    with pytest.raises(Killed):
        model.fit(resume.data, callbacks=[resume, Stumble()], shuffle=False, verbose=0)
    before = model.get_weights()[0]
    model.fit(FLOATS, LABELS, verbose=0)
    assert (model.get_weights()[0] != before).any()


# --- data that does not know its position ----------------------------------------------------


def as_arrays():
    return {"x": FLOATS, "y": LABELS, "batch_size": 8}


def as_dataset():
    import tensorflow as tf

    return {"x": tf.data.Dataset.from_tensor_slices((FLOATS, LABELS)).batch(8)}


@pytest.mark.parametrize("given", [as_arrays, as_dataset])
def test_other_data_continues_at_the_epoch_and_says_so(given, tmp_path, caplog):
    def train_on(folder, epochs, kill=None, seed=0):
        keras.utils.set_random_seed(seed)
        model, resume = compiled()(), Resume(folder)
        stumble = [Stumble()] if kill else []
        history = model.fit(
            **given(),
            epochs=epochs,
            initial_epoch=resume.initial_epoch,
            callbacks=[resume, *stumble] if kill else [resume],
            shuffle=False,
            verbose=0,
        )
        return {**ended_weights(model), "epochs": history.epoch, "history": history.history}

    train_on(tmp_path / "a", 1)
    assert "a run that is cut continues at the start of its epoch" in caplog.text
    with pytest.raises(Killed):
        train_on(tmp_path / "a", 2, kill=True, seed=1)
    assert_same(train_on(tmp_path / "a", 2, seed=2), train_on(tmp_path / "b", 2))


def ended_weights(model):
    optimizer = [np.array(v) for v in model.optimizer.variables]
    return {"weights": [np.array(v) for v in model.variables], "optimizer": optimizer}


def test_data_of_ours_is_not_warned_about(tmp_path, caplog):
    fit(tmp_path)
    assert not caplog.text


# --- other moments ---------------------------------------------------------------------------


class Spoil(keras.callbacks.Callback):
    """Makes a weight NaN in an epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.model.variables[-1].assign([np.nan, 0, 0])


def test_weights_that_are_not_finite_are_never_saved(tmp_path, caplog):
    fit(tmp_path, callbacks=lambda: [Spoil()], every="epoch")
    assert "Not saved: sequential" in caplog.text and "/bias is not finite" in caplog.text
    assert [_checkpoint.load(path).epoch for path in checkpoints(tmp_path)] == [1]


def test_nan_watch_gets_the_newest_checkpoint_back(tmp_path):
    class SpoilAStep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                self.model.variables[-1].assign([np.nan, 0, 0])

    model = compiled()()
    watch = lambda: [SpoilAStep(), NaNWatch(train())]  # noqa: E731
    with pytest.raises(NonFiniteError, match=r"The model is as it was after epoch 1, step 2\."):
        fit(tmp_path, model=model, callbacks=watch)
    assert int(model.optimizer.iterations) == 2
    assert np.isfinite(model.get_weights()[-1]).all()


def test_logs_may_hold_anything(tmp_path):
    class Logs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs.update(array=np.arange(3), scalar=np.float32(epoch), text="a", thing=Killed)

    history = killed_and_continued(tmp_path, callbacks=lambda: [Logs()])["history"]
    np.testing.assert_array_equal(history["array"], [[0, 1, 2]] * 2)
    assert (history["scalar"], history["text"]) == ([0, 1], ["a", "a"])


JAX = """
import sys
from kerascnn.callbacks import Resume
from tests.callbacks.runs import compiled, train
model, resume = compiled(run_eagerly=False)(), Resume(sys.argv[1], train())
model.fit(resume.data, callbacks=resume, epochs=3, shuffle=False, verbose=0)
"""


@pytest.mark.thorough
def test_on_jax_a_resume_that_is_no_list_is_refused(tmp_path):
    pytest.importorskip("jax")
    env = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", JAX, tmp_path], env=env, capture_output=True, text=True
    )
    assert run.returncode and "Pass a list to fit: callbacks=[resume]." in run.stderr
    assert not checkpoints(tmp_path)
