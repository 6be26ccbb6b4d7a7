"""What is measured for real, and that the model and its data stay as they are."""

import random

import keras
import numpy as np
import pytest

import kerascnn as kc
from tests.compute.conftest import ALONE, HALF, arrays, network, on_tensorflow, settings, tried


def state(model):
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


@pytest.mark.thorough
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


def test_more_steps_at_once_than_an_epoch_has_are_not_tried(device):
    options = {"precisions": (), "steps_per_execution": (2, 4, 8)}
    choice = kc.tune_compute(network(), arrays(128), **options)  # 4 batches of 32
    assert {key[2] for key in tried(choice)} == {1, 2, 4}


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
