import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError
from kerascnn.visualize import maximize_activation

QUIET = {"progress": False}


def linear(weights, activation="softmax"):
    image = keras.Input((8, 8, 1))
    inner = keras.Sequential([layers.Flatten(), layers.Dense(3, activation, name="fc")])
    model = keras.Model(image, inner(layers.Rescaling(1 / 127.5, -1)(image)))
    model.set_weights([weights, np.zeros(3)])
    return model


def test_of_a_linear_class_it_is_the_class_itself():
    weights = np.random.default_rng(0).choice([-1.0, 1.0], size=(64, 3))
    pictures = maximize_activation(linear(weights), [2, 0], blur=0, decay=0, steps=60, **QUIET)
    # Steps move by at most an eighth of a picture, and here by 0: 8 // 16.
    for picture, channel in zip(pictures, [2, 0]):
        np.testing.assert_array_equal(picture.ravel() > 127.5, weights[:, channel] > 0)
    assert pictures.min() == 0 and pictures.max() == 255


def test_its_class_wins_and_others_do_not(finder):
    model, *_ = finder
    pictures = maximize_activation(model, [0, 1], steps=60, **QUIET)
    assert pictures.shape == (2, 32, 32, 3) and pictures.dtype == np.float32
    scores = model.predict(pictures, verbose=0)
    assert scores[0, 0] > 0.99 and scores[1, 1] > 0.99
    # What the classes differ in: stripes across, stripes along.
    grey = pictures.mean(axis=-1)
    down, across = (np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2))
    assert down[0] > 1.2 * across[0] and across[1] > 1.2 * down[1]


def test_a_feature_map_of_a_model_inside(finder):
    model, photos, *_ = finder
    (picture,) = maximize_activation(model, 5, "backbone/conv2", steps=30, **QUIET)
    backbone = model.get_layer("backbone")

    def mean(images):
        return backbone.predict(np.asarray(images) / 127.5 - 1, verbose=0)[..., 5].mean(axis=(1, 2))

    assert mean([picture])[0] > mean(photos).max()


def test_seeds_decide():
    model = linear(np.random.default_rng(0).normal(size=(64, 3)))
    first = maximize_activation(model, 1, steps=3, seed=4, **QUIET)
    np.testing.assert_array_equal(first, maximize_activation(model, 1, steps=3, seed=4, **QUIET))
    assert not np.array_equal(first, maximize_activation(model, 1, steps=3, seed=5, **QUIET))


def test_what_makes_it_smooth(finder):
    model, *_ = finder

    def roughness(**options):
        picture = maximize_activation(model, 0, steps=40, **options, **QUIET)
        return np.abs(np.diff(picture, axis=2)).mean()

    assert roughness(blur=2.0) < roughness(blur=0)
    assert roughness(decay=0.2) < roughness(decay=0)


def test_a_model_for_any_size():
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, name="conv")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    assert maximize_activation(model, 3, image_size=20, steps=1).shape == (1, 20, 20, 3)
    with pytest.raises(InputError, match="Pass image_size=224"):
        maximize_activation(model, 3)


@pytest.mark.parametrize("channels", [3, [0, -1], 0.5])
def test_channels_that_are_not_there(channels):
    with pytest.raises(InputError, match="must be ints from 0 to 2"):
        maximize_activation(linear(np.ones((64, 3))), channels, steps=1)
