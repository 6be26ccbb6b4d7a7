"""ONNX files as ONNX's own checker and runtime see them."""

import collections

import onnx
import onnxruntime
import pytest

from kerascnn.export import export

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_file_is_valid_and_takes_any_number_of_photos(run, tmp_path):
    done = export(run, tmp_path / "x")
    onnx.checker.check_model(onnx.load(done.file), full_check=True)
    session = onnxruntime.InferenceSession(done.file)
    ((photos,), (output,)) = session.get_inputs(), session.get_outputs()
    assert (photos.name, photos.type, photos.shape[1:]) == ("images", "tensor(uint8)", [32, 32, 3])
    assert isinstance(photos.shape[0], str)  # a name, so any number
    assert (output.name, output.type, output.shape[1:]) == ("probabilities", "tensor(float)", [3])


def test_int8_weights_have_a_scale_for_each_channel(run, tmp_path):
    done = export(run, tmp_path / "x", quantize="int8", max_accuracy_drop=0.1)
    network = onnx.load(done.file).graph
    stored = {tensor.name: tensor for tensor in network.initializer}
    scales = {
        tuple(stored[node.input[0]].dims): tuple(stored[node.input[1]].dims)
        for node in network.node
        if node.op_type == "DequantizeLinear" and node.input[0] in stored
    }
    kernels = {dims: scale for dims, scale in scales.items() if len(dims) == 4}
    assert kernels[16, 3, 3, 3] == (16,) and kernels[64, 32, 3, 3] == (64,)
    counts = collections.Counter(node.op_type for node in network.node)
    assert not counts["BatchNormalization"]  # within the convolutions
