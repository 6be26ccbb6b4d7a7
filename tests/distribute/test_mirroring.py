"""Two devices of one process give the weights of one."""

import json
import logging

import keras
import pytest

import kerascnn as kc
from kerascnn import InputError
from tests.distribute.conftest import HERE, assert_same_validation, largest_difference, weights

pytestmark = pytest.mark.thorough


def test_two_devices_give_the_weights_of_one(alone, run_python, tmp_path):
    ended = run_python(HERE / "mirror.py", tmp_path, "fit", KERAS_BACKEND="tensorflow")
    assert ended.returncode == 0, ended.stderr
    expected, history = alone
    # TensorFlow's synchronised variance is E(x^2) - E(x)^2: less exact than that of one device.
    assert largest_difference(weights(tmp_path / "two.npz"), expected) < 3e-5
    assert_same_validation(json.loads((tmp_path / "two.json").read_text()), history)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_cut_and_continued_it_gives_the_same_to_the_bit(alone, run_python, tmp_path, backend):
    ended = run_python(HERE / "mirror.py", tmp_path, "continue", KERAS_BACKEND=backend)
    assert ended.returncode == 0, ended.stderr
    assert largest_difference(weights(tmp_path / "cut.npz"), weights(tmp_path / "two.npz")) == 0
    assert largest_difference(weights(tmp_path / "two.npz"), alone[0]) < 3e-5


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_fine_tuning_on_two_devices(run_python, tmp_path, backend):
    ended = run_python(HERE / "mirror.py", tmp_path, "finetune", KERAS_BACKEND=backend)
    assert ended.returncode == 0, ended.stderr
    one, two = (weights(tmp_path / f"{name}.npz") for name in ("none", "mirrored"))
    assert largest_difference(one, two) < 3e-5
    rows = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("none", "mirrored")]
    assert [row["stage"] for row in rows[0]] == ["partial"] * 3 + ["full"] * 3
    for one, two in zip(*rows):
        assert two["val_loss"] == pytest.approx(one["val_loss"], rel=1e-4)


def test_one_device_is_used_as_it_is(caplog):
    with caplog.at_level(logging.WARNING, "kerascnn"), kc.distribute.mirrored(["CPU:0"]) as count:
        assert count == 1
    assert "cpu:0 is the only device" in caplog.text


def test_a_device_that_is_not_there_is_refused():
    refused = pytest.raises(InputError, match="no device 'gpu:7'.*There are: cpu:0")
    with refused, kc.distribute.mirrored(["cpu:0", "gpu:7"]):
        pass


def test_batch_normalisation_of_models_within_models_is_synchronised():
    normalize = keras.layers.BatchNormalization
    inner = keras.Sequential([keras.Input((2,)), normalize()])
    model = keras.Sequential([keras.Input((2,)), inner, normalize(), keras.layers.Dense(1)])
    assert kc.distribute.synchronized(model) is model
    assert inner.layers[0].synchronized and model.layers[1].synchronized
