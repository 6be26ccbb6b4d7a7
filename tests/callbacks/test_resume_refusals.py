"""What is no continuation of the run in the folder is refused, and says why."""

import keras
import pytest

from kerascnn import InputError
from kerascnn.callbacks import Resume, _checkpoint
from tests.callbacks.runs import (
    FLOATS,
    LABELS,
    L,
    assert_same,
    compiled,
    fit,
    images,
    layers,
    train,
)
from tests.callbacks.situations import augmented, dtype_policy, one_hot, schedule


def checkpoints(folder):
    return _checkpoint.listed(folder)


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
