"""A space of plain convolutional networks, trained from random weights."""

import copy

import keras
import keras_tuner
from keras import layers

from kerascnn._errors import InputError
from kerascnn._steps import releasable
from kerascnn.compute import fuse_batch_norm
from kerascnn.data import ImageData
from kerascnn.search import scales

__all__ = ["FromScratch"]

_WIDEST = 512  # filters; doubling ends here, as in VGG


class FromScratch(keras_tuner.HyperModel):
    """A space of plain networks: blocks of convolutions, then pooling, a dense layer, the classes.

    | hyperparameter | values, the first tried in brackets |
    |---|---|
    | `num_blocks` | 1 to `max_blocks` (3); each ends in 2x2 max pooling |
    | `convs_per_block` | 1 to 3 (1) |
    | `filters` | 16, 32, 64 (32) in the first block, doubled in each further one, at most 512 |
    | `kernel_size` | 3, 5 (3) |
    | `normalization` | "batch", "none" ("batch") |
    | `activation` | "relu", "leaky_relu", "elu" ("relu") |
    | `dense_units` | 0, 64, 128, 256 (0: no dense layer) before the classes |
    | `dropout` | 0 to 0.5 (0), before the classes |
    | `optimizer` | "adamw", "sgd" ("adamw") |
    | `adamw_learning_rate` | 0.001 times or divided by 30, log (0.001); with "adamw" only |
    | `sgd_learning_rate` | 0.01 times or divided by 30, log (0.01); with "sgd" only |
    | `one_minus_momentum` | 0.01 to 0.5, log (0.1); with "sgd" only |
    | `weight_decay` | 0.004 times or divided by 30, log (0.004) |
    | `batch_size` | 32, 64, 128 (32) |

    Convolutions start as He et al. 2015, arXiv:1502.01852, eq. 10; the last map is averaged over
    its area, so that any size of photo fits. Photos are scaled from 0-255 to [-1, 1] inside. A
    trial ends early when its validation loss has not fallen for five epochs; Keras Tuner scores it
    by its best epoch.

    Args:
        data: `ImageData`.
        epochs: int >= 1, at most.
        max_blocks: int >= 1. Fewer where the photos are too small to be halved so often.

    Raises:
        InputError: `data` is no `ImageData` or has no validation photos, or `epochs` or
            `max_blocks` is below 1.

    >>> import numpy as np
    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> space = FromScratch(from_arrays(images, [0, 1] * 20), epochs=1)
    >>> hp = keras_tuner.HyperParameters()
    >>> model = space.build(hp)
    >>> model.output_shape, hp["adamw_learning_rate"], "sgd_learning_rate" in hp
    ((None, 2), 0.001, False)
    >>> sorted(space.fit(hp, model).history)
    ['accuracy', 'loss', 'val_accuracy', 'val_loss']
    """

    def __init__(self, data, *, epochs=30, max_blocks=4):
        super().__init__()
        if not isinstance(data, ImageData):
            raise InputError(
                "A search from scratch needs ImageData (from_directory, from_tfds, from_arrays). "
                f"Received: {type(data).__name__}."
            )
        if not data.validation.num_photos:
            raise InputError("A search needs validation photos: trials are compared on them.")
        if not min(epochs, max_blocks) >= 1:
            raise InputError(
                "epochs and max_blocks must be ints >= 1. "
                f"Received: epochs={epochs!r}, max_blocks={max_blocks!r}."
            )
        self.data, self.epochs, self.max_blocks = data, epochs, max_blocks

    def with_data(self, data):
        """The same space on other data."""
        return FromScratch(data, epochs=self.epochs, max_blocks=self.max_blocks)

    def fingerprint(self):
        """What decides a trial beside its hyperparameters, as a dict of plain values."""
        return {
            "space": "FromScratch",
            "epochs": self.epochs,
            "max_blocks": self.max_blocks,
            "train": self.data.train.fingerprint(),
            "validation": self.data.validation.fingerprint(),
        }

    def declare_hyperparameters(self, hp):
        """The whole space, without a network."""
        halvings = min(self.data.image_shape[:2]).bit_length() - 1
        blocks = max(1, min(self.max_blocks, halvings))
        scales.num_layers(hp, "num_blocks", highest=blocks, default=min(3, blocks))
        scales.num_layers(hp, "convs_per_block", highest=3)
        hp.Choice("filters", [16, 32, 64], default=32)
        scales.kernel_size(hp)
        hp.Choice("normalization", ["batch", "none"])
        hp.Choice("activation", ["relu", "leaky_relu", "elu"])
        hp.Choice("dense_units", [0, 64, 128, 256])
        scales.dropout(hp)
        hp.Choice("optimizer", ["adamw", "sgd"])
        with hp.conditional_scope("optimizer", ["adamw"]):
            scales.learning_rate(hp, "adamw_learning_rate")
        with hp.conditional_scope("optimizer", ["sgd"]):
            scales.learning_rate(hp, "sgd_learning_rate", around=0.01)
            scales.momentum(hp)
        scales.weight_decay(hp)
        scales.batch_size(hp)

    def build(self, hp):
        """The compiled network of these hyperparameters, from 0-255 photos to probabilities."""
        self.declare_hyperparameters(hp)
        inputs = keras.Input(self.data.image_shape, name="image")
        x = layers.Rescaling(1 / 127.5, -1, name="scale")(inputs)
        for block in range(hp["num_blocks"]):
            filters = min(hp["filters"] * 2**block, _WIDEST)
            for conv in range(hp["convs_per_block"]):
                x = _conv(x, filters, hp, f"block{block + 1}_{conv + 1}")
            x = layers.MaxPooling2D(name=f"block{block + 1}_pool")(x)
        x = layers.GlobalAveragePooling2D(name="average")(x)
        if hp["dense_units"]:
            x = layers.Dense(hp["dense_units"], kernel_initializer="he_normal", name="dense")(x)
            x = layers.Activation(hp["activation"], name="dense_activation")(x)
        x = layers.Dropout(hp["dropout"], name="dropout")(x)
        classes = len(self.data.class_names)
        outputs = layers.Dense(classes, "softmax", dtype="float32", name="predictions")(x)
        model = keras.Model(inputs, outputs, name="from_scratch")
        form = "categorical" if self.data.train.one_hot else "sparse_categorical"
        model.compile(_optimizer(hp), f"{form}_crossentropy", metrics=["accuracy"])
        return releasable(fuse_batch_norm(model))

    def fit(self, hp, model, callbacks=(), **options):
        """Train on `data.train`, validate on `data.validation`: a `keras.callbacks.History`."""
        options = {"epochs": self.epochs, "verbose": 0} | options
        train, validation = copy.copy(self.data.train), copy.copy(self.data.validation)
        train.batch_size = validation.batch_size = hp["batch_size"]
        train.epoch = options.get("initial_epoch", 0)
        stopping = keras.callbacks.EarlyStopping("val_loss", patience=5)
        return model.fit(
            train,
            validation_data=validation,
            shuffle=False,  # the split has its own order
            callbacks=[*callbacks, stopping],
            **options,
        )


def _conv(x, filters, hp, name):
    batch = hp["normalization"] == "batch"
    x = layers.Conv2D(
        filters,
        hp["kernel_size"],
        padding="same",
        use_bias=not batch,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    if batch:  # Keras's 0.99 needs more steps than a short trial has
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.Activation(hp["activation"], name=f"{name}_activation")(x)


def _optimizer(hp):
    decay = hp["weight_decay"]
    if hp["optimizer"] == "sgd":
        rate, momentum = hp["sgd_learning_rate"], 1 - hp["one_minus_momentum"]
        return keras.optimizers.SGD(rate, momentum, weight_decay=decay)
    return keras.optimizers.AdamW(hp["adamw_learning_rate"], weight_decay=decay)
