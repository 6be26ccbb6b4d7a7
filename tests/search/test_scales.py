"""Scales: what is tried first, and how draws spread over the range."""

import keras_tuner
import numpy as np
import pytest

from kerascnn import search

FIRST = {  # the course's table, and the defaults of Keras's AdamW
    "learning_rate": 0.001,
    "momentum": 0.9,
    "batch_size": 32,
    "num_layers": 1,
    "units": 128,
    "kernel_size": 3,
    "dropout": 0.0,
    "weight_decay": 0.004,
}


def drawn(scale, number=2000, **options):
    """Values of a scale at evenly spread probabilities."""
    hp = keras_tuner.HyperParameters()
    getattr(search, scale)(hp, **options)
    (parameter,) = hp.space
    values = [parameter.prob_to_value((i + 0.5) / number) for i in range(number)]
    found = []
    for value in values:
        hp.values[parameter.name] = value
        found.append(getattr(search, scale)(hp, **options))
    return np.array(found)


@pytest.mark.parametrize("scale", FIRST)
def test_first_value_and_an_inactive_scope(scale):
    hp = keras_tuner.HyperParameters()
    hp.Choice("optimizer", ["sgd", "adamw"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        assert getattr(search, scale)(hp) == FIRST[scale]
    with hp.conditional_scope("optimizer", ["adamw"]):
        assert getattr(search, scale)(hp, name="other") is None
    assert "other" not in hp.values


@pytest.mark.parametrize("scale", ["learning_rate", "weight_decay"])
def test_rates_are_even_in_their_logarithm(scale):
    values = drawn(scale, around=0.01, factor=100)
    counts = np.histogram(np.log10(values), np.linspace(-4, 0, 9))[0]
    np.testing.assert_allclose(counts, 250, atol=2)


def test_what_a_momentum_lacks_to_one_is_even_in_its_logarithm():
    values = drawn("momentum")
    assert values.min() >= 0.5 and values.max() <= 0.99
    halves = [((1 - values > low) & (1 - values <= 2 * low)).sum() for low in (0.0125, 0.05, 0.2)]
    np.testing.assert_allclose(halves, 2000 * np.log(2) / np.log(50), atol=3)


def test_counts_and_choices_are_even():
    assert np.unique(drawn("batch_size", 300), return_counts=True)[1].tolist() == [100] * 3
    sizes, counts = np.unique(drawn("units", 800), return_counts=True)
    assert sizes.tolist() == [32, 64, 96, 128, 160, 192, 224, 256] and (counts == 100).all()
    assert set(drawn("num_layers", 100)) == {1, 2, 3, 4}
    assert set(drawn("kernel_size", 100)) == {3, 5}
    assert abs(np.median(drawn("dropout")) - 0.25) < 0.01
