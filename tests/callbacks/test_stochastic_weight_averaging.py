"""The mean is the mean, and its batch normalisation fits it."""

import itertools

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn._batch_norm import recalibrate_batch_norm
from kerascnn.callbacks import StochasticWeightAveraging

IMAGES = np.random.default_rng(0).integers(256, size=(40, 6, 6), dtype="uint8")


def data():
    return kc.data.from_arrays(IMAGES, [0, 1] * 20, batch_size=8, splits=["train"] * 40).train


def compiled():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(4), keras.layers.BatchNormalization()]
    layers = [keras.Input((6, 6, 1)), keras.layers.Rescaling(1 / 255), *layers]
    model = keras.Sequential([*layers, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss)
    return model


class Weights(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append([np.array(v, "float64") for v in self.model.trainable_variables])


@pytest.mark.parametrize(("every", "epochs"), [(1, [2, 3, 4, 5]), (2, [3, 5])])
def test_the_mean_of_the_last_epochs(every, epochs):
    model, weights = compiled(), Weights()
    average = StochasticWeightAveraging(2, data(), every)
    model.fit(data(), epochs=6, callbacks=[weights, average], verbose=0)
    assert average.num_averaged == len(epochs)
    for i, variable in enumerate(model.trainable_variables):
        mean = np.mean([weights.seen[epoch][i] for epoch in epochs], axis=0)
        np.testing.assert_allclose(variable, mean, rtol=1e-5, atol=1e-7)
    statistics = model.layers[-2].get_weights()[2:]
    recalibrate_batch_norm(model, data())
    for a, b in zip(statistics, model.layers[-2].get_weights()[2:]):
        np.testing.assert_array_equal(a, b)


def test_bad_input():
    with pytest.raises(kc.InputError, match="every_epochs must be an int >= 1. Received: 0"):
        StochasticWeightAveraging(0, every_epochs=0)
    with pytest.raises(kc.InputError, match="start_epoch must be an int >= 0. Received: 4.5"):
        StochasticWeightAveraging(0.75 * 6)
    with pytest.raises(kc.InputError, match="Pass the training data"):
        compiled().fit(data(), callbacks=[StochasticWeightAveraging(0)], verbose=0)
    with pytest.raises(kc.InputError, match="never reached: fit trains 3 epochs"):
        compiled().fit(data(), epochs=3, callbacks=[StochasticWeightAveraging(3, data())])


def test_the_mean_begins_anew_where_other_layers_begin_to_train(caplog):
    names = ("first", "second")
    layers = [keras.layers.Dense(2, name=name, use_bias=False) for name in names]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    weights, average = Weights(), StochasticWeightAveraging(0)
    unfreezing = kc.callbacks.GradualUnfreezing(["second", "first"], every_epochs=2)
    x = np.eye(2, dtype="float32")
    model.fit(x, x[::-1], epochs=5, verbose=0, callbacks=[unfreezing, weights, average])
    assert average.num_averaged == 3 and "without the 2 before" in caplog.text
    for i, variable in enumerate(model.trainable_variables):
        mean = np.mean([weights.seen[epoch][i] for epoch in (2, 3, 4)], axis=0)
        np.testing.assert_allclose(variable, mean, rtol=1e-5)


class Endless(keras.utils.PyDataset):
    """The batches of `data()`, over and over."""

    num_batches = None

    def __init__(self):
        super().__init__()
        self.source, self.read = data(), 0

    def __getitem__(self, index):
        self.read += 1
        assert self.read < 50  # else a test that fails would not end
        return self.source[index % self.source.num_batches]


def generated():
    endless = Endless()
    return (endless[index] for index in itertools.count())


def dataset():
    import tensorflow as tf

    source = data()
    batches = [source[index] for index in range(source.num_batches)]
    parts = [np.concatenate(part) for part in zip(*batches)]
    return tf.data.Dataset.from_tensor_slices(tuple(parts)).batch(8).repeat()


ENDLESS = [Endless, generated]
if keras.backend.backend() == "tensorflow":
    ENDLESS.append(dataset)


@pytest.mark.parametrize("make", ENDLESS)
def test_data_without_an_end(make):
    """The statistics are those of as many batches as an epoch has."""
    model = compiled()
    average = StochasticWeightAveraging(1, make())
    model.fit(data(), epochs=2, callbacks=[average], verbose=0)
    found = model.layers[-2].get_weights()[2:]
    assert recalibrate_batch_norm(model, make(), steps=5) == 5
    np.testing.assert_array_equal(found, model.layers[-2].get_weights()[2:])


def test_all_of_the_data_counts_however_few_steps_an_epoch_has():
    model = compiled()
    average = StochasticWeightAveraging(0, data())
    model.fit(data(), steps_per_epoch=2, callbacks=[average], verbose=0)
    found = model.layers[-2].get_weights()[2:]
    assert recalibrate_batch_norm(model, data()) == 5
    np.testing.assert_array_equal(found, model.layers[-2].get_weights()[2:])


def test_neither_the_data_nor_an_epoch_has_a_known_end():
    with pytest.raises(kc.InputError, match="data has no end"):
        compiled().fit(
            (batch for batch in [data()[0]]),
            callbacks=[StochasticWeightAveraging(0, Endless())],
            shuffle=False,
            verbose=0,
        )
