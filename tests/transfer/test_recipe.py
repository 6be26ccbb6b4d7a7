"""A recipe refuses what cannot be trained with, in one sentence."""

import json
from dataclasses import asdict

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.transfer import Recipe
from kerascnn.transfer.recipe import checked_recipe


def test_the_default_is_that_of_keras_and_of_the_papers():
    recipe = Recipe()
    assert recipe.weight_decay == keras.optimizers.AdamW().weight_decay
    assert (recipe.batch_size, recipe.label_smoothing, recipe.stage_rate) == (32, 0.1, 1.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch_size": 0}, "batch_size must be an int >= 1. Received: 0."),
        ({"batch_size": 32.0}, "batch_size must be an int >= 1. Received: 32.0."),
        ({"weight_decay": -1}, "weight_decay must be a number >= 0. Received: -1."),
        ({"weight_decay": float("inf")}, "weight_decay must be a number >= 0. Received: inf."),
        ({"label_smoothing": 1}, "label_smoothing must be a number from 0 to below 1."),
        ({"dropout": float("nan")}, "dropout must be a number from 0 to below 1. Received: nan."),
        ({"hidden_units": True}, "hidden_units must be an int >= 0. Received: True."),
        ({"num_stages": 0}, "num_stages must be an int >= 1. Received: 0."),
        ({"stage_rate": 0}, "stage_rate must be a number above 0 and at most 1. Received: 0."),
        ({"magnitude": 31}, "magnitude must be a number from 0 to 30. Received: 31."),
    ],
)
def test_values_out_of_range(values, said):
    with pytest.raises(InputError) as caught:
        Recipe(**values)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("recipe", "strategy", "said"),
    [
        ({"droput": 0.1}, "auto", "Unknown field of a recipe: 'droput'. Did you mean 'dropout'?"),
        ("fast", "auto", "recipe must be a kc.transfer.Recipe or a dict. Received: 'fast'."),
        ({"hidden_units": 8}, "probe", "strategy='probe' is a linear classifier, without hidden"),
        ({"magnitude": 9}, "partial", "magnitude changes photos of the full stage"),
    ],
)
def test_what_does_not_go_together(recipe, strategy, said):
    with pytest.raises(InputError) as caught:
        checked_recipe(recipe, strategy)
    assert str(caught.value).startswith(said)


def test_a_dict_or_nothing_is_a_recipe_too():
    assert checked_recipe(None, "probe") == checked_recipe({}, "full") == Recipe()
    assert checked_recipe({"magnitude": 9}, "full") == Recipe(magnitude=9)


def test_numbers_of_numpy_are_kept_as_pythons():
    recipe = Recipe(batch_size=np.int64(64), dropout=np.float32(0.25))
    assert json.loads(json.dumps(asdict(recipe))) == asdict(Recipe(batch_size=64, dropout=0.25))
    with pytest.raises(InputError, match="batch_size must be an int >= 1"):
        Recipe(batch_size=np.float64(64))
