"""One small training, the same on every backend and on any number of devices."""

import keras
import numpy as np

import kerascnn as kc

EPOCHS = 7  # of 3 steps


def data(num_train=35, num_held=13, batch_size=12):
    """Photos whose last batch, of 11 and of 1, cannot be divided among two."""
    count = num_train + num_held + 4
    images = np.random.default_rng(0).integers(256, size=(count, 8, 8), dtype="uint8")
    splits = ["train"] * num_train + ["validation"] * num_held + ["test"] * 4
    return kc.data.from_arrays(images, np.arange(count) % 3, splits=splits, batch_size=batch_size)


def features():
    """(input, output) of two stages with batch normalisation."""
    photos = x = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 255)(x)
    for stage in (1, 2):
        x = keras.layers.Conv2D(4, 3, 2, "same", name=f"stage{stage}_conv")(x)
        x = keras.layers.BatchNormalization(name=f"stage{stage}_bn")(x)
        x = keras.layers.ReLU(name=f"stage{stage}_relu")(x)
    return photos, keras.layers.Flatten()(x)


def network(dropout=0.0):
    """A classifier whose first weights are NumPy's."""
    photos, x = features()
    x = keras.layers.Dropout(dropout, seed=1)(x)
    model = keras.Model(photos, keras.layers.Dense(3)(x))
    draw = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(draw.normal(0, 0.3, weight.shape))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    return model


def train(model, train, held, folder, callbacks=()):
    """Fit with `Resume`; what was logged."""
    resume = kc.callbacks.Resume(folder, train, every=1)
    return model.fit(
        resume.data, validation_data=held, epochs=EPOCHS, initial_epoch=resume.initial_epoch,
        callbacks=[resume, *callbacks], shuffle=False, verbose=0,
    ).history  # fmt: skip
