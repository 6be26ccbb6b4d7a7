"""What may be searched."""

import keras
import keras_tuner
import pytest

import kerascnn as kc
from kerascnn.search._hypermodels import as_hypermodel, declared_space
from tests.search.spaces import Space


def build(hp):
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 3, 9))])


def test_a_function_becomes_a_hypermodel_and_others_stay():
    assert as_hypermodel(build).build(keras_tuner.HyperParameters()).count_params() == 9
    space = Space()
    assert as_hypermodel(space) is space
    with pytest.raises(kc.InputError, match="should be a keras_tuner.HyperModel, or a function"):
        as_hypermodel("ResNet50")


def test_only_what_is_declared_is_a_space():
    assert declared_space(as_hypermodel(build)) is None
    names = [hyperparameter.name for hyperparameter in declared_space(Space()).space]
    assert names == ["kind", "units", "rate"]
