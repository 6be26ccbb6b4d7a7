"""Mistakes made on purpose are found in training or after it; healthy training has no finding."""

import hashlib
import io
import itertools

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import kerascnn as kc
from kerascnn.doctor.runs import judge_run

L = keras.layers
DIGITS = load_digits()
ORDER = np.random.default_rng(0).permutation(len(DIGITS.target))
X = (DIGITS.images[ORDER, ..., None] / 16).astype("float32")
Y = DIGITS.target[ORDER]
TRAIN, HELD = slice(0, 1200), slice(1200, None)


def network(activation="relu", first=None):
    """Two convolutions and a classifier; `first` are options of the first one."""
    return [
        keras.Input((8, 8, 1)),
        L.Conv2D(16, 3, activation=activation, name="conv1", **(first or {})),
        L.Conv2D(32, 3, 2, activation=activation, name="conv2"),
        L.Flatten(),
        L.Dense(10, "softmax", name="head"),
    ]


def normalised(momentum=0.9):
    """The same with batch normalisation before its ReLUs."""
    first, second = ([L.BatchNormalization(momentum=momentum), L.ReLU()] for _ in range(2))
    inputs, conv1, conv2, flatten, head = network(None)
    return [inputs, conv1, *first, conv2, *second, flatten, head]


def diagnosis(
    layers=None, optimizer=None, x=X[TRAIN], y=Y[TRAIN], held=None, epochs=4, batch=None, **options
):
    """What the doctor says of a training."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(layers or network())
    model.compile(
        optimizer or keras.optimizers.SGD(0.05, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    doctor = kc.callbacks.Doctor((x[-64:], y[-64:]) if batch is None else batch)
    data = {"x": x, "y": y, "batch_size": 64} if batch is None else {"x": batch}
    held = (X[HELD], Y[HELD]) if held is None else held
    options = {"validation_data": held, "verbose": 0, "validation_batch_size": 600} | options
    model.fit(**data, epochs=epochs, callbacks=[doctor], **options)
    return doctor.diagnosis


def found(diagnosis):
    return {finding.check for finding in diagnosis.problems}


def frozen(layers, *names):
    for layer in layers[1:]:
        layer.trainable = layer.name not in names
    return layers


class Sorted(keras.utils.PyDataset):
    """The images in the order of their classes."""

    num_batches = 20

    def __getitem__(self, index):
        rows = np.argsort(Y[TRAIN], kind="stable")[60 * index : 60 * (index + 1)]
        return X[TRAIN][rows], Y[TRAIN][rows]


def sgd(rate):
    return keras.optimizers.SGD(rate, momentum=0.9)


def with_nan():
    x = X[TRAIN].copy()
    x[700] = np.nan
    return x


LARGE = keras.initializers.RandomNormal(stddev=30.0, seed=0)
FEW = slice(0, 50)
FIVES = X[HELD][Y[HELD] == 5], Y[HELD][Y[HELD] == 5]

MISTAKES = {  # name: (options of `diagnosis`, a check that finds it)
    "rate times 100": (lambda: {"optimizer": sgd(5.0)}, "update ratio"),
    "rate of Adam times 1000": (lambda: {"optimizer": keras.optimizers.Adam(1.0)}, "update ratio"),
    "rate divided by 10000": (lambda: {"optimizer": sgd(5e-6)}, "update ratio"),
    "negative biases": (
        lambda: {
            "layers": network(first={"bias_initializer": keras.initializers.Constant(-9.0)}),
            "epochs": 1,
        },
        "dead ReLUs",
    ),
    "saturated sigmoids": (
        lambda: {
            "layers": network("sigmoid", {"kernel_initializer": LARGE}),
            "epochs": 1,
        },
        "saturation",
    ),
    "sigmoids that are deep": (
        lambda: {
            "layers": [
                keras.Input((8, 8, 1)),
                L.Flatten(),
                *[L.Dense(30, "sigmoid") for _ in range(9)],
                L.Dense(10, "softmax"),
            ],
            "epochs": 1,
        },
        "gradients",
    ),
    "exploding start": (
        lambda: {"layers": network(first={"kernel_initializer": LARGE}), "epochs": 1},
        "loss at start",
    ),
    "labels at random": (
        lambda: {"y": np.random.default_rng(0).integers(10, size=1200)},
        "learning",
    ),
    "validation labels shifted by one": (
        lambda: {"held": (X[HELD], (Y[HELD] + 1) % 10)},
        "validation",
    ),
    "batch normalisation never updated": (
        lambda: {
            "layers": normalised(1.0),
            "x": X[TRAIN] + 9,
            "held": (X[HELD] + 9, Y[HELD]),
        },
        "validation",
    ),
    "in the order of the classes": (lambda: {"batch": Sorted()}, "order"),
    "fifty images": (
        lambda: {"x": X[FEW], "y": Y[FEW], "epochs": 25},
        "gap",
    ),
    "too small a network": (
        lambda: {
            "layers": [
                keras.Input((8, 8, 1)),
                L.Flatten(),
                L.Dense(1, "tanh"),
                L.Dense(10, "softmax"),
            ],
            "optimizer": keras.optimizers.Adam(0.03),
            "epochs": 12,
        },
        "fit",
    ),
    "validation of an easy class": (lambda: {"held": FIVES, "epochs": 8}, "easier"),
    "NaN in an image": (
        lambda: {"layers": network("tanh"), "x": with_nan(), "epochs": 1},
        "loss",
    ),
    "NaN behind ReLUs": (lambda: {"x": with_nan(), "epochs": 1}, "weights"),
    "random features, frozen": (
        lambda: {"layers": frozen(network(), "conv1", "conv2"), "epochs": 1},
        "frozen layers",
    ),
    "frozen head": (lambda: {"layers": frozen(network(), "head"), "epochs": 1}, "head"),
}


def rows(table, *slow):
    """A table as parameters; a quicker row is like each of the slow ones."""
    marks = {name: [pytest.mark.slow] * (name in slow) for name in table}
    values = {name: row if isinstance(row, tuple) else (row,) for name, row in table.items()}
    return [pytest.param(*values[name], id=name, marks=marks[name]) for name in table]


@pytest.mark.thorough
@pytest.mark.parametrize("options, check", rows(MISTAKES, "rate of Adam times 1000"))
def test_it_is_found(options, check):
    assert check in found(diagnosis(**options()))


def test_a_split_that_leaks_is_found():
    """By the run's list of photos: its curves are only too good."""
    images = {"train": X[:1200], "validation": X[1100:1400]}
    photos = [
        (hashlib.sha256(image.tobytes()).hexdigest(), split)
        for split, part in images.items()
        for image in part
    ]
    metrics = dict.fromkeys(("validation_accuracy", "test_accuracy", "test_interval", "per_class"))
    (problem,) = judge_run([], metrics, photos, 10).problems
    assert problem.check == "leak" and "100 photos" in problem.message


HEALTHY = {
    "digits": dict,
    "Adam": lambda: {"optimizer": keras.optimizers.Adam(3e-3)},
    "tanh": lambda: {"layers": network("tanh")},
    "batch normalisation": lambda: {"layers": normalised()},
    "dropout": lambda: {
        "layers": [*network()[:4], L.Dropout(0.4), network()[4]],
        "epochs": 8,
    },
    "cosine": lambda: {
        "optimizer": keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0, 130, warmup_target=5e-3, warmup_steps=20, alpha=0.01
            )
        ),
        "epochs": 8,
    },
}


@pytest.mark.thorough
@pytest.mark.parametrize("options", rows(HEALTHY, "Adam", "cosine"))
def test_healthy_training_has_no_finding(options):
    assert not diagnosis(**options()).problems


@pytest.mark.thorough
def test_healthy_mnist_and_cifar_have_no_finding(shared_data):
    mnist = np.load(shared_data("data/mnist.npz"))
    x, y = mnist["x_train"][:4000, ..., None] / np.float32(255), mnist["y_train"][:4000]
    layers = [keras.Input((28, 28, 1)), L.AveragePooling2D(3), L.Resizing(8, 8), *network()[1:]]
    assert not diagnosis(layers, x=x[:3000], y=y[:3000], held=(x[3000:], y[3000:])).problems
    x, y = cifar10(shared_data("data/cifar10_jpegbytes.npz"), 5000)
    layers = [
        keras.Input((32, 32, 3)),
        L.Rescaling(1 / 127.5, -1),
        L.Conv2D(16, 3, 2, activation="relu"),
        L.Conv2D(32, 3, 2, activation="relu"),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dense(10, "softmax"),
    ]
    adam = keras.optimizers.Adam(2e-3)
    held = x[4000:], y[4000:]
    assert not diagnosis(layers, adam, x=x[:4000], y=y[:4000], held=held).problems


def cifar10(path, count):
    """The first images, 0-255, and their classes."""
    file = np.load(path)
    ends, data = file["train_offset"][: count + 1], file["train_jpeg"]
    images = [Image.open(io.BytesIO(data[a:b].tobytes())) for a, b in itertools.pairwise(ends)]
    return np.stack([np.asarray(image, "float32") for image in images]), file["y_train"][:count]
