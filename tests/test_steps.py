"""A model that was trained leaves nothing behind, and learns what it learns without that."""

import gc
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import kerascnn as kc

pytestmark = pytest.mark.thorough

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow keeps traced steps"
)


def trained(prepare, dtype="float32"):
    """A network after two epochs on random images, prepared by a function for it."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).normal(size=(48, 8, 8, 3)).astype("float32")
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, dtype=dtype)(inputs))
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    model = prepare(keras.Model(inputs, keras.layers.Dense(3, "softmax")(x)))
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 10)
    loss = "sparse_categorical_crossentropy"
    optimizer = keras.optimizers.AdamW(schedule)
    if dtype == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(images, np.arange(48) % 3, batch_size=16, epochs=2, shuffle=False, verbose=0)
    return model


def twice(model):
    return kc.releasable(kc.releasable(model))


@pytest.mark.parametrize(
    ("prepare", "dtype"),
    [(kc.releasable, "float32"), (twice, "float32"), (kc.releasable, "mixed_float16")],
)
def test_results_are_the_same_to_the_bit(prepare, dtype):
    ours, plain = (trained(way, dtype).get_weights() for way in (prepare, lambda model: model))
    for a, b in zip(ours, plain, strict=True):
        np.testing.assert_array_equal(a, b)


def graphs():
    """Number of graphs that TensorFlow holds."""
    gc.collect()
    return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())


@tensorflow_only
def test_nothing_is_left_behind():
    trained(kc.releasable)
    before = graphs()
    trained(kc.releasable)
    assert graphs() == before
    trained(lambda model: model)
    assert graphs() > before  # or Keras no longer needs this


REPLICAS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
import kerascnn as kc

for prepare in (kc.releasable, lambda model: model):
    keras.utils.set_random_seed(0)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
    prepare(model).fit(np.eye(4), np.ones((4, 2)), batch_size=4, verbose=0)
    print(model.get_weights()[0].tolist())
"""


@tensorflow_only
@pytest.mark.slow
def test_gradients_of_replicas_are_still_summed():
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", REPLICAS]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    ours, plain = output.stdout.splitlines()[-2:]
    assert ours == plain
