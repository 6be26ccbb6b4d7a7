"""Weights load completely or not at all, and a refusal is one sentence."""

import re
import shutil

import h5py
import keras
import numpy as np
import pytest

import kerascnn
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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.pth", r"a\.pth is a pickle.*`safetensors\.torch\.save_file\("),
        ("a.bin", "is a pickle"),
        ("a.keras", "is a whole model. Open it with kerascnn.load_model"),
        (
            "a.npz",
            r"Possible: None, a path that ends in \.weights\.h5, \.h5 or \.safetensors",
        ),
    ],
)
def test_files_of_other_kinds_are_refused_unopened(name, message, tmp_path):
    (tmp_path / name).mkdir()  # which cannot be opened
    refused(LeNet5(), str(tmp_path / name), message)


def test_names_of_another_form_are_told():
    message = (
        "Unknown weights 'imagenet' for ResNet101-v1.5. Possible: None, a path that ends in "
        ".weights.h5, .h5 or .safetensors. 'imagenet' exists for ResNet101(variant=\"v1\") "
        "(builder='ResNet101-v1') and ResNet101(variant=\"v2-keras\") "
        "(builder='ResNet101-v2-keras')."
    )
    with pytest.raises(InputError, match=re.escape(message)):
        weights.load(LeNet5(), "imagenet", builder="ResNet101-v1.5")
    with pytest.raises(InputError, match=r"'mnist' exists for LeNet5\(\) \(builder='LeNet5'\)"):
        weights.load(LeNet5(), "mnist")
    with pytest.raises(InputError, match=r"Possible: None, 'mnist', a path that ends in"):
        LeNet5(weights="imagenet")


def test_report_of_a_plain_load(path):
    report = weights.load(LeNet5(), path)
    layers = ("c1", "s2", "c3", "s4", "c5", "f6", "output")
    digest = weights.entry("LeNet5", "mnist")["sha256"]
    assert report == weights.Report(str(path), layers, sha256=digest)
    assert weights.load(LeNet5(), "mnist", builder="LeNet5").sha256 == digest
    assert str(report) == f"7 layers loaded from {path}"
    assert weights.load(LeNet5(), None).loaded == ()


def start(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def test_new_layers_keep_their_start_and_are_reported(path):
    model = LeNet5(classes=3)
    before = start(model)
    report = weights.load(model, path, new=["output"])
    assert report.new == report.skipped == ("output",)
    assert weights.load(model, path, new="output") == report
    assert report.loaded == ("c1", "s2", "c3", "s4", "c5", "f6")
    assert str(report).endswith("; new: output; skipped: output")
    after, trained = start(model), start(LeNet5(weights="mnist"))
    assert np.array_equal(after["output"][0], before["output"][0])
    assert all(np.array_equal(after[name][0], trained[name][0]) for name in report.loaded)


def test_new_layers_must_be_the_models(path):
    with pytest.raises(
        InputError, match="Unknown layer in `new`: 'outputs'. Did you mean 'output'"
    ):
        weights.load(LeNet5(), path, new=["outputs"])


def test_skipped_layers_are_named_or_matched(path):
    bare = LeNet5(include_top=False)
    assert weights.load(bare, path, skip=["f?", "output"]).skipped == ("f6", "output")
    refused(bare, path, r"`output` is .* missing in the model")
    # A layer that the model has cannot be skipped by the way.
    with pytest.raises(InputError, match="`f6` is missing in the file"):
        weights.load(LeNet5(), write(bare, path), skip=["f6"])


def write(model, path):
    model.save_weights(path)
    return path


def test_the_top_of_a_file_alone_may_be_left_out(path):
    """Not the rest of a deeper network."""
    deeper = LeNet5(include_top=False)
    deeper = keras.Model(deeper.input, keras.layers.Conv2D(9, 1, name="c9")(deeper.output))
    write(deeper, path)
    with pytest.raises(
        InputError, match=r"`c9` is \(1, 1, 120, 9\) \+ \(9,\) in the file and missing"
    ):
        LeNet5(include_top=False, weights=path)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_are_adapted_when_told(channels, path):
    rgb, other = LeNet5(input_shape=(32, 32, 3)), LeNet5(input_shape=(32, 32, channels))
    write(rgb, path)
    refused(other, path, rf"`c1` is .* call kerascnn\.weights\.load\(model, '{path}', adapt_input=")
    report = weights.load(other, path, adapt_input=True)
    assert report.adapted == ("c1",) and str(report).endswith("; adapted: c1")
    grey = np.random.default_rng(0).uniform(size=(2, 32, 32, 1)).astype("float32")
    if channels == 1:  # a grey picture is what it was as RGB
        a, b = rgb(np.repeat(grey, 3, axis=3)), other(grey)
        assert np.abs(np.asarray(a) - np.asarray(b)).max() < 1e-6
    else:
        kernel = rgb.get_layer("c1").kernel.numpy()
        assert np.allclose(other.get_layer("c1").kernel[:, :, 3], kernel[:, :, 0] * 0.75)
    assert weights.load(rgb, path, adapt_input=True).adapted == ()


@pytest.mark.parametrize(
    "options",
    [{"classes": 5}, {"input_shape": (36, 36, 1)}, {"input_shape": (40, 40, 1), "classes": 2}],
)
def test_the_call_in_a_refusal_works(options, path):
    model = LeNet5(**options)
    with pytest.raises(InputError, match="build the model with weights=None and call") as error:
        LeNet5(weights=path, **options)
    call = re.search(r"call (kerascnn\.weights\.load\(.*\))\.$", str(error.value))[1]
    report = eval(call, {"kerascnn": kerascnn, "model": model})
    assert report.new and len(report.loaded) + len(report.new) == 7


def test_the_call_names_the_builder_of_named_weights():
    with pytest.raises(InputError, match=r"'mnist', builder='LeNet5', new=\['output'\]\)\.$"):
        LeNet5(weights="mnist", classes=5)
    options = {"input_shape": (36, 36, 1), "name": "mine"}
    report = weights.load(LeNet5(**options), "mnist", builder="LeNet5", new=["f6", "output"])
    assert report.source == "'mnist'"


def test_a_file_without_top_is_fetched_where_no_top_is_wanted(monkeypatch, tmp_path):
    def fetch(name, row):
        fetched.append((name, row["file"].removesuffix(".h5")[-6:]))
        raise InputError("offline")

    fetched = []
    monkeypatch.setattr(loading, "fetch", fetch)
    model = LeNet5(classes=3)
    for new in ([], ["output"], ["f6", "output"]):
        with pytest.raises(InputError, match="offline"):
            weights.load(model, "imagenet", builder="VGG16", new=new)
    assert fetched == [("VGG16", "ernels"), ("VGG16", "ernels"), ("VGG16", "_notop")]


def test_altered_packaged_weights_are_refused(tmp_path, monkeypatch, path):
    data = bytearray(PACKAGED.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / PACKAGED.name).write_bytes(data)
    monkeypatch.setattr(loading, "FOLDER", tmp_path)
    with pytest.raises(InputError, match=f"{PACKAGED.name} are damaged.*Install kerascnn again"):
        LeNet5(weights="mnist")
