"""The verdict takes every form of a history, and only what was measured in every epoch."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.doctor import after_training
from kerascnn.doctor.verdict import chance_loss

ROWS = {
    "accuracy": [0.5, 0.7, 0.9, 1.0, 1.0],
    "loss": [1.8, 1.0, 0.5, 0.2, 0.1],
    "val_accuracy": [0.5, 0.6, 0.65, 0.64, 0.63],
    "val_loss": [1.7, 1.2, 1.1, 1.4, 1.8],
}
LAYERS = [keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]


def checks(found):
    return [finding.check for finding in found.problems]


def test_overfitting_is_said_with_its_numbers_and_what_to_do():
    found = after_training(ROWS, chance=2.3)
    assert checks(found) == ["overfitting", "gap"]
    assert found[0].message == (
        "5 epochs: training loss 1.8 to 0.1, accuracy 100.0 %, lowest validation loss 1.1 after "
        "epoch 3, accuracy 65.0 %."
    )
    assert "EarlyStopping" in found.problems[0].advice


def test_after_the_best_epoch_nothing_counts_if_it_was_kept():
    found = after_training(ROWS, chance=2.3, best_kept=True)
    assert checks(found) == ["gap"]
    assert "90.0 %, validation accuracy 65.0 %" in found.problems[0].message


def test_every_form_of_a_history_says_the_same():
    model = keras.Sequential([keras.Input((4, 4, 1)), *LAYERS])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.default_rng(0).normal(size=(40, 4, 4, 1)), np.arange(40) % 10
    history = model.fit(x, y, validation_split=0.5, epochs=2, verbose=0)
    rows = [dict(zip(history.history, row)) for row in zip(*history.history.values())]
    expected = after_training(history).as_dicts()
    for form in (history.history, rows, [{"epoch": 1, "stage": "full", **row} for row in rows]):
        assert after_training(form, chance=np.log(10)).as_dicts() == expected


class Table:
    """As `pandas.read_csv` of what `CSVLogger` wrote."""

    def __init__(self, columns):
        self.columns = columns

    def __iter__(self):
        return iter(self.columns)

    def to_dict(self, orient):
        assert orient == "list"
        return {"epoch": [*range(5)], **self.columns}


def test_a_data_frame_is_a_history():
    alone = {name: values for name, values in ROWS.items() if not name.startswith("val_")}
    empty = {name: [np.nan] * 5 for name in ("val_accuracy", "val_loss")}
    for columns, same in ((ROWS, ROWS), (alone | empty, alone)):
        assert after_training(Table(columns), chance=2.3) == after_training(same, chance=2.3)
    assert "nan in epoch 1" in str(after_training(Table({"loss": [np.nan] * 5})).problems[0])


@pytest.mark.parametrize("wrong", [3, None, "log.csv", [1, 2], [{}], Table({"time": [1.0] * 5})])
def test_what_is_no_history(wrong):
    with pytest.raises(InputError, match="at least one epoch and its loss. Pass what fit returns"):
        after_training(wrong)


@pytest.mark.parametrize(
    "more",
    [
        {"val_loss": None, "val_accuracy": None},
        {"val_loss": [1.0, 2.0], "val_accuracy": [0.1, 0.2]},  # in every second epoch
        {"val_loss": [1.0, None, None, None, 1.0], "val_accuracy": ["a"] * 5},
    ],
)
def test_what_was_not_measured_is_skipped(more):
    rows = {name: values for name, values in {**ROWS, **more}.items() if values}
    found = {finding.check: finding.severity for finding in after_training(rows, chance=2.3)}
    skipped = {"validation", "overfitting", "gap", "easier", "noise"}
    assert skipped <= {check for check, severity in found.items() if severity == "skipped"}


@pytest.mark.parametrize("best_kept", [False, True])
def test_a_training_that_ended_in_nan_is_judged(best_kept):
    rows = {"loss": [2.0, 1.0, np.nan, np.nan], "val_loss": [2.0, np.nan, np.nan, np.nan]}
    assert checks(after_training(rows, chance=2.3, best_kept=best_kept))[0] == "divergence"
    rows = {"loss": [np.inf] * 12, "val_loss": [np.inf] * 12}
    assert "learning" in checks(after_training(rows, chance=2.3, best_kept=best_kept))


@pytest.mark.parametrize("history", [{}, [], {"loss": []}, {"accuracy": [1.0]}, [{"a": 1}]])
def test_a_history_without_a_loss_is_refused(history):
    with pytest.raises(InputError, match="at least one epoch and its loss"):
        after_training(history)


LOSSES = {
    "sparse_categorical_crossentropy": np.log(10),
    "CategoricalCrossentropy": np.log(10),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True): np.log(10),
    keras.losses.categorical_crossentropy: np.log(10),
    keras.losses.SparseCategoricalCrossentropy(reduction="sum"): None,
    keras.losses.SparseCategoricalCrossentropy(reduction="mean"): np.log(10),
    keras.losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight"): np.log(10),
    keras.losses.BinaryCrossentropy(reduction=None): None,
    "binary_crossentropy": np.log(2),
    keras.losses.BinaryFocalCrossentropy(): None,
    "mse": None,
    None: None,
}


@pytest.mark.parametrize("loss, expected", LOSSES.items(), ids=range(len(LOSSES)))
def test_the_loss_of_guessing(loss, expected):
    model = keras.Sequential([keras.Input((4, 4, 1)), *LAYERS])
    model.compile("sgd", loss)
    assert chance_loss(model) == (expected and pytest.approx(expected))


def test_several_outputs_have_no_loss_of_guessing():
    x = keras.Input((3,))
    model = keras.Model(x, [keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)])
    model.compile("sgd", "categorical_crossentropy")
    assert chance_loss(model) is None
