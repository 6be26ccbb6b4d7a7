"""What every callback keeps within `Resume`: a run that was killed ends as one that was not."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from tests.callbacks.runs import (
    FLOATS,
    LABELS,
    assert_same,
    compiled,
    fit,
    killed_and_continued,
    layers,
    train,
)

C = keras.callbacks
VALIDATION = (FLOATS[:9], LABELS[:9])


def sgd():
    return keras.optimizers.SGD(0.5)


def average():
    return keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)


def schedule(epoch, rate):
    return rate * 0.5 ** (epoch + 1)


def momentum():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def scheduled():
    return keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 30), momentum=0.9)


def two_layers():
    dense = [keras.layers.Dense(4, name="first"), keras.layers.BatchNormalization()]
    dense = [*dense, keras.layers.Dense(4, name="second"), keras.layers.Dense(3, name="last")]
    scaled = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return [keras.Input((6, 6, 1)), *scaled, *dense]


CALLBACKS = {  # name: (function of a folder that makes it, options of `fit`)
    "CSVLogger": (lambda folder: C.CSVLogger(folder / "log.csv", append=True), {}),
    "EarlyStopping": (
        lambda folder: C.EarlyStopping(
            "val_loss", patience=2, min_delta=9, restore_best_weights=True
        ),
        {},
    ),
    "History": (lambda folder: C.History(), {}),
    "LambdaCallback": (lambda folder: C.LambdaCallback(on_epoch_end=print), {}),
    "LearningRateScheduler": (lambda folder: C.LearningRateScheduler(schedule), {}),
    "ModelCheckpoint": (
        lambda folder: C.ModelCheckpoint(
            folder / "best.weights.h5", save_best_only=True, save_weights_only=True
        ),
        {},
    ),
    "ProgbarLogger": (lambda folder: C.ProgbarLogger(), {}),
    "ReduceLROnPlateau": (
        lambda folder: C.ReduceLROnPlateau(patience=0, min_delta=9, cooldown=1),
        {},
    ),
    "RemoteMonitor": None,  # sends what it sees to a server, and learns nothing
    "OrbaxCheckpoint": None,  # needs a package of its own; learns nothing that changes training
    "SwapEMAWeights": (lambda folder: C.SwapEMAWeights(swap_on_epoch=True), {"optimizer": average}),
    "TensorBoard": (lambda folder: C.TensorBoard(folder / "board"), {}),
    "TerminateOnNaN": (lambda folder: C.TerminateOnNaN(), {}),
    "LatePenalty": (lambda folder: kc.callbacks.LatePenalty(2), {}),
    "NaNWatch": (lambda folder: kc.callbacks.NaNWatch(train()), {}),
    "Doctor": (lambda folder: kc.callbacks.Doctor(train(), every_steps=2), {}),
    "BatchSizeGrowth": (lambda folder: kc.callbacks.BatchSizeGrowth([1, 3], 2), {}),
    "BoldDriver": (
        lambda folder: kc.callbacks.BoldDriver("val_loss", 1.5),
        {"optimizer": momentum},
    ),
    "DiagonalCurvature": (
        lambda folder: kc.callbacks.DiagonalCurvature(FLOATS, LABELS, samples=10),
        {"optimizer": lambda: kc.optimizers.StochasticDiagonalLM(0.01)},
    ),
    "DivergenceRestart": (
        lambda folder: kc.callbacks.DivergenceRestart(limit=1.01),
        {"optimizer": lambda: keras.optimizers.SGD(30.0, momentum=0.9)},
    ),
    "GradualUnfreezing": (
        lambda folder: kc.callbacks.GradualUnfreezing(["last", "second", None]),
        {"optimizer": momentum, "layers": two_layers},
    ),
    "LearningRateLogger": (
        lambda folder: kc.callbacks.LearningRateLogger(),
        {"optimizer": scheduled},
    ),
    "PlateauRollback": (
        lambda folder: kc.callbacks.PlateauRollback(patience=1, min_delta=0.1),
        {"optimizer": momentum},
    ),
    "PlateauRollback of a schedule": (
        lambda folder: kc.callbacks.PlateauRollback(patience=1, min_delta=9),
        {"optimizer": scheduled},
    ),
    "Snapshots": (lambda folder: kc.callbacks.Snapshots(folder, 2), {}),
    "StochasticWeightAveraging": (
        lambda folder: kc.callbacks.StochasticWeightAveraging(1, train()),
        {"optimizer": momentum, "layers": two_layers},
    ),
}
ELSEWHERE = {  # the first four are refused, or no callback of a run: test_resume.py
    *("Callback", "CallbackList", "BackupAndRestore", "Resume"),
    "LearningRateRangeTest",  # no run of its own: it undoes all it did
}
LONG = {name for name in CALLBACKS if hasattr(C, name)} - {"EarlyStopping", "ModelCheckpoint"}
TYPICAL = {"BatchSizeGrowth", "DivergenceRestart", "GradualUnfreezing", "ModelCheckpoint"}
MARKS = {name: [pytest.mark.thorough] * (name not in TYPICAL) for name in CALLBACKS}
MARKS |= {name: [pytest.mark.slow] for name in LONG}
KEPT = [pytest.param(name, marks=MARKS[name]) for name, row in CALLBACKS.items() if row]


a_dead_process_closes_no_file = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def test_every_callback_has_a_row():
    names = {name.removesuffix(" of a schedule") for name in CALLBACKS}
    assert names | ELSEWHERE == {*kc.callbacks.__all__, *public(C)}


def public(module):
    return {name for name in dir(module) if name[0].isupper()}


def options(name, folder):
    make, more = CALLBACKS[name]
    folder.mkdir(exist_ok=True)
    return {
        "callbacks": lambda: [make(folder)],
        "model": compiled(more.get("layers", layers), more.get("optimizer", sgd)),
        "validation_data": VALIDATION,
        "epochs": 4,
    }


MOMENTS = {  # (epoch, step) of the kill, and when checkpoints are written
    "within an epoch": ((1, 2), 2),
    "after an epoch": ((2, 0), "epoch"),
}


@a_dead_process_closes_no_file
@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize(
    "moment", ["within an epoch", pytest.param("after an epoch", marks=pytest.mark.slow)]
)
def test_killed_it_ends_the_same(name, moment, tmp_path):
    expected = fit(tmp_path / "a", **options(name, tmp_path / "1"))
    kill, every = MOMENTS[moment]
    given = options(name, tmp_path / "2") | {"every": every}
    assert_same(killed_and_continued(tmp_path / "2" / "run", kill, **given), expected)


@pytest.mark.parametrize("name", ["GradualUnfreezing", "PlateauRollback of a schedule"])
def test_fit_twice_in_a_process_is_fit_once(name, tmp_path):
    """The second `fit` finds the model as callbacks of the first one left it."""
    given, more = options(name, tmp_path), CALLBACKS[name][1]
    given["model"] = compiled(more.get("layers", layers), more["optimizer"], run_eagerly=False)
    expected = fit(tmp_path / "once", **given)
    keras.utils.set_random_seed(0)
    given["model"] = given["model"]()
    fit(tmp_path / "twice", **given | {"epochs": 2})
    assert_same(fit(tmp_path / "twice", **given), expected)
    assert all(np.isfinite(value).all() for value in expected["weights"])


@pytest.mark.thorough
def test_the_rows_make_them_act(tmp_path):
    """Training stops early, the rate falls twice: else their rows would say little."""
    stopped = fit(tmp_path / "a", **options("EarlyStopping", tmp_path / "1"))
    assert stopped["epochs"] == [0, 1, 2]
    reduced = fit(tmp_path / "b", **options("ReduceLROnPlateau", tmp_path / "2"))
    assert len(set(reduced["history"]["learning_rate"])) >= 3
    plain = fit(tmp_path / "c", **options("TerminateOnNaN", tmp_path / "3"))
    swapped = fit(tmp_path / "d", **options("SwapEMAWeights", tmp_path / "4"))
    assert plain["history"]["val_loss"] != swapped["history"]["val_loss"]
    for name in ("PlateauRollback", "PlateauRollback of a schedule", "DivergenceRestart"):
        rates = fit(tmp_path / name, **options(name, tmp_path / "5"))["history"]["learning_rate"]
        assert rates[-1] < rates[0] / 1.9, name


@pytest.mark.thorough
@a_dead_process_closes_no_file
def test_the_log_has_each_epoch_once(tmp_path):
    given = options("CSVLogger", tmp_path / "1")
    killed_and_continued(tmp_path, (2, 2), **given)
    rows = (tmp_path / "1" / "log.csv").read_text().splitlines()
    epochs = np.array([row.split(",")[0] for row in rows])
    assert epochs.tolist() == ["epoch", "0", "1", "2", "3"]
