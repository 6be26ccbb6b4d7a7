"""The surest mistakes first; the map shows what the wrong prediction rests on."""

import base64
import io

import keras
import numpy as np
from PIL import Image

from kerascnn.data import from_arrays
from kerascnn.transfer._mistakes import confident_mistakes, pictures
from tests.transfer.conftest import shape_data


def decoded(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))), float)


def test_mistakes_are_the_surest_first_and_few():
    draw = np.random.default_rng(0)
    rows = [
        {"true": "a", "predicted": "ab"[i % 2], "probability": p}
        for i, p in enumerate(draw.uniform(size=60))
    ]
    numbers = confident_mistakes(rows)
    assert len(numbers) == 12 and all(i % 2 for i in numbers)
    found = [rows[i]["probability"] for i in numbers]
    assert found == sorted((row["probability"] for row in rows[1::2]), reverse=True)[:12]


def called_the_next_class(split):
    names = split.class_names
    return [
        {"path": path, "true": names[i], "predicted": names[(i + 1) % 3], "probability": 0.9}
        for path, i in zip(split.paths, split.labels)
    ]


def test_pictures_are_the_photos_and_warm_where_the_class_is_seen():
    """Red on the left, blue on the right; the network adds up what is red and what is blue."""
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[:, :, :16, 0] = image[:, :, 16:, 2] = 200
    images = np.tile(image, (20, 1, 1, 1))
    images[:, 0, 0, 1] = range(20)  # no two are the same
    data = from_arrays(images, ["red", "blue"] * 10)
    photos = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(2, 1, activation="relu", use_bias=False)(photos)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(photos, keras.layers.Dense(2, use_bias=False)(x))
    kernel = np.array([[0.01, 0], [0, 0], [0, 0.01]])  # channel 0 is red, 1 is blue
    model.set_weights([kernel[None, None], np.eye(2)[::-1]])  # class 0 is blue
    row = {"path": data.train.paths[0], "true": "red", "predicted": "blue", "probability": 0.9}
    (found,) = pictures(model, data.train, [row]).values()
    assert np.abs(decoded(found["thumbnail"]) - image[0]).mean() < 12
    warmth = np.ptp(decoded(found["map"]), axis=2)
    assert warmth[:, 20:].min() > 60 and warmth[:, :12].max() < 30


def test_without_mistakes_or_feature_maps_there_is_none():
    split = shape_data(dict.fromkeys(("circle", "square", "triangle"), 10)).test
    photos = keras.Input((32, 32, 3))
    flat = keras.Model(photos, keras.layers.Dense(3)(keras.layers.Flatten()(photos)))
    rows = called_the_next_class(split)
    assert all(row["map"] is None for row in pictures(flat, split, rows).values())
    right = [{**row, "predicted": row["true"]} for row in rows]
    assert pictures(flat, split, right) == {}
