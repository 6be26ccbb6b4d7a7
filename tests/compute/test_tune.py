"""What is chosen, why, and that the model and its data stay as they are."""

import random

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.compute import _race, _trial

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="XLA is a choice on TensorFlow alone"
)


def network(units=8, scale=1.0):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(units, "relu", name="hidden"),
            keras.layers.Rescaling(scale, name="scale"),
            keras.layers.Dropout(0.5, name="dropout"),
            keras.layers.Dense(2, name="out"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse", metrics=["mae"])
    return model


def arrays(rows=128):
    x = np.random.default_rng(0).normal(size=(rows, 6)).astype("float32")
    return x, x[:, :2]


def state(model):
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


@pytest.fixture
def device(monkeypatch):
    """A device of known speed in place of the clock and the compiler.

    {(precision, XLA, steps at once) or size of a batch: images a second, one for each round, or an
    error that starting it raises}.
    """
    known = {}

    def start(trial, model, rows):
        trial.model, trial.loss, trial.seconds = model, 1.0, 1.0
        for rate, *_ in of(trial):
            if isinstance(rate, Exception):
                raise rate

    def of(trial):
        choice = trial.choice
        key = choice.precision, choice.jit_compile, choice.steps_per_execution
        return known.get(key, (100,)), known.get(choice.micro_batch_size, (1,))

    def measure(trial):
        rates = [rates[len(trial.ratios) % len(rates)] for rates in of(trial)]
        return rates[0] * rates[1]

    monkeypatch.setattr(_trial.Trial, "start", start)
    monkeypatch.setattr(_trial.Trial, "measure", measure)
    return known


def tried(choice):
    keys = "precision", "jit_compile", "steps_per_execution"
    return {tuple(row[key] for key in keys): row for row in choice.rows}


def settings(choice):
    return choice.precision, choice.jit_compile, choice.steps_per_execution


HALF = "mixed_bfloat16"


@on_tensorflow
def test_everything_is_measured_and_nothing_else_changes():
    model, data = network(), arrays()
    model.fit(*data, batch_size=32, verbose=0)
    kept, numbers = state(model), (random.getstate(), np.random.get_state()[1].copy())
    function = model.train_function
    choice = kc.tune_compute(model, data, seconds=9, steps_per_execution=(1, 4))
    assert all(np.array_equal(a, b) for a, b in zip(state(model), kept))
    assert model.train_function is function and model.steps_per_execution == 1
    assert random.getstate() == numbers[0] and (np.random.get_state()[1] == numbers[1]).all()
    base, *others = choice.rows
    assert (base["ratio"], base["note"]) == (1.0, "as it is")
    assert {row["precision"] for row in choice.rows} == {"float32", HALF, "mixed_float16"}
    assert all(row["ratio"] or row["note"] for row in others)
    assert any(settings(choice) == key for key in tried(choice))
    assert str(choice).count("chosen") == 1


@on_tensorflow
@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ({}, ("float32", False, 1)),
        ({(HALF, False, 1): (150,)}, (HALF, False, 1)),
        ({(HALF, False, 1): (102,)}, ("float32", False, 1)),  # not worth it
        ({(HALF, False, 1): (140, 90, 150)}, ("float32", False, 1)),  # not in every round
        ({("float32", False, 4): (130,)}, ("float32", False, 4)),
        ({("float32", True, 1): (200,), (HALF, True, 1): (230, 190)}, ("float32", True, 1)),
        (
            {("float32", True, 1): (200,), (HALF, True, 1): (230,), (HALF, False, 1): (120,)},
            (HALF, True, 1),
        ),
        ({(HALF, False, 1): (150,), (HALF, False, 4): (300,)}, (HALF, False, 4)),
        ({("mixed_float16", False, 1): (500,)}, ("float32", False, 1)),  # not asked for
    ],
)
def test_the_fastest_is_chosen_and_of_equals_the_simplest(device, rates, chosen):
    device.update(rates)
    options = {"precisions": (HALF,), "steps_per_execution": (4,)}
    assert settings(kc.tune_compute(network(), arrays(), **options)) == chosen


@on_tensorflow
def test_what_becomes_infinite_is_out():
    model = network(scale=1e6)
    model.get_layer("hidden").set_weights([np.zeros((6, 8)), np.full(8, 9.0)])
    model.get_layer("out").set_weights([np.full((8, 2), 1e-7), np.zeros(2)])
    options = {"precisions": ("mixed_float16",), "steps_per_execution": ()}
    choice = kc.tune_compute(model, arrays(), seconds=9, **options)
    assert choice.precision == "float32"
    assert "loss is NaN" in tried(choice)["mixed_float16", False, 1]["note"]


class Blurred(keras.layers.Layer):
    """Gives something else in half precision."""

    def call(self, x):
        return x if self.compute_dtype == "float32" else 3 * x


@on_tensorflow
def test_another_loss_is_out():
    keras.utils.set_random_seed(0)
    layers = keras.layers.Dense(2), Blurred(), keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile("sgd", "mse")
    options = {"precisions": (HALF,), "steps_per_execution": ()}
    choice = kc.tune_compute(model, arrays(), seconds=9, **options)
    assert "fails: the loss is" in tried(choice)[HALF, False, 1]["note"]


@on_tensorflow
def test_what_fails_is_out_with_its_reason(device):
    device["float32", True, 1] = (RuntimeError("no such kernel\nand a long trace"),)
    device["mixed_float16", False, 1] = (MemoryError("out of memory"),)
    rows = tried(kc.tune_compute(network(), arrays(), steps_per_execution=()))
    assert rows["float32", True, 1]["note"] == "fails: no such kernel"
    assert rows["mixed_float16", False, 1]["note"] == "does not fit the memory"
    assert (HALF, True, 1) not in rows  # XLA was out already


def test_no_time_is_said(device):
    choice = kc.tune_compute(network(), arrays(), seconds=1e-9)
    assert settings(choice)[0] == "float32" and choice.rows[0]["ratio"] == 1.0
    assert {row["note"] for row in choice.rows[1:]} == {"not tried: no time"}


def test_more_steps_at_once_than_an_epoch_has_are_not_tried(device):
    options = {"precisions": (), "steps_per_execution": (2, 4, 8)}
    choice = kc.tune_compute(network(), arrays(128), **options)  # 4 batches of 32
    assert {key[2] for key in tried(choice)} == {1, 2, 4}


# --- large batches ---------------------------------------------------------------------------

ALONE = {"precisions": (), "steps_per_execution": ()}


def test_a_batch_that_does_not_fit_is_made_of_parts(monkeypatch, device):
    def needed(race, choice):
        return 0.02 * choice.micro_batch_size * _race.psutil.virtual_memory().available

    monkeypatch.setattr(_race.Race, "_bytes", needed)
    choice = kc.tune_compute(network(), arrays(), batch_size=128, **ALONE)
    assert (choice.micro_batch_size, choice.accumulation_steps) == (32, 4)
    assert [row["micro_batch_size"] for row in choice.rows][:3] == [128, 64, 32]
    assert "estimated" in choice.rows[0]["note"] and choice.rows[0]["ratio"] is None
    assert choice.apply(network()).optimizer.gradient_accumulation_steps == 4


def test_smaller_batches_are_chosen_where_they_are_faster(device):
    device[32] = (1.5,)
    choice = kc.tune_compute(network(), arrays(), batch_size=64, **ALONE)
    assert (choice.micro_batch_size, choice.accumulation_steps) == (32, 2)
    assert "32 x 2" in str(choice)


def test_a_device_that_runs_out_of_memory_gets_smaller_batches(device):
    error = RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
    device.update(dict.fromkeys((30, 15, 32, 16), (error,)))
    choice = kc.tune_compute(network(), arrays(), batch_size=32, **ALONE)
    assert (choice.micro_batch_size, choice.accumulation_steps) == (8, 4)
    with pytest.raises(kc.InputError, match="15 images do not fit the memory"):
        kc.tune_compute(network(), arrays(), batch_size=30, **ALONE)
    with pytest.raises(RuntimeError, match="RESOURCE"):  # nobody asked for other batches
        kc.tune_compute(network(), arrays(), **ALONE)


# --- data ------------------------------------------------------------------------------------


class Halves(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return tuple(part[index * 8 : (index + 1) * 8] for part in arrays())


def forms():
    import tensorflow as tf

    x, y = arrays(48)
    yield (x, y), 32
    yield (x, y, np.ones(48)), 32
    yield tf.data.Dataset.from_tensor_slices((x, y)).batch(8), 8
    yield Halves(), 8


@pytest.mark.parametrize("number", range(4))
def test_any_data_that_fit_reads(number, device):
    data, size = list(forms())[number]
    choice = kc.tune_compute(network(), data, **ALONE)
    assert (choice.micro_batch_size, choice.rows[0]["ratio"]) == (size, 1.0)


def test_photos_and_their_position(device):
    images = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype="uint8")
    data = kc.data.from_arrays(images, [0, 1] * 20, batch_size=8)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    choice = kc.tune_compute(model, data, **ALONE)
    assert choice.micro_batch_size == 8 and data.train.epoch == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": keras.Sequential([keras.Input((6,))])}, "compile"),
        ({"data": iter([arrays()])}, "read again.*Received: "),
        ({"data": []}, "no batches of images and labels"),
        ({"precisions": ("half",)}, "Unknown precision 'half'"),
        ({"seconds": 0}, "seconds must be above 0"),
        ({"batch_size": -1}, "batch_size must be above 0"),
    ],
)
def test_what_cannot_be(change, message):
    with pytest.raises(kc.InputError, match=message):
        kc.tune_compute(**{"model": network(), "data": arrays(), "seconds": 1} | change)
