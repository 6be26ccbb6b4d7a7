"""Models, data and options of `fit` in which a run must continue to the bit."""

import contextlib
import datetime

import keras
import numpy as np

from tests.callbacks.runs import FLOATS, LABELS, L, compiled, images, train


class Subclassed(keras.Model):
    """Built by its first batch, with a metric of its own."""

    def __init__(self):
        super().__init__()
        self.layers_in_turn = [L.Rescaling(1 / 255), L.Flatten(), L.Dropout(0.2), L.Dense(3)]
        self.mine = keras.metrics.Mean(name="mine")

    def call(self, x, training=False):
        for layer in self.layers_in_turn:
            x = layer(x, training=training) if isinstance(layer, L.Dropout) else layer(x)
        return x

    def train_step(self, data):
        logs = super().train_step(data)
        self.mine.update_state(logs["loss"])
        return {**logs, "mine": self.mine.result()}


def nested():
    inner = keras.Sequential([keras.Input((36,)), L.Dense(5), L.Dropout(0.5)])
    inputs = keras.Input((6, 6, 1))
    x = inner(L.Flatten()(L.Rescaling(1 / 255)(inputs)))
    return keras.Model(inputs, L.Dense(3)(x))


def within(*some):
    return lambda: [keras.Input((6, 6, 1)), L.Rescaling(1 / 255), *some_new(some), L.Dense(3)]


def some_new(some):
    return [layer() for layer in some]


def multi_optimizer():
    rows = {".*bias": keras.optimizers.SGD(0.1, momentum=0.9)}
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.01), rows)
    )


class ConfusionMatrix(keras.metrics.Metric):
    """A metric that is an array."""

    def __init__(self):
        super().__init__(name="confusion")
        self.counts = self.add_weight(shape=(3, 3), initializer="zeros", name="counts")

    def update_state(self, y_true, y_pred, sample_weight=None):
        rows = keras.ops.one_hot(keras.ops.reshape(y_true, (-1,)), 3)
        columns = keras.ops.one_hot(keras.ops.argmax(y_pred, axis=-1), 3)
        self.counts.assign_add(keras.ops.matmul(keras.ops.transpose(rows), columns))

    def result(self):
        return keras.ops.convert_to_tensor(self.counts)


def with_confusions():
    return compiled(weighted_metrics=[ConfusionMatrix()])()


class OwnData:
    """A user's data: two inputs by name and sample weights; only `batch` is asked for."""

    num_batches = 4

    def batch(self, epoch, index):
        draw = np.random.default_rng([epoch, index])
        x = {"a": draw.normal(size=(8, 4)), "b": draw.normal(size=(8, 3))}
        return x, draw.integers(3, size=8), draw.random(8)


def two_inputs():
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((3,), name="b")}
    x = L.Concatenate()([inputs["a"], inputs["b"]])
    return keras.Model(inputs, L.Dense(3)(L.Dropout(0.2)(x)))


def only_inputs():
    """A data set without labels, for a model that has its own loss."""

    class Autoencoder(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(keras.ops.square(x - y_pred))

    model = Autoencoder([keras.Input((4,)), L.Dropout(0.3), L.Dense(4)])
    model.compile("adam", run_eagerly=True)
    return model


class OnlyInputs:
    num_batches = 4

    def batch(self, epoch, index):
        return (np.random.default_rng([epoch, index]).normal(size=(8, 4)).astype("float32"),)


def two_workers():
    data = train()
    data.workers = 2
    return data


def one_batch():
    return images(splits=["train"] * 8 + ["test"] * 32).train


def augmented():
    return images(one_hot=True).train.augment(L.RandomFlip(), L.RandomRotation(0.1), L.MixUp(0.4))


def one_hot():
    model = compiled()()
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    return model


def schedule():
    return keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 20))


def ema():
    return keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=3)


def accumulating():
    return keras.optimizers.SGD(0.1, gradient_accumulation_steps=3)


EXACT = {  # name: options of `fit`
    "as it comes": {},
    "every step": {"every": 1},
    "every epoch": {"every": "epoch"},
    "at all times": {"every": datetime.timedelta(microseconds=1)},
    "killed in the first epoch": {"kill": (0, 2)},
    "killed in the last step of an epoch": {"kill": (1, 3), "every": 4},
    "one batch an epoch": {"data": one_batch, "kill": (1, 0), "every": 1, "epochs": 4},
    "a graph": {"model": compiled(run_eagerly=False)},
    "XLA": {"model": compiled(run_eagerly=False, jit_compile=True)},
    "steps per execution": {
        "model": compiled(run_eagerly=False, steps_per_execution=2),
        "kill": (1, 3),
    },
    "steps per execution, the last ones": {
        "model": compiled(run_eagerly=False, steps_per_execution=2),
        "kill": (0, 3),
    },
    "two workers": {"data": two_workers},
    "augmentation": {"data": augmented, "model": one_hot},
    "mixed_float16": {"policy": "mixed_float16"},
    "mixed_bfloat16": {"policy": "mixed_bfloat16"},
    "several optimisers": {"model": compiled(optimizer=multi_optimizer)},
    "gradients accumulate": {"model": compiled(optimizer=accumulating)},
    "moving average": {"model": compiled(optimizer=ema)},
    "schedule": {"model": compiled(optimizer=schedule)},
    "noise and normalisation": {
        "model": compiled(
            within(L.Flatten, lambda: L.GaussianNoise(0.1), L.BatchNormalization, L.ReLU)
        )
    },
    "a layer in a layer": {
        "model": compiled(within(lambda: L.SpectralNormalization(L.Conv2D(2, 3)), L.Flatten))
    },
    "seeds drawn by Keras": {
        "model": compiled(within(L.RandomFlip, lambda: L.RandomCrop(6, 6), L.Flatten))
    },
    "a model in a model": {"model": compiled(nested)},
    "built by its first batch": {
        "model": compiled(lambda: [L.Rescaling(1 / 255), L.Flatten(), L.Dense(3)])
    },
    "a subclass": {"model": compiled(Subclassed)},
    "a metric that is an array": {"model": with_confusions},
    "two inputs, sample weights": {"model": compiled(two_inputs), "data": OwnData},
    "no labels": {"model": only_inputs, "data": OnlyInputs},
    "validation": {"validation_data": (FLOATS, LABELS)},
    "class weights": {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
}


@contextlib.contextmanager
def dtype_policy(name):
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")
