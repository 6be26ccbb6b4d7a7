"""OpenVINO's own form: a description (.xml) and its weights (.bin)."""

import tempfile
from pathlib import Path

from kerascnn.export import _onnx, _saved_model
from kerascnn.export._network import INPUT
from kerascnn.transfer.engines import openvino_core

FILE, NEEDS, INT8 = "model.xml", ("openvino",), True
_LABELS = "labels"  # key of the runtime information


def write(network, folder, labels, calibration=None):
    """Write the network; where there are uint8 photos to calibrate with, through an int8 ONNX file.

    OpenVINO reads the 8-bit operations of ONNX, and a SavedModel whose weights are constants.
    """
    import openvino

    with tempfile.TemporaryDirectory() as temporary:
        if calibration is None:
            _saved_model.write(network, temporary, labels)
            model = openvino_core().read_model(temporary)
        else:
            _onnx.write(network, Path(temporary), labels, calibration)
            model = openvino_core().read_model(Path(temporary, _onnx.FILE))
        model.set_rt_info(labels.read_text("utf-8"), _LABELS)
        openvino.save_model(model, folder / FILE, compress_to_fp16=False)


def runner(file):
    """A function from uint8 photos to probabilities, computed in float32."""
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    network = openvino_core().compile_model(file, "CPU", hint)
    return lambda images: network({INPUT: images})[0]


def labels_in(file):
    """The text of labels.json that travels in its runtime information."""
    return openvino_core().read_model(file).get_rt_info(_LABELS).astype(str)
