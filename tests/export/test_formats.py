"""Labels come back from the files themselves, and what is missing is named."""

import shutil
import sys

import keras
import pytest

from kerascnn import InputError
from kerascnn.export import export, labels
from kerascnn.export.formats import FORMATS, format_named

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
NAMES = ["blåbær", 'a "quoted" <b> & one', "line\nbreak"]


@pytest.fixture(scope="module")
def model():
    photos = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(photos))
    return keras.Model(photos, keras.layers.Dense(3, "softmax")(x))


@pytest.mark.parametrize("to", FORMATS)
def test_any_name_comes_back_from_the_file_alone(model, to, tmp_path):
    done = export(model, tmp_path / "x", to, labels=NAMES)
    about = {"class_names": NAMES, "image_size": [8, 8], "channels": 1, "resize": "stretch"}
    (done.path / "labels.json").unlink()
    assert labels(done.path) == labels(done.file) == about
    if to == "onnx":
        moved = shutil.copy(done.file, tmp_path / "renamed.onnx")
        assert labels(moved) == about


def test_labels_of_what_was_not_exported(tmp_path):
    for name, sentence in (
        ("none", "No exported model at .* Pass the folder"),
        ("photo.jpg", "No exported model at"),
        ("model.tflite", "is damaged, or was not made by kerascnn export"),
        ("model.onnx", "is damaged, or was not made by kerascnn export"),
        ("saved_model.pb", "is damaged, or was not made by kerascnn export"),
    ):
        if name != "none":
            (tmp_path / name).write_text("something else")
        with pytest.raises(InputError, match=sentence):
            labels(tmp_path / name)


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for to, quantize, sentence in (
        ("onnx", None, r'tf2onnx is not installed: pip install "kerascnn\[export\]"'),
        ("openvino", None, r'openvino is not installed: pip install "kerascnn\[openvino\]"'),
    ):
        with pytest.raises(InputError, match=sentence):
            format_named(to, quantize)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert format_named("openvino") is FORMATS["openvino"]
    with pytest.raises(InputError, match="onnxruntime is not installed"):
        format_named("openvino", "int8")  # by way of ONNX
