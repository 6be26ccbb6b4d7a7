"""ONNX: what ONNX Runtime, and with it most other programs, run."""

import tempfile
from pathlib import Path

from kerascnn.export._network import INPUT, OUTPUT

FILE, NEEDS, INT8 = "model.onnx", ("onnx", "onnxruntime", "tf2onnx"), True
_OPSET = 18
_BATCH = 16  # photos that calibrate at a time
_LABELS = "labels"  # key of the metadata


def write(network, folder, labels, calibration=None):
    """Write the network, quantised where there are uint8 photos to calibrate with."""
    import onnx
    from tf2onnx import convert

    proto, _ = convert.from_function(network, network.input_signature, opset=_OPSET)
    path = folder / FILE
    onnx.save(proto, path)
    if calibration is not None:
        _quantize(path, calibration)
        proto = onnx.load(path)
    onnx.helper.set_model_props(proto, {_LABELS: labels.read_text("utf-8")})
    onnx.save(proto, path)


def runner(file):
    """A function from uint8 photos to probabilities."""
    session = _session(file)
    return lambda images: session.run([OUTPUT], {INPUT: images})[0]


def labels_in(file):
    """The text of labels.json that travels in its metadata."""
    return _session(file).get_modelmeta().custom_metadata_map[_LABELS]


def _session(file):
    import onnxruntime

    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def _quantize(path, calibration):
    """Static quantisation: 8-bit weights, one scale a channel, 8-bit activations.

    The softmax stays as it is: in steps of 1/256 unlikely classes would all be 0.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    batches = [calibration[i : i + _BATCH] for i in range(0, len(calibration), _BATCH)]

    class Batches(quantization.CalibrationDataReader):
        def __init__(self):
            self.rest = iter(batches)

        def get_next(self):
            batch = next(self.rest, None)
            return None if batch is None else {INPUT: batch}

    with tempfile.TemporaryDirectory() as temporary:
        folded = Path(temporary, FILE)  # normalisation within the convolutions
        quant_pre_process(str(path), str(folded), skip_symbolic_shape=True)
        nodes = onnx.load(folded).graph.node
        quantization.quantize_static(
            str(folded),
            str(path),
            Batches(),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=[node.name for node in nodes if node.op_type == "Softmax"],
        )
