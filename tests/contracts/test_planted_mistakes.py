"""Mistakes planted in a model or its data: each is found before training, and nothing else is."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops
from sklearn.datasets import load_digits

import kerascnn as kc

DIGITS = load_digits()
X = (DIGITS.images[..., None] / 16).astype("float32")
Y = DIGITS.target
TRAIN, VALIDATION = (X[:1400], Y[:1400]), (X[1400:], Y[1400:])
BY_CLASS = np.argsort(Y[:1400], kind="stable")
SPARSE = keras.losses.SparseCategoricalCrossentropy


def compiled(stack, loss="sparse_categorical_crossentropy", optimizer="adam", shape=(8, 8, 1)):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), *stack()])
    model.compile(optimizer, loss)
    return model


def network(activation="softmax", units=10, first=(), hidden="relu", before_head=(), **options):
    """A small convolutional network, with layers in it as asked for."""
    return [
        *first,
        layers.Conv2D(16, 3, activation=hidden, name="conv", **options),
        layers.Flatten(),
        layers.Dense(32, hidden, name="hidden", **options),
        *before_head,
        layers.Dense(units, activation, name="head"),
    ]


def planted(data=TRAIN, validation=None, loss="sparse_categorical_crossentropy", **options):
    """A row: a function that makes (model, data, validation) of what is planted."""
    optimizer = options.pop("optimizer", lambda: "adam")
    return lambda: (compiled(lambda: network(**options), loss, optimizer()), data, validation)


def seeded(**options):
    return keras.initializers.RandomNormal(seed=0, **options)


def constant(value):
    return keras.initializers.Constant(value)


def batches(x, y, size=32):
    """A data set that gives the samples as they stand."""

    class Batches(keras.utils.PyDataset):
        num_batches = len(x) // size

        def __getitem__(self, index):
            rows = slice(index * size, (index + 1) * size)
            return x[rows], y[rows]

    return Batches()


def frozen(*names, make=network, **options):
    def model():
        built = compiled(lambda: make(**options))
        for name in names:
            built.get_layer(name).trainable = False
        built.compile("adam", "sparse_categorical_crossentropy")
        return built, TRAIN, None

    return model


def unfrozen_after_fit():
    model, data, _ = frozen("conv")()
    model.get_layer("conv").trainable = True  # before the first fit it counts
    model.get_layer("hidden").trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X[:32], Y[:32], verbose=0)
    model.get_layer("hidden").trainable = True
    return model, data, None


class Stop(layers.Layer):
    def call(self, x):
        return ops.stop_gradient(x)


def norm(**options):
    return [layers.BatchNormalization(name="norm", **options)]


def shifted_by(number):
    return X[:1400], Y[:1400] + number


def wide():
    return compiled(lambda: [layers.Flatten(), layers.Dense(40_000, "relu"), layers.Dense(10)],
                    SPARSE(from_logits=True)), (X[:200], Y[:200]), None  # fmt: skip


MIXED = np.random.default_rng(0).permutation(1400)
FEW = np.concatenate([np.flatnonzero(Y[:1400] > 0), np.flatnonzero(Y[:1400] == 0)[:5]])
OTHER = np.r_[X[:1400], X[:50]], np.r_[Y[:1400], (Y[:50] + 1) % 10]
SIZES = (X * np.arange(8)[:, None, None]).sum(axis=(1, 2, 3))[:1400]  # about 100 +- 20
NAN = np.where(np.arange(1400)[:, None, None, None] == 7, np.nan, X[:1400])

MISTAKES = {  # what is planted: (the check that must find it, what makes it)
    "zero weights": ("start of the layers", planted(kernel_initializer="zeros")),
    "weights too small": (
        "start of the layers",
        planted(kernel_initializer=seeded(stddev=1e-5)),
    ),
    "weights too large": (
        "start of the layers",
        planted(kernel_initializer=keras.initializers.RandomNormal(stddev=5.0)),
    ),
    "saturated start": (
        "start of the layers",
        planted(hidden="tanh", kernel_initializer=keras.initializers.RandomNormal(stddev=2.0)),
    ),
    "dead ReLUs": ("start of the layers", planted(bias_initializer=constant(-99))),
    "a sure head": (
        "loss at start",
        planted(before_head=[layers.Rescaling(300)]),
    ),
    "softmax twice": ("label form", planted(loss=SPARSE(from_logits=True))),
    "no softmax": ("label form", planted(activation=None)),
    "one-hot labels for ints": ("label form", planted((X, np.eye(10)[Y]))),
    "ints for one-hot labels": ("label form", planted(loss="categorical_crossentropy")),
    "labels shifted by one": ("label form", planted(shifted_by(1))),
    "labels shifted, a unit more": ("classes", planted(shifted_by(1), units=11)),
    "one class alone": ("classes", planted((X[Y == 3], Y[Y == 3]))),
    "class imbalance": ("class balance", planted((X[FEW], Y[FEW]))),
    "unshuffled batches": (
        "order",
        planted(batches(X[BY_CLASS], Y[BY_CLASS])),
    ),
    "sorted arrays": ("order", planted((X[BY_CLASS], Y[BY_CLASS]))),
    "equal images, other labels": ("label conflicts", planted(OTHER)),
    "labels of other images": ("linear baseline", planted((X[:1400], Y[:1400][MIXED]))),
    "a leaking split": ("leak", planted(TRAIN, (X[1300:], Y[1300:]))),
    "0-255 without scaling": ("input scale", planted((X[:1400] * 255, Y[:1400]))),
    "scaled twice": ("input scale", planted((X[:1400] / 255, Y[:1400]))),
    "0-1 into 0-255": ("input range", planted(first=[layers.Rescaling(1 / 127.5, -1)])),
    "constant inputs": ("input values", planted((np.ones_like(X), Y))),
    "NaN in the inputs": ("input values", planted((NAN, Y[:1400]))),
    "nothing trained": ("head", frozen("conv", "hidden", "head")),
    "a frozen head": ("head", frozen("head")),
    "a frozen random trunk": ("frozen layers", frozen("conv", "hidden")),
    "BN momentum 1": ("batch normalisation", planted(first=norm(momentum=1.0))),
    "BN frozen at its start": ("batch normalisation", frozen("norm", first=norm())),
    "BN of tiny batches": (
        "batch normalisation",
        planted(batches(X, Y, 4), before_head=norm()),
    ),
    "one seed for two layers": (
        "equal layers",
        planted(first=[layers.Dense(4, kernel_initializer=seeded()) for _ in range(3)]),
    ),
    "unfrozen without compile": ("optimiser", unfrozen_after_fit),
    "far too many weights": ("capacity", wide),
    "targets far from 0": (
        "loss at start",
        planted((X[:1400], SIZES), loss="mse", units=1, activation=None),
    ),
    "rate x100": (
        "learning rate",
        planted(optimizer=lambda: keras.optimizers.SGD(5.0, momentum=0.9)),
    ),
    "rate / 10,000": ("learning rate", planted(optimizer=lambda: keras.optimizers.Adam(1e-7))),
    "a layer that stops gradients": ("unreached layers", planted(before_head=[Stop()])),
    "a head with ReLU": ("one batch", planted(activation="relu", loss=SPARSE(from_logits=True))),
}
WITH_TRIALS = ("learning rate", "unreached layers", "one batch")


@pytest.mark.thorough
@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(name):
    check, make = MISTAKES[name]
    model, data, validation = make()
    found = kc.doctor.before_training(model, data, validation, trials=check in WITH_TRIALS)
    assert check in [finding.check for finding in found.problems], str(found)


@functools.cache
def photos(folder):
    """138 photos of clothing, in random order, and their classes."""
    paths = np.random.default_rng(0).permutation(sorted(folder.glob("*/*.jpg"))[::12])
    decoder = kc.data.Decoder(128)
    names = sorted({path.parent.name for path in paths})
    labels = np.array([names.index(path.parent.name) for path in paths])
    return np.stack([decoder.read(path) for path in paths]).astype("float32"), labels


@functools.cache
def mobilenet(weights):
    keras.utils.set_random_seed(0)
    backbone = kc.transfer.backbone("MobileNet", weights, image_size=128, alpha=0.25)
    backbone.trainable = False
    stack = [keras.Input((128, 128, 3)), backbone, layers.Dense(10, "softmax", name="head")]
    model = keras.Sequential(stack)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("checks", "plant"),
    [
        (set(), lambda x: x),
        ({"channel order"}, lambda x: x[..., ::-1]),
        ({"input range", "input statistics"}, lambda x: x / 255),
    ],
)
def test_photos_for_a_pretrained_network(shared_data, checks, plant):
    x, y = photos(shared_data("data/clothing/train"))
    model = mobilenet(shared_data("weights/mobilenet_0.25_128_notop.weights.h5"))
    found = kc.doctor.before_training(model, (plant(x), y), trials=not checks)
    problems = {finding.check for finding in found.problems}
    assert problems >= checks and (checks or not problems), str(found)


def lenet():
    model = kc.models.LeNet5()
    model.compile("adam", "sparse_categorical_crossentropy")
    return model, np.kron(X, np.ones((1, 4, 4, 1), "float32")), Y


def residual():
    model = kc.models.CifarResNet20(input_shape=(16, 16, 1))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model, np.kron(X, np.ones((1, 2, 2, 1), "float32")), Y


def logistic():
    model = keras.Sequential([keras.Input((64,)), layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model, X.reshape(-1, 64), Y


def regularised():
    """With all that must be left out of the short trainings, and smoothed labels."""
    stack = lambda: network(  # noqa: E731
        first=[layers.RandomRotation(0.1), layers.GaussianNoise(0.5)],
        before_head=[layers.Dropout(0.5)],
        kernel_regularizer=keras.regularizers.L2(0.1),
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(1e-3, 500))
    return compiled(stack, loss, optimizer), X, np.eye(10, dtype="float32")[Y]


def regression():
    heights = (X * np.arange(8)[:, None, None]).sum(axis=(1, 2, 3)) / X.sum(axis=(1, 2, 3))
    target = (heights - heights.mean()) / heights.std()
    return compiled(lambda: network(None, 1), "mse"), X, target


def multi_label():
    target = np.stack([Y % 2 == 0, Y > 4, Y % 3 == 0], axis=1).astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return compiled(lambda: network(None, 3), loss), X, target


def binary():
    model = compiled(lambda: network("sigmoid", 1), "binary_crossentropy")
    return model, X, (Y > 4).astype("float32")


def normalised():
    stack = lambda: network(first=[layers.BatchNormalization()], before_head=norm())  # noqa: E731
    return compiled(stack, optimizer="sgd"), X * 255, Y


HEALTHY = [lenet, residual, logistic, regularised, regression, multi_label, binary, normalised]


@pytest.mark.thorough
@pytest.mark.parametrize("make", HEALTHY, ids=lambda make: make.__name__)
def test_nothing_is_found_where_nothing_is_wrong(make):
    keras.utils.set_random_seed(0)
    model, x, y = make()
    data, validation = (x[:1400], y[:1400]), (x[1400:], y[1400:])
    found = kc.doctor.before_training(model, data, validation)
    assert not found.problems, str(found)
