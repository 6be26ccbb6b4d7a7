"""Mistakes made on purpose are found in training or after it; healthy training has no finding."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import kerascnn as kc

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
        lambda: {"x": X[FEW], "y": Y[FEW], "epochs": 40},
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
            "epochs": 30,
        },
        "fit",
    ),
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


@pytest.mark.parametrize("options, check", MISTAKES.values(), ids=MISTAKES)
def test_it_is_found(options, check):
    found_ = diagnosis(**options())
    print(found_)
    assert check in found(found_)


HEALTHY = {
    "digits": dict,
    "Adam": lambda: {"optimizer": keras.optimizers.Adam(3e-3)},
    "tanh": lambda: {"layers": network("tanh")},
    "batch normalisation": lambda: {"layers": normalised()},
    "cosine": lambda: {
        "optimizer": keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0, 300, warmup_target=5e-3, warmup_steps=40, alpha=0.01
            )
        ),
        "epochs": 16,
    },
}


@pytest.mark.parametrize("options", HEALTHY.values(), ids=HEALTHY)
def test_healthy_training_has_no_finding(options):
    found_ = diagnosis(**options())
    print(found_)
    assert not found_.problems
