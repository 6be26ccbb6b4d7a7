"""What is exported agrees with Keras, or is not there."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError
from kerascnn.export import export
from kerascnn.export.formats import FORMATS
from kerascnn.transfer import load_run
from tests.transfer.conftest import in_process, tiny_network

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("to", FORMATS)
def test_a_run_agrees_with_keras_on_its_validation_photos(run, result, photos, to, tmp_path):
    done = export(run, tmp_path / "new" / to, to)
    assert done.compared_on == f"12 validation photos in {photos}" and done.num_photos == 12
    assert done.agreement == 1 and done.max_difference < 1e-5
    assert done.accuracy == done.accuracy_before == result.metrics["validation_accuracy"]
    assert done.file.is_file() and done.path == tmp_path / "new" / to
    figures = json.loads((done.path / "check.json").read_text())
    shown = {key: str(value) for key, value in dataclasses.asdict(done).items()}
    assert {key: str(value) for key, value in figures.items()} | shown == shown
    network = FORMATS[to].runner(done.file)
    images = np.random.default_rng(1).integers(256, size=(5, 32, 32, 3), dtype=np.uint8)
    expected = result.model.predict_on_batch(images.astype(np.float32))
    for count in (1, 5, 2):  # any number at a time
        np.testing.assert_allclose(network(images[:count]), expected[:count], atol=1e-5)


def largest_file(done):
    """The weights: OpenVINO describes a network of this size in more bytes than they have."""
    return max(file.stat().st_size for file in done.path.iterdir() if file.suffix != ".xml")


@pytest.mark.parametrize(
    "to", ["onnx", *(pytest.param(to, marks=pytest.mark.slow) for to in ("litert", "openvino"))]
)
def test_int8_is_smaller_and_its_accuracy_is_measured(run, to, tmp_path):
    whole = export(run, tmp_path / "float", to)
    done = export(run, tmp_path / "int8", to, quantize="int8", max_accuracy_drop=0.1)
    assert largest_file(done) < 0.6 * largest_file(whole)
    assert whole.max_difference < done.max_difference < 0.2
    assert done.accuracy_before == whole.accuracy > 0.8
    assert done.accuracy_before - done.accuracy <= 0.1


def test_int8_that_costs_much_is_not_kept(run, photos, tmp_path):
    """Calibrated on black photos it is blind to all others."""
    for name in ("circle", "square"):
        (tmp_path / "photos/train" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "photos/train" / name / "black.png")
        (tmp_path / "photos/validation").mkdir(exist_ok=True)
        (tmp_path / "photos/validation" / name).symlink_to(photos / name)
    with pytest.raises(InputError, match=r"int8 takes the accuracy .* from .*% to .*, and may"):
        export(run, tmp_path / "x", quantize="int8", photos=tmp_path / "photos")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_what_differs_too_much_is_not_kept(run, tmp_path):
    with pytest.raises(InputError, match="differ from Keras's by up to .*e-.*Allow more with tol"):
        export(run, tmp_path / "x", tolerance=0)
    assert not list(tmp_path.iterdir())


def test_a_model_with_its_data_or_alone(result, tmp_path):
    done = export(result.model, tmp_path / "data", "saved_model", photos=result.data)
    assert done.compared_on == "12 validation photos" and done.accuracy > 0.8
    labels = json.loads((done.path / "labels.json").read_text())
    assert labels == {
        "class_names": result.class_names, "image_size": [32, 32], "channels": 3,
        "resize": "stretch",
    }  # fmt: skip
    names = {1: "b", 0: "a", 2: "c"}
    done = export(result.model, tmp_path / "alone", "saved_model", labels=names)
    assert json.loads((done.path / "labels.json").read_text())["class_names"] == ["a", "b", "c"]
    assert done.compared_on.startswith("noise") and done.accuracy is None


def test_mixed_precision_becomes_float32(result, tmp_path):
    from kerascnn.compute import to_precision

    half = to_precision(result.model, "mixed_bfloat16")
    done = export(half, tmp_path / "half", "onnx", photos=result.data)
    images = result.data.validation.images(range(12))
    outputs = FORMATS["onnx"].runner(done.file)(images)
    expected = result.model.predict_on_batch(images.astype(np.float32))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    assert half.get_layer("stage1_conv").compute_dtype == "bfloat16"


def test_wrong_use_is_one_sentence(run, result, tmp_path):
    two = keras.Model(result.model.input, [result.model.output] * 2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").touch()
    for model, options, sentence in (
        (run, {"to": "onix"}, "Unknown format 'onix'. Did you mean 'onnx'"),
        (run, {"quantize": "int4"}, "Unknown quantisation 'int4'"),
        (run, {"to": "saved_model", "quantize": "int8"}, "saved_model has no int8 form"),
        (result.model, {"quantize": "int8"}, "needs photos of known classes.*Pass photos="),
        (result.model, {"labels": ["cat"]}, "3 probabilities, and there are 1 labels"),
        (result.model, {"labels": "abc"}, "`labels` must be a list"),
        (two, {}, "has 1 inputs and 2 outputs"),
        (tiny_network, {}, "Pass a run folder, a Run or a keras.Model"),
        (tmp_path, {}, "No model at"),
    ):
        with pytest.raises(InputError, match=sentence):
            export(model, tmp_path / "x", **options)
    with pytest.raises(InputError, match="already exists and nothing in it was changed"):
        export(load_run(run), tmp_path / "full", "saved_model")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.slow
def test_another_backend_is_told_how(run, tmp_path):
    code = f"""
import kerascnn as kc
try:
    kc.export.export({str(run)!r}, {str(tmp_path / "x")!r})
except kc.InputError as error:
    print(error)
"""
    assert "KERAS_BACKEND=tensorflow and start again: the file" in in_process(
        code, KERAS_BACKEND="jax"
    )
