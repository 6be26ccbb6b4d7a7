"""The flat model of a network and its head."""

import keras
import numpy as np
import pytest

from kerascnn.transfer import Recipe
from kerascnn.transfer._classifier import copy_of, head_of, with_head
from tests.transfer.conftest import equal, tiny_network

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PHOTOS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)


def test_layers_of_the_head_as_the_recipe_asks():
    recipe = Recipe(hidden_units=6, dropout=0.25)
    model = with_head(tiny_network(), None, 5, recipe, seed=0)
    *_, pool, hidden, dropout, predictions = model.layers
    assert [x.name for x in (pool, hidden, dropout)] == ["pool", "hidden", "dropout"]
    assert (hidden.units, dropout.rate, predictions.units) == (6, 0.25, 5)
    plain = with_head(tiny_network(), None, 5, Recipe(), seed=0)
    assert [layer.name for layer in plain.layers[-2:]] == ["pool", "predictions"]


def test_from_an_earlier_layer_its_maps_are_averaged():
    model = with_head(tiny_network(), "stage2_relu", 5, Recipe(), seed=0)
    assert model.layers[-2].output.shape == (None, 32) and model.output_shape == (None, 5)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(hidden_units=6, dropout=0.5)])
def test_the_head_is_what_the_model_does_with_features(recipe):
    network = tiny_network()
    model = with_head(network, None, 5, recipe, seed=0)
    head = head_of(model, recipe)
    features = network.predict_on_batch(PHOTOS)
    np.testing.assert_allclose(
        head.predict_on_batch(features), model.predict_on_batch(PHOTOS), rtol=1e-5
    )
    assert head.layers[-1] is model.layers[-1]


def test_the_start_of_a_hidden_layer_is_of_the_seed_alone():
    models = [with_head(tiny_network(), None, 5, Recipe(hidden_units=6), seed) for seed in (1, 1)]
    assert equal(*models)
    other = with_head(tiny_network(), None, 5, Recipe(hidden_units=6), seed=2)
    assert not equal(models[0], other)


def test_training_a_copy_leaves_the_network_as_it_is():
    network, twin = tiny_network(), tiny_network()
    copy = copy_of(network)
    assert equal(copy, network) and copy.layers[1] is not network.layers[1]
    model = with_head(copy, None, 2, Recipe(), seed=0)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.train_on_batch(PHOTOS, np.arange(4) % 2)
    assert equal(network, twin) and not equal(copy, network)
