"""A network that finds a planted patch, for the maps of what it looks at."""

import keras
import numpy as np
import pytest
from keras import layers

SIDE, PATCH = 32, 8


def planted(count, seed):
    """(uint8 photos of noise, labels, corners): class 0 has stripes across in a patch, 1 along."""
    rng = np.random.default_rng(seed)
    photos = rng.integers(80, 176, (count, SIDE, SIDE, 3), dtype="uint8")
    labels = rng.integers(2, size=count)
    corners = rng.integers(0, SIDE - PATCH + 1, (count, 2))
    stripes = np.where(np.arange(PATCH) % 4 < 2, 0, 255)[:, None].repeat(PATCH, 1)
    for photo, label, (top, left) in zip(photos, labels, corners):
        pattern = stripes if label == 0 else stripes.T
        photo[top : top + PATCH, left : left + PATCH] = pattern[..., None]
    return photos, labels, corners


def inside(maps, corners, margin=0):
    """Share of each map's sum that is in the patch, and whether its largest value is."""
    shares, hits = [], []
    for heat, (top, left) in zip(maps, corners):
        rows = slice(max(top - margin, 0), top + PATCH + margin)
        columns = slice(max(left - margin, 0), left + PATCH + margin)
        shares.append(heat[rows, columns].sum() / max(heat.sum(), 1e-12))
        hits.append(heat[rows, columns].max() == heat.max())
    return np.array(shares), np.array(hits)


@pytest.fixture(scope="session")
def finder():
    """(trained model of raw photos with a backbone inside, photos, labels, corners)."""
    keras.utils.set_random_seed(0)
    x = keras.Input((SIDE, SIDE, 3))
    y = layers.Conv2D(12, 3, padding="same", activation="relu", name="conv1")(x)
    y = layers.MaxPooling2D(2, name="pool")(y)
    y = layers.Conv2D(24, 3, padding="same", activation="relu", name="conv2")(y)
    backbone = keras.Model(x, y, name="backbone")
    image = keras.Input((SIDE, SIDE, 3), name="photo")
    y = backbone(layers.Rescaling(1 / 127.5, -1)(image))
    y = layers.GlobalMaxPooling2D()(y)
    model = keras.Model(image, layers.Dense(2, "softmax", name="output")(y))
    photos, labels, _ = planted(1024, 0)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(photos, labels, batch_size=32, epochs=6, verbose=0)
    photos, labels, corners = planted(64, 1)
    assert (model.predict(photos, verbose=0).argmax(axis=1) == labels).mean() > 0.95
    return model, photos, labels, corners
