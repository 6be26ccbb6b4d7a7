"""A run that is cut and continued ends as one that was not; what does not fit is refused."""

import contextlib
import datetime
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn._errors import NonFiniteError
from kerascnn.callbacks import NaNWatch, Resume, _checkpoint
from tests.callbacks.runs import (
    FLOATS,
    LABELS,
    Killed,
    L,
    assert_continues,
    assert_same,
    compiled,
    fit,
    images,
    killed_and_continued,
    layers,
    train,
)

ROOT = Path(__file__).parents[2]


def checkpoints(folder):
    return _checkpoint.listed(folder)


# --- the same to the bit ---------------------------------------------------------------------


class Subclassed(keras.Model):
    """Built by its first batch, with a metric of its own."""

    def __init__(self):
        super().__init__()
        self.layers_in_turn = [L.Rescaling(1 / 255), L.Flatten(), L.Dropout(0.2), L.Dense(3)]
        self.mine = keras.metrics.Mean(name="mine")

    def call(self, x, training=False):
        for layer in self.layers_in_turn:
            x = layer(x, training=training) if isinstance(layer, L.Dropout) else layer(x)
        return x

    def train_step(self, data):
        logs = super().train_step(data)
        self.mine.update_state(logs["loss"])
        return {**logs, "mine": self.mine.result()}


def nested():
    inner = keras.Sequential([keras.Input((36,)), L.Dense(5), L.Dropout(0.5)])
    inputs = keras.Input((6, 6, 1))
    x = inner(L.Flatten()(L.Rescaling(1 / 255)(inputs)))
    return keras.Model(inputs, L.Dense(3)(x))


def within(*some):
    return lambda: [keras.Input((6, 6, 1)), L.Rescaling(1 / 255), *some_new(some), L.Dense(3)]


def some_new(some):
    return [layer() for layer in some]


def multi_optimizer():
    rows = {".*bias": keras.optimizers.SGD(0.1, momentum=0.9)}
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.01), rows)
    )


class ConfusionMatrix(keras.metrics.Metric):
    """A metric that is an array."""

    def __init__(self):
        super().__init__(name="confusion")
        self.counts = self.add_weight(shape=(3, 3), initializer="zeros", name="counts")

    def update_state(self, y_true, y_pred, sample_weight=None):
        rows = keras.ops.one_hot(keras.ops.reshape(y_true, (-1,)), 3)
        columns = keras.ops.one_hot(keras.ops.argmax(y_pred, axis=-1), 3)
        self.counts.assign_add(keras.ops.matmul(keras.ops.transpose(rows), columns))

    def result(self):
        return keras.ops.convert_to_tensor(self.counts)


def with_confusions():
    return compiled(weighted_metrics=[ConfusionMatrix()])()


class OwnData:
    """A user's data: two inputs by name and sample weights; only `batch` is asked for."""

    num_batches = 4

    def batch(self, epoch, index):
        draw = np.random.default_rng([epoch, index])
        x = {"a": draw.normal(size=(8, 4)), "b": draw.normal(size=(8, 3))}
        return x, draw.integers(3, size=8), draw.random(8)


def two_inputs():
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((3,), name="b")}
    x = L.Concatenate()([inputs["a"], inputs["b"]])
    return keras.Model(inputs, L.Dense(3)(L.Dropout(0.2)(x)))


def only_inputs():
    """A data set without labels, for a model that has its own loss."""

    class Autoencoder(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(keras.ops.square(x - y_pred))

    model = Autoencoder([keras.Input((4,)), L.Dropout(0.3), L.Dense(4)])
    model.compile("adam", run_eagerly=True)
    return model


class OnlyInputs:
    num_batches = 4

    def batch(self, epoch, index):
        return (np.random.default_rng([epoch, index]).normal(size=(8, 4)).astype("float32"),)


def two_workers():
    data = train()
    data.workers = 2
    return data


def one_batch():
    return images(splits=["train"] * 8 + ["test"] * 32).train


def augmented():
    return images(one_hot=True).train.augment(L.RandomFlip(), L.RandomRotation(0.1), L.MixUp(0.4))


def one_hot():
    model = compiled()()
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    return model


def schedule():
    return keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 20))


def ema():
    return keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=3)


def accumulating():
    return keras.optimizers.SGD(0.1, gradient_accumulation_steps=3)


EXACT = {  # name: options of `fit`
    "as it comes": {},
    "every step": {"every": 1},
    "every epoch": {"every": "epoch"},
    "at all times": {"every": datetime.timedelta(microseconds=1)},
    "killed in the first epoch": {"kill": (0, 2)},
    "killed in the last step of an epoch": {"kill": (1, 3), "every": 4},
    "one batch an epoch": {"data": one_batch, "kill": (1, 0), "every": 1, "epochs": 4},
    "a graph": {"model": compiled(run_eagerly=False)},
    "XLA": {"model": compiled(run_eagerly=False, jit_compile=True)},
    "steps per execution": {
        "model": compiled(run_eagerly=False, steps_per_execution=2),
        "kill": (1, 3),
    },
    "steps per execution, the last ones": {
        "model": compiled(run_eagerly=False, steps_per_execution=2),
        "kill": (0, 3),
    },
    "two workers": {"data": two_workers},
    "augmentation": {"data": augmented, "model": one_hot},
    "mixed_float16": {"policy": "mixed_float16"},
    "mixed_bfloat16": {"policy": "mixed_bfloat16"},
    "several optimisers": {"model": compiled(optimizer=multi_optimizer)},
    "gradients accumulate": {"model": compiled(optimizer=accumulating)},
    "moving average": {"model": compiled(optimizer=ema)},
    "schedule": {"model": compiled(optimizer=schedule)},
    "noise and normalisation": {
        "model": compiled(
            within(L.Flatten, lambda: L.GaussianNoise(0.1), L.BatchNormalization, L.ReLU)
        )
    },
    "a layer in a layer": {
        "model": compiled(within(lambda: L.SpectralNormalization(L.Conv2D(2, 3)), L.Flatten))
    },
    "seeds drawn by Keras": {
        "model": compiled(within(L.RandomFlip, lambda: L.RandomCrop(6, 6), L.Flatten))
    },
    "a model in a model": {"model": compiled(nested)},
    "built by its first batch": {
        "model": compiled(lambda: [L.Rescaling(1 / 255), L.Flatten(), L.Dense(3)])
    },
    "a subclass": {"model": compiled(Subclassed)},
    "a metric that is an array": {"model": with_confusions},
    "two inputs, sample weights": {"model": compiled(two_inputs), "data": OwnData},
    "no labels": {"model": only_inputs, "data": OnlyInputs},
    "validation": {"validation_data": (FLOATS, LABELS)},
    "class weights": {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
}


@contextlib.contextmanager
def dtype_policy(name):
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


SLOW = {"XLA", "at all times", "mixed_bfloat16", "class weights"}


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


# --- what the user changed -------------------------------------------------------------------


def sgd(rate=0.1, **options):
    return compiled(optimizer=lambda: keras.optimizers.SGD(rate, **options))


def adam():
    return keras.optimizers.Adam(0.01)


def wide():
    return [*layers()[:-1], L.Dense(4), L.Dense(3)]


def unfrozen():
    made = layers()
    made[-1].trainable = False
    return made


def skip(twice):
    """The same layers, connected in another way."""
    inputs = keras.Input((6, 6, 1))
    x = L.Flatten()(inputs)
    y = L.Dense(36)(x)
    return keras.Model(inputs, L.Dense(3)(L.Add()([x, y] if twice else [y, y])))


def other_loss():
    model = compiled()()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", run_eagerly=True)
    return model


def renamed(**options):
    return lambda: images(**options).train


def larger_batches():
    return images(batch_size=9).train


def relabelled():
    """Two of the training photos have another label."""
    split = train()
    split.labels[:2] = (split.labels[:2] + 1) % 3
    return split


def of_splits(*named):
    return images(splits=named).train


class OwnDataOfImages:
    """As many batches of the same form, of a user."""

    num_batches = 4

    def batch(self, epoch, index):
        return train().batch(epoch, index)


CHANGES = {  # name: (options of the first fit, of the second, what is said)
    "layer": ({}, {"model": compiled(wide)}, r"model, layers, 4 Dense, units: was 3, is 4"),
    "frozen": ({}, {"model": compiled(unfrozen)}, r"4 Dense, trainable: was true, is false"),
    "rate of dropout": (
        {},
        {"model": compiled(lambda: [*layers()[:3], L.Dropout(0.3), L.Dense(3)])},
        r"3 Dropout, rate: was 0\.2, is 0\.3",
    ),
    "dtype": ({}, {"policy": "mixed_bfloat16"}, r'was "float32", is "mixed_bfloat16"'),
    "connections": (
        {"model": compiled(lambda: skip(True))},
        {"model": compiled(lambda: skip(False))},
        r"model, layers, 3 Add, inputs, .*: was \"layer 1\", is \"layer 2\"",
    ),
    "optimiser": (
        {},
        {"model": compiled(optimizer=adam)},
        r'compile, optimizer, .*was "SGD", is "Adam"',
    ),
    "option": (
        {"model": sgd()},
        {"model": sgd(momentum=0.9)},
        r"compile, optimizer, config, momentum: was 0\.0, is 0\.9",
    ),
    "schedule": (
        {"model": compiled(optimizer=schedule)},
        {"model": sgd()},
        r"compile, optimizer, config, learning_rate: was \{.*, is null",
    ),
    "loss": ({}, {"model": other_loss}, r"compile, loss"),
    "steps per execution": (
        {"model": compiled(run_eagerly=False)},
        {"model": compiled(run_eagerly=False, steps_per_execution=2)},
        r"compile, steps_per_execution: was 1, is 2",
    ),
    "callbacks": (
        {},
        {"callbacks": lambda: [keras.callbacks.TerminateOnNaN()]},
        r'callbacks: was \[\], is \["TerminateOnNaN"\]',
    ),
    "seed": ({}, {"data": renamed(seed=1)}, r"data, .*seed: was 0, is 1"),
    "batch size": ({}, {"data": larger_batches}, r"data, batch_size: was 8, is 9"),
    "augmentation": (
        {"data": augmented, "model": one_hot},
        {"data": lambda: images(one_hot=True).train, "model": one_hot},
        r"data, augment: was \[\[.*, is null",
    ),
    "photos": (
        {},
        {"data": lambda: of_splits(*["test"], *["train"] * 31, *["test"] * 7, "train")},
        r"run \(1 photo is new, 'array/39'; 1 photo is gone, 'array/0'\)",
    ),
    "labels": (
        {},
        {"data": relabelled},
        r"run \(2 photos are of another class, first 'array/\d+'\)",
    ),
    "other data": ({}, {"data": OwnDataOfImages}, r'data: was \{.*, is "OwnDataOfImages"'),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_run_is_refused_with_what_differs(name, tmp_path):
    first, second, said = CHANGES[name]
    fit(tmp_path, epochs=1, **first)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    second = dict(second)
    with (
        dtype_policy(second.pop("policy", "float32")),
        pytest.raises(InputError, match=said) as caught,
    ):
        fit(tmp_path, **second)
    assert "Choose another folder, or continue that run as it was." in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def with_version(folder, name, version):
    """As if another version of a package had made the newest checkpoint."""
    path = checkpoints(folder)[0]
    checkpoint = _checkpoint.load(path)
    checkpoint.state["identity"]["versions"][name] = version
    path.unlink()
    _checkpoint.save(folder, checkpoint)


def test_other_versions_are_refused_unless_told(tmp_path):
    fit(tmp_path, epochs=1)
    with_version(tmp_path, "keras", "3.0.0")
    with pytest.raises(InputError, match=r'versions, keras: was "3\.0\.0", is "'):
        fit(tmp_path)
    model, resume = compiled()(), Resume(tmp_path, train(), strict=False)
    options = {"epochs": 2, "initial_epoch": resume.initial_epoch, "shuffle": False}
    model.fit(resume.data, callbacks=[resume], verbose=0, **options)
    assert_same(fit(tmp_path, seed=1), fit(tmp_path.parent / "undisturbed"))


def test_a_new_learning_rate_is_used_and_told(tmp_path, caplog):
    fit(tmp_path, model=sgd(0.1), epochs=1)
    assert not caplog.text
    model = sgd(0.01)()
    fit(tmp_path, model=model)
    assert "The learning rate continues at 0.01, not at 0.1." in caplog.text
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    caplog.clear()
    fit(tmp_path, model=sgd(0.01), epochs=3)  # now the run's own
    assert not caplog.text


# --- wrong use -------------------------------------------------------------------------------


def misuse(folder, **options):
    resume = Resume(folder, train())
    options = {"callbacks": [resume], "shuffle": False, "verbose": 0} | options
    data = options.pop("x", resume.data)
    compiled()().fit(data, **options)


WRONG = {  # name: (options of fit, what is said)
    "shuffle": ({"shuffle": True}, r"Call model\.fit\(resume\.data, shuffle=False, \.\.\.\)"),
    "fewer steps": (
        {"steps_per_epoch": 2},
        r"has 4 batches, and fit was told 2\. Pass resume\.data to fit, and leave out",
    ),
    "the data itself": ({"x": train()}, r"fit does not read resume\.data"),
    "other data": ({"x": images().test}, r"An epoch of resume\.data has 4 batches, and fit was to"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name, tmp_path):
    options, said = WRONG[name]
    keras.utils.set_random_seed(2)  # whose shuffle begins with another batch than the first
    with pytest.raises(InputError, match=said):
        misuse(tmp_path, **options)
    assert not checkpoints(tmp_path)
    fit(tmp_path)  # the folder is free


def test_another_first_epoch_is_refused(tmp_path):
    fit(tmp_path, epochs=1)
    for wrong in (0, 2):
        resume = Resume(tmp_path, train())
        with pytest.raises(InputError, match=rf"begins at epoch {wrong}, but .* has 1 that are"):
            compiled()().fit(
                resume.data,
                epochs=3,
                initial_epoch=wrong,
                callbacks=[resume],
                shuffle=False,
                verbose=0,
            )
    assert fit(tmp_path)["epochs"] == [0, 1]


def test_a_model_that_cannot_be_built_is_refused(tmp_path):
    model = compiled(lambda: [L.Flatten(), L.Dense(3)])()
    with pytest.raises(InputError, match=r"Begin it with keras\.Input\(shape\), or call model\.bu"):
        model.fit(FLOATS, LABELS, callbacks=[Resume(tmp_path)], verbose=0)


@pytest.mark.parametrize("kind", ["BackupAndRestore", "Resume"])
def test_who_continues_runs_too_is_refused(kind, tmp_path):
    made = {"BackupAndRestore": keras.callbacks.BackupAndRestore, "Resume": Resume}[kind]
    with pytest.raises(InputError, match=f"{kind} saves and continues a run itself"):
        Resume(tmp_path / "a", train(), [made(str(tmp_path / "b"))])


def test_a_state_that_is_not_plain_is_refused(tmp_path):
    class Odd(keras.callbacks.Callback):
        def get_state(self):
            return {"of": object()}

    with pytest.raises(InputError, match=r"get_state\(\) of Odd must return numbers, strs"):
        fit(tmp_path, callbacks=lambda: [Odd()])


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


def test_on_jax_a_resume_that_is_no_list_is_refused(tmp_path):
    pytest.importorskip("jax")
    env = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", JAX, tmp_path], env=env, capture_output=True, text=True
    )
    assert run.returncode and "Pass a list to fit: callbacks=[resume]." in run.stderr
    assert not checkpoints(tmp_path)
