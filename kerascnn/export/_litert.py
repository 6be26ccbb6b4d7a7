"""LiteRT (TensorFlow Lite): what runs on phones and microcontrollers."""

import contextlib
import json
import tempfile
import warnings
import zipfile

from kerascnn.export import _saved_model
from kerascnn.export._network import INPUT, OUTPUT

FILE, NEEDS, INT8 = "model.tflite", (), True


def write(network, folder, labels, calibration=None):
    """Write the network, quantised where there are uint8 photos to calibrate with.

    The labels follow as a zip archive behind the network, which is LiteRT's own form of metadata
    for associated files.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as temporary:
        _saved_model.write(network, temporary, labels)
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary)
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ({INPUT: x[None]} for x in calibration)
        with _without_advice():
            content = converter.convert()
    path = folder / FILE
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(labels, "labels.json")
        if names := json.loads(labels.read_text("utf-8"))["class_names"]:
            archive.writestr("labels.txt", "\n".join(names))  # what its own tools read


def runner(file):
    """A function from uint8 photos to probabilities."""
    import tensorflow as tf

    with _without_advice():
        interpreter = tf.lite.Interpreter(str(file))
    network = interpreter.get_signature_runner("serving_default")
    return lambda images: network(**{INPUT: images})[OUTPUT]


def labels_in(file):
    """The text of labels.json that travels behind it."""
    with zipfile.ZipFile(file) as archive:
        return archive.read("labels.json").decode()


@contextlib.contextmanager
def _without_advice():
    """TensorFlow 2.21 announces that its interpreter moves to another package."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated")
        yield
