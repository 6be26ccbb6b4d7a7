"""Statistics after averaging: those of PyTorch's definition, frozen layers left alone."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn._batch_norm import has_batch_norm, recalibrate_batch_norm

L = keras.layers
IMAGES = np.random.default_rng(0).integers(256, size=(20, 6, 6), dtype="uint8")


def network():
    layers = [keras.Input((6, 6, 1)), L.Rescaling(1 / 255), L.Conv2D(3, 3), L.BatchNormalization()]
    return keras.Sequential(
        [*layers, L.ReLU(), L.Conv2D(2, 2), L.BatchNormalization(), L.Flatten()]
    )


def test_the_mean_of_the_batches(tmp_path):
    """An oracle in NumPy, and the statistics of before do not count."""
    model, splits = network(), ["train"] * 16 + ["test"] * 4
    data = kc.data.from_arrays(IMAGES, [0, 1] * 10, batch_size=8, splits=splits).train
    inner = keras.Model(model.inputs[0], model.layers[1].output)
    outputs = [np.array(inner(data[i][0])) for i in range(2)]
    mean = np.mean([y.mean((0, 1, 2)) for y in outputs], axis=0)
    variance = np.mean([y.var((0, 1, 2)) for y in outputs], axis=0)
    model.layers[2].set_weights([np.ones(3), np.zeros(3), np.full(3, 7.0), np.full(3, 9.0)])
    assert recalibrate_batch_norm(model, data) == 2
    found = model.layers[2].get_weights()
    np.testing.assert_allclose(found[2], mean, rtol=1e-5)
    np.testing.assert_allclose(found[3], variance, rtol=1e-4)
    assert found[0].tolist() == [1] * 3 and model.layers[2].momentum == 0.99
    assert model.layers[-2].get_weights()[2].any()  # the second one follows


def test_arrays_are_cut_into_batches_as_fit_does():
    x = np.tile(IMAGES[..., None], (2, 1, 1, 1))  # 40: 32 and 8
    model, other, third = network(), network(), network()
    for same in (other, third):
        same.set_weights(model.get_weights())
    assert recalibrate_batch_norm(model, [x[:32], x[32:]]) == 2
    assert recalibrate_batch_norm(other, x) == recalibrate_batch_norm(third, (x, x)) == 2
    for expected, *found in zip(*(m.get_weights() for m in (model, other, third))):
        for values in found:
            np.testing.assert_array_equal(values, expected)


def test_frozen_layers_keep_theirs():
    model = network()
    model.layers[2].trainable = False
    before = [model.layers[2].get_weights(), model.layers[-2].get_weights()]
    recalibrate_batch_norm(model, [IMAGES[:8, ..., None]], steps=5)
    np.testing.assert_array_equal(model.layers[2].get_weights(), before[0])
    assert not np.array_equal(model.layers[-2].get_weights()[2], before[1][2])
    assert has_batch_norm(model)


def test_no_batch_is_refused():
    with pytest.raises(kc.InputError, match="no batches"):
        recalibrate_batch_norm(network(), [])


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return (IMAGES[index % 5 * 4 :][:4, ..., None],)


def endless_dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(IMAGES[..., None]).batch(4).repeat()


ENDLESS = [Endless]
if keras.backend.backend() == "tensorflow":
    ENDLESS.append(endless_dataset)


@pytest.mark.parametrize("make", ENDLESS)
def test_data_without_an_end_needs_steps(make):
    model, whole = network(), keras.models.clone_model(network())
    whole.set_weights(model.get_weights())
    assert recalibrate_batch_norm(model, make(), steps=5) == 5
    recalibrate_batch_norm(whole, [IMAGES[i : i + 4, ..., None] for i in range(0, 20, 4)])
    for found, expected in zip(model.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(kc.InputError, match="data has no end, so pass steps"):
        recalibrate_batch_norm(model, make())
