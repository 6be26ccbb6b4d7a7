"""What is trained, what is a copy, and what stands still."""

import keras
import numpy as np
import pytest
from keras import layers

from kerascnn.doctor import batch_norm_settings, equal_layers, optimizer_fits, unreached_layers
from kerascnn.doctor.weights import frozen_vectors, is_from_scratch, kernels, trained_layers


def network(*stack):
    return keras.Sequential([keras.Input((4,)), *stack])


def norm(trainable=True, moved=False, **options):
    layer = layers.BatchNormalization(name="norm", **options)
    inner = network(layer)
    if moved:
        layer.moving_mean.assign(np.ones(4))
    layer.trainable = trainable
    return network(inner, layers.Dense(2))


@pytest.mark.parametrize(
    ("model", "severity"),
    [
        (lambda: norm(), "fine"),
        (lambda: norm(momentum=1.0), "problem"),
        (lambda: norm(momentum=0.0), "warning"),
        (lambda: norm(momentum=0.999), "warning"),  # 0.999^(10 * 20) = 0.82
        (lambda: norm(momentum=0.99), "fine"),  # 0.13
        (lambda: norm(trainable=False), "problem"),
        (lambda: norm(trainable=False, moved=True), "fine"),
        (lambda: norm(trainable=False, moved=True, momentum=1.0), "fine"),
        (lambda: network(layers.Dense(2)), "skipped"),
    ],
)
def test_batch_normalisation(model, severity):
    assert batch_norm_settings(model(), batch_size=8, steps_per_epoch=20).severity == severity


def test_small_batches_and_unknown_steps():
    assert batch_norm_settings(norm(), batch_size=7).severity == "warning"
    assert batch_norm_settings(norm(trainable=False, moved=True), batch_size=1).severity == "fine"
    assert batch_norm_settings(norm(momentum=0.999)).severity == "fine"


def test_equal_layers():
    start = keras.initializers.HeNormal(seed=3)
    twice = [layers.Dense(4, kernel_initializer=start, name=name) for name in "ab"]
    model = network(twice[0], network(twice[1]), layers.Dense(4))
    assert equal_layers(model).message == "Layers 'a' and 'b' have the same kernel."
    shared = layers.Dense(4)
    constant = [layers.Dense(4, kernel_initializer="ones") for _ in range(2)]
    model = network(shared, shared, *constant)
    assert equal_layers(model).severity == "fine"


def test_layers_that_do_not_change():
    before = {name: np.arange(3.0) for name in "abcde"}
    after = before | {"a": np.ones(3)}
    finding = unreached_layers(before, after)
    assert finding.message == "4 of 5 kernels do not change in training: 'b', 'c', 'd', ...."
    assert unreached_layers({"a": np.ones(2)}, {"a": np.zeros(2)}).severity == "fine"
    assert unreached_layers({}, {}).severity == "skipped"


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.SGD(momentum=0.9)])
def test_the_optimiser_and_what_is_trainable(optimizer):
    model = network(layers.Dense(3), layers.Dense(2))
    model.layers[0].trainable = False
    model.compile(optimizer, "mse")
    assert optimizer_fits(model).severity == "fine"
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    assert optimizer_fits(model).severity == "fine"
    model.layers[0].trainable = True
    assert optimizer_fits(model).severity == "problem"
    model.compile("adam", "mse")
    assert optimizer_fits(model).severity == "fine"


def test_what_is_frozen_and_what_was_trained():
    model = network(layers.Dense(3), layers.BatchNormalization(), layers.Dense(2))
    assert is_from_scratch(model) and trained_layers(model) == [True, True]
    model.layers[0].trainable = model.layers[1].trainable = False
    assert trained_layers(model) == [False, True]
    assert [v.tolist() for v in frozen_vectors(model)] == [[0] * 3] * 3  # bias, beta, mean
    assert list(kernels(model).values())[0].shape == (3, 2) and len(kernels(model)) == 1
    model.layers[1].moving_mean.assign(np.ones(3))
    assert not is_from_scratch(model)
