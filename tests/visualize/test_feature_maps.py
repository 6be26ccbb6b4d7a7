"""Feature maps: those of Keras's own sub-model, for flat and nested networks."""

import keras
import numpy as np
import pytest
from keras import ops

from kerascnn import InputError, models
from kerascnn.visualize import feature_maps, plot_feature_maps


@pytest.fixture
def digits():
    return np.random.default_rng(0).random((5, 32, 32, 1), dtype="float32")


@pytest.fixture(scope="module")
def lenet():
    return models.LeNet5(weights="mnist")


def test_as_a_sub_model_gives_them(lenet, digits):
    part = keras.Model(lenet.inputs[0], lenet.get_layer("c3").output)
    wanted = ops.convert_to_numpy(part(digits))
    assert wanted.shape == (5, 10, 10, 16)
    found = feature_maps(lenet, digits, "c3")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(feature_maps(lenet, digits, "c3", batch_size=2), wanted, atol=1e-6)
    both = feature_maps(lenet, digits, ["c3", "output"])
    assert list(both) == ["c3", "output"]
    np.testing.assert_allclose(both["c3"], wanted, atol=1e-6)
    np.testing.assert_allclose(both["output"], lenet.predict(digits, verbose=0), atol=1e-5)


def test_by_default_the_last_layer_of_each_resolution(lenet, digits):
    shapes = [maps.shape[1:3] for maps in feature_maps(lenet, digits).values()]
    assert shapes == [(28, 28), (14, 14), (10, 10), (5, 5), (1, 1)]


def test_layers_of_a_nested_backbone(lenet, digits):
    backbone = keras.Model(lenet.inputs, lenet.get_layer("s4").output, name="backbone")
    image = keras.Input((32, 32, 1))
    x = keras.layers.Flatten()(backbone(image / 2))
    model = keras.Model(image, keras.layers.Dense(3)(x))
    np.testing.assert_allclose(
        feature_maps(model, 2 * digits, "c3"), feature_maps(lenet, digits, "c3"), atol=1e-5
    )


def test_dropout_and_augmentation_are_off(digits):
    image = keras.Input((32, 32, 1))
    x = keras.layers.RandomFlip(seed=0)(keras.layers.Dropout(0.5, seed=0)(image))
    model = keras.Model(image, keras.layers.Activation("linear", name="same")(x))
    np.testing.assert_array_equal(feature_maps(model, digits, "same"), digits)


def test_half_precision_gives_float32(digits):
    conv = keras.layers.Conv2D(2, 3, name="conv", dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((32, 32, 1)), conv])
    assert feature_maps(model, digits, "conv").dtype == np.float32


def test_the_strongest_maps_are_drawn_first(tmp_path):
    maps = np.zeros((2, 4, 4, 10), "float32")
    maps[1] = np.arange(10)
    maps[1, ..., 3] = -20
    figure = plot_feature_maps({"$x_$": maps}, image=1, columns=4, path=tmp_path / "maps.png")
    assert figure.axes[0].get_ylabel().splitlines()[0] == "$x_$"  # as it is
    assert [axes.get_title() for axes in figure.axes] == ["3", "9", "8", "7"]
    assert figure.axes[1].images[0].get_clim() == (-20, 9)
    assert (tmp_path / "maps.png").stat().st_size > 1000


def test_fewer_channels_than_columns_leave_room_empty(digits, lenet):
    figure = plot_feature_maps(feature_maps(lenet, digits, ["c1", "c3"]))
    assert [len(axes.images) for axes in figure.axes] == [1] * 6 + [0] * 2 + [1] * 8


def test_one_sentence_for_what_does_not_fit(lenet, digits):
    with pytest.raises(InputError, match="'c9'"):
        feature_maps(lenet, digits, "c9")
    with pytest.raises(InputError, match=r"\(None, 32, 32, 1\). Received: \(5, 28, 28, 1\)"):
        feature_maps(lenet, digits[:, 2:-2, 2:-2], "c1")
    with pytest.raises(InputError, match="Name the layers"):
        feature_maps(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), np.ones((1, 4)))
    with pytest.raises(InputError, match="feature_maps"):
        plot_feature_maps(digits)


def test_a_model_without_a_known_input_is_refused():
    model = keras.Sequential([keras.layers.Conv2D(2, 3, name="conv")])
    with pytest.raises(InputError, match="keras.Input"):
        feature_maps(model, np.ones((1, 8, 8, 3)), "conv")
