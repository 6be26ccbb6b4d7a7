"""After `kc.reproducible`, two processes end with the same weights, to the bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kerascnn as kc
from tests.transfer.conftest import clothing  # noqa: F401  (a fixture)

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]

# A script as a user writes it: random layers in the model and in a parallel map, unseeded shuffle.
TRAIN = """
import hashlib, sys
import kerascnn as kc
import keras, numpy as np

def train():
    images = np.random.default_rng(0).integers(0, 256, (256, 24, 24, 3)).astype("uint8")
    labels = np.arange(256) % 4
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.RandomFlip()(keras.layers.Rescaling(1 / 255)(inputs))
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, activation="relu")(x)
        x = keras.layers.BatchNormalization()(x)
    x = keras.layers.MaxPooling2D()(keras.layers.DepthwiseConv2D(3)(x))
    x = keras.layers.Dropout(0.3)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Dense(4, "softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    if keras.backend.backend() == "jax":
        model.fit(images.astype("float32"), labels, epochs=2, verbose=0)
        return digest(model)
    import tensorflow as tf

    rotate = keras.layers.RandomRotation(0.1)
    rows = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(256)
    rows = rows.map(lambda image, label: (rotate(tf.cast(image, "float32")), label),
                    num_parallel_calls=tf.data.AUTOTUNE)
    model.fit(rows.batch(32).prefetch(tf.data.AUTOTUNE), epochs=2, verbose=0)
    return digest(model)

def digest(model):
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
"""

SEEDS = """
for seed in sys.argv.pop():
    kc.reproducible(int(seed))
    print(train())
"""

# Photos of a folder, read by one worker or several; and a fine-tuning, all stages.
PHOTOS = """
folder, weights, workers = sys.argv[1:4]
data = kc.data.from_directory(folder, 96, batch_size=16, progress=False)
data.train.workers = int(workers)
kc.reproducible(2)
model = keras.Sequential([keras.Input((96, 96, 3)), keras.layers.RandomRotation(0.1),
    keras.layers.Conv2D(8, 3, 4, activation="relu"), keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(data.train, validation_data=data.validation, epochs=2, shuffle=False, verbose=0)
print(digest(model))
network = kc.transfer.backbone("MobileNet", weights, image_size=96, alpha=0.25)
options = {"strategy": "partial", "epochs": 1, "views": 1, "verbose": False}
print(digest(kc.transfer.finetune(data, network, **options).model))
"""


def start(*arguments, **environment):
    """A process of its own. The order of Python's sets differs between any two of them."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    environment.pop("PYTHONHASHSEED", None)
    command = [sys.executable, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


def outputs(*processes):
    """What each of the processes, which run at the same time, printed, word by word."""
    ended = [process.communicate() for process in processes]
    for process, (_, err) in zip(processes, ended):
        assert process.returncode == 0, err[-3000:]
    return [out.split() for out, _ in ended]


@pytest.mark.slow
def test_tensorflow(clothing, shared_data):  # noqa: F811
    """Both fill one cache at the same time: who computes what, in which batches, is chance."""
    weights = shared_data("weights/mobilenet_0.25_128_notop.weights.h5")
    code = ("-c", TRAIN + PHOTOS + SEEDS, clothing, weights)
    first, second = outputs(start(*code, 1, "0"), start(*code, 2, "01"))
    assert first == second[:3] and len({*second}) == len(second) == 4


@pytest.mark.slow
def test_jax():
    pytest.importorskip("jax")
    code = ("-c", TRAIN + SEEDS)
    first, second = outputs(*(start(*code, seeds, KERAS_BACKEND="jax") for seeds in ("0", "01")))
    assert first == second[:1] and len({*second}) == len(second) == 2


@pytest.mark.slow
def test_without_it_two_processes_differ():
    code = TRAIN + "keras.utils.set_random_seed(0)\nprint(train())"
    first, second = outputs(start("-c", code), start("-c", code))
    assert first != second


@pytest.mark.slow
def test_the_command(clothing, tmp_path):  # noqa: F811
    options = ("--backbone", "LeNet5", "--strategy", "full", "--epochs", 1, "--reproducible")
    runs = [tmp_path / "first", tmp_path / "second"]
    outputs(
        *(
            start(
                *("-m", "kerascnn", "finetune", clothing, *options, "-o", run),
                KERASCNN_CACHE=str(run.with_suffix(".cache")),
            )
            for run in runs
        )
    )
    first, second = (kc.load_model(run).get_weights() for run in runs)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    config = json.loads((runs[0] / "config.json").read_text())
    assert config["reproducible"] and config["engines_used"] == ["tensorflow"]
