"""Weights load completely or not at all, and a refusal is one sentence."""

import shutil

import h5py
import numpy as np
import pytest

from kerascnn import InputError, weights
from kerascnn.models import LeNet5
from kerascnn.weights import loading
from kerascnn.weights.manifest import FOLDER

# Keras 3.15 saves TensorFlow variables through NumPy 1's __array__.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PACKAGED = FOLDER / "lenet5_mnist.weights.h5"


@pytest.fixture
def path(tmp_path):
    return shutil.copy(PACKAGED, tmp_path / "copy.weights.h5")


def equal(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights()))


def refused(model, path, message):
    """Loading raises one sentence, and the model keeps the weights that it had."""
    before = model.get_weights()
    with pytest.raises(InputError, match=message) as error:
        weights.load(model, path)
    assert "\n" not in str(error.value)
    assert all(np.array_equal(v, w) for v, w in zip(before, model.get_weights()))


def test_a_name_a_path_and_keras_itself_give_the_same_model(path):
    by_name, by_path, by_keras = LeNet5(weights="mnist"), LeNet5(weights=path), LeNet5()
    by_keras.load_weights(path)
    assert equal(by_name, by_path)
    assert equal(by_name, by_keras)
    assert not equal(by_name, LeNet5())


def test_what_a_trained_model_saved_loads_without_its_optimiser(tmp_path):
    model = LeNet5(classes=2, name="other")
    model.compile("adam", loss="sparse_categorical_crossentropy")
    model.train_on_batch(np.zeros((1, 32, 32, 1)), np.zeros(1))
    model.save_weights(tmp_path / "a.weights.h5")
    assert equal(model, LeNet5(classes=2, weights=tmp_path / "a.weights.h5"))


def test_features_take_their_part_of_the_file():
    whole, features = LeNet5(weights="mnist"), LeNet5(include_top=False, weights="mnist")
    for name in ("c1", "s2", "c3", "s4", "c5"):
        assert equal(whole.get_layer(name), features.get_layer(name))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 5}, r"`output` is \(84, 10\) \+ \(10,\) in the file and \(84, 5\) \+ \(5,\)"),
        ({"input_shape": (32, 32, 3)}, r"`c1` is \(5, 5, 1, 6\)"),
        ({"variant": "modern"}, r"`c3` is .*`s2` is \(6,\) \+ \(6,\) in the file and missing"),
        ({"output": "rbf"}, "`output` is"),
        ({"input_shape": (36, 36, 1)}, r"`f6` is \(120, 84\).*\(480, 84\)"),
    ],
)
def test_another_model_is_refused_whole(options, message, path):
    refused(LeNet5(**options), path, message)


def test_a_layer_that_the_file_lacks_is_named(tmp_path):
    LeNet5(include_top=False).save_weights(tmp_path / "c5.weights.h5")
    refused(LeNet5(), tmp_path / "c5.weights.h5", "`f6` is missing in the file")


@pytest.mark.parametrize("kept", [0, 100, 5000, 0.5, 0.999])
def test_a_truncated_file_is_refused(path, kept):
    data = PACKAGED.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    refused(LeNet5(), path, "truncated, damaged or of another format")


def test_other_files_are_refused(tmp_path, path):
    path.write_bytes(b"not HDF5")
    refused(LeNet5(), path, "of another format")
    with h5py.File(path, "w") as file:
        file["layers"] = 3
    refused(LeNet5(), path, "of another format")
    refused(LeNet5(), tmp_path / "none.weights.h5", "No such file.*Check the path")
    refused(LeNet5(), tmp_path, "ends in .weights.h5")


def test_altered_packaged_weights_are_refused(tmp_path, monkeypatch, path):
    data = bytearray(PACKAGED.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / PACKAGED.name).write_bytes(data)
    monkeypatch.setattr(loading, "FOLDER", tmp_path)
    with pytest.raises(InputError, match=f"{PACKAGED.name} are damaged.*Install kerascnn again"):
        LeNet5(weights="mnist")
