"""What runs a frozen network over photos: Keras, or OpenVINO where it is faster and agrees."""

import importlib.util
import logging
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn.transfer._options import check_engine

__all__ = ["KerasEngine", "OpenVINOEngine", "choose_engine"]

_MIN_COSINE = 0.9999  # float32 engines that agree less are not the same network
_log = logging.getLogger("kerascnn")


class KerasEngine:
    """`model.predict_on_batch`: bit-equal to Keras for the same batch shape."""

    name = "keras"
    batch_size = 32

    def __init__(self, model):
        self.model = model

    def __call__(self, batches):
        """Yield the list of outputs (float32 arrays) of each uint8 batch."""
        for batch in batches:
            outputs = self.model.predict_on_batch(batch.astype(np.float32))
            yield outputs if isinstance(outputs, list) else [outputs]


class OpenVINOEngine:
    """OpenVINO on the CPU, several batches in flight.

    The network becomes a TensorFlow graph whose weights are constants, which OpenVINO reads
    directly: under a second, where the way through ONNX takes many.

    Args:
        model: functional `keras.Model` with one image input, on Keras's TensorFlow backend.
        precision: "float32", or "bfloat16" for the matrix units of newer CPUs.
    """

    # Small batches fit the cache: 3.0 ms a photo at 8, 3.4 at 32 (MobileNetV2, two cores).
    batch_size = 8

    def __init__(self, model, precision="float32"):
        import openvino

        self.name = f"openvino-{precision}"
        core = openvino.Core()
        hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.pb"
            path.write_bytes(_constant_graph(model))
            network = core.read_model(path)
        settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "THROUGHPUT"}
        self._queue = openvino.AsyncInferQueue(core.compile_model(network, "CPU", settings))
        self._queue.set_callback(_keep)

    def __call__(self, batches):
        """Yield the list of outputs (float32 arrays) of each uint8 batch, in order."""
        done, ahead, number = {}, 2 * len(self._queue), -1
        for number, batch in enumerate(batches):
            self._queue.start_async({0: batch}, (done, number))
            if number >= ahead:
                yield self._take(done, number - ahead)
        for rest in range(max(0, number - ahead + 1), number + 1):
            yield self._take(done, rest)

    def _take(self, done, number):
        if number not in done:
            self._queue.wait_all()  # raises what went wrong, if anything did
        return done.pop(number)


def _keep(request, place):
    done, number = place
    done[number] = [tensor.data.copy() for tensor in request.output_tensors]


def _constant_graph(model):
    """The network as a serialised TensorFlow graph of uint8 photos, its weights as constants."""
    import tensorflow as tf

    state = [
        [variable.numpy() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]

    def call(images):
        return model.stateless_call(*state, tf.cast(images, tf.float32), training=False)[0]

    (shape,) = (tensor.shape for tensor in model.inputs)
    graph = tf.function(call, autograph=False)
    graph = graph.get_concrete_function(tf.TensorSpec(shape, tf.uint8)).graph
    return graph.as_graph_def().SerializeToString()


def choose_engine(model, engine="auto", precision="float32", sample=None):
    """The engine for `model`: what was asked for, or the faster of those that agree.

    "auto" is OpenVINO if it is installed, its outputs on `sample` have a cosine of at least
    0.9999 with Keras's, and it is faster there; else Keras, and the log says why.

    Args:
        model: functional `keras.Model` over raw photos.
        engine: "auto", "keras" or "openvino".
        precision: "float32", or "bfloat16" (OpenVINO only; its features differ).
        sample: uint8 array (N, H, W, C), the first photos; needed by "auto".

    Raises:
        InputError: unknown engine or precision, or OpenVINO is asked for and not available.
    """
    check_engine(engine, precision)
    missing = why_not_openvino()
    if missing and (engine == "openvino" or precision == "bfloat16"):
        asked = "engine='openvino'" if engine == "openvino" else "precision='bfloat16'"
        raise InputError(f"{asked} is not possible: {missing}")
    if precision == "bfloat16" or engine == "openvino":
        return OpenVINOEngine(model, precision)
    if engine == "keras" or missing or sample is None or len(sample) < 2:
        return KerasEngine(model)
    return _faster(model, sample)


def why_not_openvino():
    """A sentence that says why OpenVINO cannot be used, or None if it can."""
    if keras.backend.backend() != "tensorflow":
        return "OpenVINO is used from Keras's TensorFlow backend only (KERAS_BACKEND=tensorflow)."
    if importlib.util.find_spec("openvino") is None:
        return 'OpenVINO is not installed: pip install "kerascnn[openvino]".'
    return None


def _faster(model, sample):
    ours = KerasEngine(model)
    try:
        other = OpenVINOEngine(model)
        expected, keras_seconds = _timed(ours, sample)
        outputs, seconds = _timed(other, sample)
    except Exception as error:  # a network OpenVINO cannot read must not stop the work
        reason = " ".join(str(error).split())[:400]
        _log.warning("OpenVINO could not run this network (%s); Keras is used.", reason)
        return ours
    agreement = min(_cosine(a, b).min() for a, b in zip(expected, outputs))
    if agreement < _MIN_COSINE:
        _log.warning("OpenVINO's features differ (cosine %.5f); Keras is used.", agreement)
        return ours
    return other if seconds < keras_seconds else ours


def _timed(engine, sample):
    """(outputs, seconds) of one pass over the sample, after one to warm up."""
    size = min(engine.batch_size, len(sample) // 2 or 1)
    batches = [sample[i : i + size] for i in range(0, len(sample), size)]
    list(engine(batches[:1]))
    start = time.perf_counter()
    outputs = list(engine(batches))
    seconds = time.perf_counter() - start
    return [np.concatenate(parts) for parts in zip(*outputs)], seconds


def _cosine(a, b):
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(norms, 1e-12)
