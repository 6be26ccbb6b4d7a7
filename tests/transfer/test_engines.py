"""OpenVINO against Keras on the same photos, and what happens where they disagree."""

import gc
import logging
import re
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.transfer import engines
from kerascnn.transfer.engines import KerasEngine, choose_engine

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PHOTOS = np.random.default_rng(0).integers(0, 256, (101, 16, 16, 3), dtype=np.uint8)


def network(branches=1):
    """Photos (16, 16, 3) to pooled features (N, 8), and its convolution's map if two are asked."""
    keras.utils.set_random_seed(0)
    photos = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(photos)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    outputs = [keras.layers.GlobalAveragePooling2D()(x), x]
    return keras.Model(photos, outputs[:branches] if branches > 1 else outputs[0])


class Weighted(keras.layers.Layer):
    """Multiplies channel i by 1 in Keras, and by 0.5 ** i once it is traced into a graph."""

    def call(self, x):
        import tensorflow as tf

        factor = 1.0 if tf.executing_eagerly() else 0.5
        return x * keras.ops.convert_to_tensor([factor**i for i in range(x.shape[-1])])


def altered_network():
    """A network that whoever compiles it computes otherwise than Keras."""
    model = network()
    return keras.Model(model.input, Weighted()(model.output))


def batches(size):
    return [PHOTOS[i : i + size] for i in range(0, len(PHOTOS), size)]


def openvino_engine(model, precision="float32"):
    pytest.importorskip("openvino")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("OpenVINO is used from the TensorFlow backend only")
    return engines.OpenVINOEngine(model, precision)


def together(outputs):
    return [np.concatenate(parts) for parts in zip(*outputs)]


def difference(a, b):
    """Largest difference, relative to the largest value."""
    return np.abs(a - b).max() / np.abs(b).max()


def test_keras_engine_is_predict_to_the_bit():
    model = network()
    (ours,) = together(KerasEngine(model)(batches(32)))
    np.testing.assert_array_equal(ours, model.predict(PHOTOS, batch_size=32, verbose=0))
    assert ours.dtype == np.float32


@pytest.mark.parametrize("size", [1, 8])
def test_openvino_agrees_and_keeps_the_order(size):
    model = network(branches=2)
    outputs = together(openvino_engine(model)(batches(size)))
    for ours, expected in zip(outputs, model.predict(PHOTOS, verbose=0)):
        assert ours.shape == expected.shape and ours.dtype == np.float32
        assert difference(ours, expected) < 1e-5


def test_openvino_gives_each_call_its_own_results():
    """A pass that was left in the middle does not leak into the next one."""
    model = network()
    engine = openvino_engine(model)
    assert list(engine([])) == []
    left = engine(batches(4))
    next(left)
    left.close()
    (ours,) = together(engine(batches(8)))
    assert difference(ours, model.predict(PHOTOS, verbose=0)) < 1e-5


def test_openvino_failure_is_raised_not_waited_for():
    engine = openvino_engine(network())
    with pytest.raises(RuntimeError, match="incompatible"):
        list(engine([PHOTOS[:4, :8]]))


@pytest.mark.thorough
def test_ctrl_c_after_two_openvino_engines_is_pythons():
    """Two cores of OpenVINO that end in the order they began would crash the process."""
    pytest.importorskip("openvino")
    program = """
import gc, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where pytest is in background
import keras
from kerascnn.transfer.engines import OpenVINOEngine
model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
engines = [OpenVINOEngine(model), OpenVINOEngine(model)]
while engines:
    del engines[0]
    gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("caught")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "caught\n"), done.stderr[-2000:]


def test_openvino_engine_is_freed():
    engine = openvino_engine(network())
    list(engine(batches(8)))
    alive = weakref.ref(engine)
    del engine
    gc.collect()
    assert alive() is None


def test_openvino_bfloat16_differs_but_little():
    model = network()
    (ours,) = together(openvino_engine(model, "bfloat16")(batches(8)))
    assert difference(ours, model.predict(PHOTOS, verbose=0)) < 0.03


def test_auto_is_one_that_agrees():
    model = network()
    engine = choose_engine(model, sample=PHOTOS[:32])
    (ours,) = together(engine(batches(8)))
    assert difference(ours, model.predict(PHOTOS, verbose=0)) < 1e-5


@pytest.mark.parametrize("scale", [0.0, 1e-20])
def test_features_without_length_or_nearly_so_agree_too(scale, caplog):
    model = network()
    engine = choose_engine(keras.Model(model.input, model.output * scale), sample=PHOTOS[:8])
    assert engine.name != "keras" and not caplog.records


@pytest.mark.parametrize("sample", [None, PHOTOS[:0], PHOTOS[:1]])
def test_auto_without_photos_to_compare_is_keras(sample):
    assert choose_engine(network(), sample=sample).name == "keras"


@pytest.mark.parametrize("name", ["tensorflow", "openvino"])
def test_an_engine_that_disagrees_is_named_and_keras_is_used(caplog, name):
    if name == "openvino":
        pytest.importorskip("openvino")
    with caplog.at_level(logging.WARNING, "kerascnn"):
        assert choose_engine(altered_network(), name, sample=PHOTOS[:32]).name == "keras"
    first, last = (record.message for record in caplog.records)
    assert re.fullmatch(rf"The features of {name} differ \(cosine 0\.\d{{5}}\)\.", first)
    assert last == "Keras itself is used."


def test_tensorflow_with_constants_agrees():
    model = network(branches=2)
    engine = choose_engine(model, "tensorflow", sample=PHOTOS[:32])
    assert engine.name == "tensorflow"
    for ours, theirs in zip(together(engine(batches(16))), model.predict(PHOTOS, verbose=0)):
        assert difference(ours, theirs) < 1e-5


def test_auto_falls_back_and_says_so_when_openvino_cannot_read_the_network(caplog):
    class Host(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), x.shape)

        def compute_output_shape(self, shape):
            return shape

    pytest.importorskip("openvino")
    photos = keras.Input((16, 16, 3))
    model = keras.Model(photos, keras.layers.GlobalAveragePooling2D()(Host()(photos)))
    with caplog.at_level(logging.WARNING, "kerascnn"):
        assert choose_engine(model, "openvino", sample=PHOTOS[:32]).name == "keras"
    record, _ = caplog.records
    assert record.message.startswith("openvino could not run this network (")
    assert "\n" not in record.message


@pytest.mark.parametrize(
    ("options", "asked"),
    [({"engine": "openvino"}, "engine='openvino'"), ({"precision": "bfloat16"}, "precision=")],
)
def test_openvino_asked_for_but_not_installed(monkeypatch, options, asked):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError) as caught:
        choose_engine(network(), **options, sample=PHOTOS[:8])
    assert str(caught.value).startswith(asked)
    assert 'pip install "kerascnn[openvino]"' in str(caught.value)
    assert choose_engine(network(), sample=PHOTOS[:8]).name == "tensorflow"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "opnvino"}, "Unknown engine 'opnvino'. Did you mean 'openvino'?"),
        ({"precision": "float16"}, "Unknown precision 'float16'. Did you mean 'bfloat16'?"),
        ({"engine": "keras", "precision": "bfloat16"}, "needs engine='openvino'"),
    ],
)
def test_wrong_choices(options, message):
    with pytest.raises(InputError) as caught:
        choose_engine(network(), **options)
    assert message in str(caught.value)
