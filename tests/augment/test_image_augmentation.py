"""The base: single images, dtypes in models, layers of a user's own, what is refused."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.augment import ImageAugmentation, RandomAffine, seeds

IMAGES = np.random.default_rng(0).integers(256, size=(6, 8, 9, 3), dtype="uint8")


class Shade(ImageAugmentation):
    """Darkens: without a kernel."""

    def draw(self, draws, height, width):
        return {"factor": draws.uniform(0.2, 0.8)}

    def transform(self, images, factor):
        return images * factor[:, None, None, None]


def test_a_layer_of_ones_own_serves_both_engines():
    layer, keys = Shade(), seeds(0, 0, range(6))
    ours = keras.ops.convert_to_numpy(layer.augment(IMAGES, keys))
    np.testing.assert_array_equal(layer.augment_numpy(IMAGES, keys), ours)
    factors = [np.median(a[b > 50] / b[b > 50]) for a, b in zip(ours, IMAGES)]
    assert len(set(factors)) == 6 and min(factors) > 0.19 and max(factors) < 0.81


def test_one_image_and_a_batch():
    layer = Shade(seed=1)
    one = layer(IMAGES[0], training=True)
    assert tuple(one.shape) == (8, 9, 3)
    keys = seeds(0, 0, range(6))
    np.testing.assert_array_equal(layer.augment(IMAGES[3], keys[3]), layer.augment(IMAGES, keys)[3])


def test_the_seed_may_be_an_int_of_numpy():
    layer, twin = Shade(seed=np.int64(3)), Shade(seed=3)
    np.testing.assert_array_equal(layer(IMAGES, training=True), twin(IMAGES, training=True))
    assert layer.get_config()["seed"] == 3 and type(layer.get_config()["seed"]) is int


def test_a_model_knows_dtype_and_shape_and_augments_in_training_only():
    inputs = keras.Input((8, 9, 3), dtype="uint8")
    outputs = Shade(seed=1)(inputs)
    assert outputs.dtype == "uint8" and outputs.shape == (None, 8, 9, 3)
    model = keras.Model(inputs, outputs)
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), IMAGES)
    assert (keras.ops.convert_to_numpy(model(IMAGES, training=True)) != IMAGES).any()


def test_fit_with_the_layer_inside():
    model = keras.Sequential([
        keras.Input((8, 9, 3)), RandomAffine("horizontal", rotation=20), keras.layers.Flatten(),
        keras.layers.Rescaling(1 / 255), keras.layers.Dense(1),
    ])  # fmt: skip
    model.compile("sgd", "mse")
    history = model.fit(IMAGES.astype("float32"), np.zeros(6), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_negative_and_wide_value_ranges():
    layer = Shade(value_range=(-1, 1))
    keys = seeds(0, 0, range(6))
    scaled = IMAGES.astype("float32") / 127.5 - 1
    whole = keras.ops.convert_to_numpy(Shade().augment(IMAGES.astype("float32"), keys))
    ours = keras.ops.convert_to_numpy(layer.augment(scaled, keys))
    np.testing.assert_allclose((ours + 1) * 127.5, whole, atol=0.01)


def test_what_is_refused():
    with pytest.raises(InputError, match="low < high"):
        Shade(value_range=(255, 0))
    with pytest.raises(InputError, match=r"\(N, H, W, C\)"):
        Shade().augment(IMAGES[0, 0], seeds(0, 0, 0))
    with pytest.raises(InputError, match="uint8 images"):
        Shade().augment_numpy(IMAGES.astype("float32"), seeds(0, 0, range(6)))
    with pytest.raises(InputError, match="uint8 images"):
        Shade(value_range=(0, 1)).augment_numpy(IMAGES, seeds(0, 0, range(6)))
