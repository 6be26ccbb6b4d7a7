"""LiteRT files: the associated-file convention, and 8-bit arithmetic."""

import warnings
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from kerascnn.export import export

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_int8_with_labels_behind_the_network(run, tmp_path):
    done = export(run, tmp_path / "x", "litert", quantize="int8", max_accuracy_drop=0.1)
    assert done.file.read_bytes()[4:8] == b"TFL3"  # the flat buffer's own mark
    with zipfile.ZipFile(done.file) as archive:
        assert archive.namelist() == ["labels.json", "labels.txt"]
        assert archive.read("labels.txt").decode().split() == ["circle", "square", "triangle"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it moves to another package
        interpreter = tf.lite.Interpreter(str(done.file))
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["dtype"], made["dtype"]) == (np.uint8, np.float32)
    weights = [t for t in interpreter.get_tensor_details() if list(t["shape"]) == [64, 3, 3, 32]]
    assert weights[0]["dtype"] == np.int8
    assert len(weights[0]["quantization_parameters"]["scales"]) == 64
