"""One small training, the same on every backend and on any number of devices."""

import keras
import numpy as np

import kerascnn as kc

BATCH_SIZE = 12
EPOCHS = 7  # of 3 steps


def data(num_train, num_held):
    images = np.random.default_rng(0).integers(256, size=(60, 8, 8), dtype="uint8")
    splits = ["train"] * num_train + ["validation"] * num_held + ["test"] * 4
    count = len(splits)
    return kc.data.from_arrays(
        images[:count], np.arange(count) % 3, splits=splits, batch_size=BATCH_SIZE
    )


def network(dropout=0.0):
    """With batch normalisation; its first weights are NumPy's."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(dropout, seed=1),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    draw = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(draw.normal(0, 0.2, weight.shape))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    return model


def train(model, train, held, folder, callbacks=(), epochs=EPOCHS):
    """Fit with `Resume`; what was logged."""
    resume = kc.callbacks.Resume(folder, train, every=1)
    return model.fit(
        resume.data, validation_data=held, epochs=epochs, initial_epoch=resume.initial_epoch,
        callbacks=[resume, *callbacks], shuffle=False, verbose=0,
    ).history  # fmt: skip
