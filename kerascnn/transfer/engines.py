"""What runs a frozen network over photos: Keras, or what is faster on a CPU and agrees with it."""

import functools
import importlib.util
import logging
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._random import is_reproducible
from kerascnn.transfer._options import check_engine

__all__ = ["KerasEngine", "OpenVINOEngine", "TensorFlowEngine", "choose_engine"]

_COMPARED = 4  # photos on which features are compared with Keras's
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


class TensorFlowEngine:
    """TensorFlow with the weights as constants, so that it folds normalisation into convolutions.

    Faster than Keras on a CPU, and not bit-equal to it: relative differences stay below 1e-5.
    """

    name = "tensorflow"
    batch_size = 16

    def __init__(self, model):
        self._graph = _constant_graph(model)

    def __call__(self, batches):
        """Yield the list of outputs (float32 arrays) of each uint8 batch."""
        import tensorflow as tf

        for batch in batches:
            outputs = self._graph(tf.constant(batch))
            yield [tensor.numpy() for tensor in tf.nest.flatten(outputs)]


class OpenVINOEngine:
    """OpenVINO on the CPU, several batches in flight.

    The network becomes a TensorFlow graph whose weights are constants, which OpenVINO reads
    directly: under a second, where the way through ONNX takes many.

    Args:
        model: functional `keras.Model` with one image input, on Keras's TensorFlow backend.
        precision: "float32", or "bfloat16" for the matrix units of newer CPUs.
    """

    # Several small batches in flight: their activations fit the cache.
    batch_size = 8

    def __init__(self, model, precision="float32"):
        import openvino

        self.name = f"openvino-{precision}"
        core = openvino_core()
        hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.pb"
            path.write_bytes(_constant_graph(model).graph.as_graph_def().SerializeToString())
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


@functools.cache
def openvino_core():
    """One for the whole process: OpenVINO 2026.4 takes over the memory that signals are handled in.

    Each core puts back at its end what it found, so two that end in the order they began leave
    memory that is freed, and the next Ctrl-C crashes Python.
    """
    import openvino

    return openvino.Core()


def _keep(request, place):
    done, number = place
    done[number] = [tensor.data.copy() for tensor in request.output_tensors]


def _constant_graph(model):
    """The network as a TensorFlow function of uint8 photos, its weights as constants."""
    import tensorflow as tf

    state = [
        [variable.numpy() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]

    def call(images):
        return model.stateless_call(*state, tf.cast(images, tf.float32), training=False)[0]

    (shape,) = (tensor.shape for tensor in model.inputs)
    graph = tf.function(call, autograph=False)
    return graph.get_concrete_function(tf.TensorSpec(shape, tf.uint8))


def choose_engine(model, engine="auto", precision="float32", sample=None):
    """The engine for `model`: what was asked for, or the fastest that agrees with Keras.

    "auto" on a CPU is the faster of OpenVINO (if it is installed) and "tensorflow" (the weights as
    constants); on a GPU and on Keras's other backends it is "keras". After `kc.reproducible` speed
    does not count: on a CPU it is "tensorflow". In float32 each but "keras" is compared with Keras
    on the first photos: below a cosine of 0.9999 Keras is used, and the log says so.

    Args:
        model: functional `keras.Model` over raw photos.
        engine: "auto", "keras" (bit-equal to `predict`), "tensorflow" or "openvino".
        precision: "float32", or "bfloat16" (OpenVINO only; its features differ).
        sample: uint8 array (N, H, W, C), the first photos; without them "auto" is "keras".

    Raises:
        InputError: unknown engine or precision, or OpenVINO is asked for and not available.
    """
    check_engine(engine, precision)
    missing = why_not_openvino()
    if missing and (engine == "openvino" or precision == "bfloat16"):
        asked = "engine='openvino'" if engine == "openvino" else "precision='bfloat16'"
        raise InputError(f"{asked} is not possible: {missing}")
    if precision == "bfloat16":
        return OpenVINOEngine(model, precision)
    if engine == "tensorflow" and keras.backend.backend() != "tensorflow":
        raise InputError("engine='tensorflow' needs Keras's TensorFlow backend.")
    wanted = usable_engines() if engine == "auto" else [engine]
    if sample is None or len(sample) < 2:
        return KerasEngine(model) if engine == "auto" else _ENGINES[engine](model)
    return _fastest(model, [name for name in wanted if name != "keras"], sample)


_ENGINES = {"keras": KerasEngine, "tensorflow": TensorFlowEngine, "openvino": OpenVINOEngine}


def usable_engines():
    """The engines among which "auto" chooses here; Keras itself is the last."""
    if keras.backend.backend() != "tensorflow":
        return ["keras"]
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return ["keras"]
    if is_reproducible():  # not by speed; and a photo's features do not depend on its batch here
        return ["tensorflow", "keras"]
    return ["openvino", "tensorflow", "keras"][bool(why_not_openvino()) :]


def why_not_openvino():
    """A sentence that says why OpenVINO cannot be used, or None if it can."""
    if keras.backend.backend() != "tensorflow":
        return "OpenVINO is used from Keras's TensorFlow backend only (KERAS_BACKEND=tensorflow)."
    if importlib.util.find_spec("openvino") is None:
        return 'OpenVINO is not installed: pip install "kerascnn[openvino]".'
    return None


def _fastest(model, names, sample):
    """The fastest of the named engines that agree with Keras, else Keras."""
    if not names:
        return KerasEngine(model)
    few = sample[:_COMPARED]
    expected = _arrays(model(few.astype(np.float32), training=False))
    agreeing = {}
    for name in names:
        try:
            engine = _ENGINES[name](model)
            (outputs,) = engine([few])
        except Exception as error:  # a network it cannot read must not stop the work
            reason = " ".join(str(error).split())[:400]
            _log.warning("%s could not run this network (%s).", name, reason)
            continue
        agreement = min(_cosine(a, b).min() for a, b in zip(expected, outputs))
        if agreement >= _MIN_COSINE:
            agreeing[name] = engine
        else:
            _log.warning("The features of %s differ (cosine %.5f).", name, agreement)
    if not agreeing:
        _log.warning("Keras itself is used.")
        return KerasEngine(model)
    if len(agreeing) == 1:
        return next(iter(agreeing.values()))
    return min(agreeing.values(), key=lambda engine: _seconds(engine, sample))


def _arrays(outputs):
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def _seconds(engine, sample):
    """Time of one pass over the sample, after one to warm up."""
    size = min(engine.batch_size, len(sample) // 2)
    batches = [sample[i : i + size] for i in range(0, len(sample), size)]
    list(engine(batches[:1]))
    start = time.perf_counter()
    list(engine(batches))
    return time.perf_counter() - start


def _cosine(a, b):
    """Per photo; of two zero vectors it is 1."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (a, b))
    lengths = [np.linalg.norm(x, axis=1) for x in (a, b)]
    both = lengths[0] * lengths[1]
    equal = (lengths[0] == lengths[1]).astype(np.float64)
    return np.divide((a * b).sum(axis=1), both, out=equal, where=both > 0)
