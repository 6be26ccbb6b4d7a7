"""A turned 6 is a 9: found on real digits with the LeNet-5 that knows them."""

import tracemalloc

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.augment import AdditiveNoise, RandomAffine, label_safety
from kerascnn.augment.label_safety import _predicted


@pytest.fixture
def digits(shared_data):
    """Test digits of MNIST, and a model of images 0-255 that has 99 % of them right."""
    with np.load(shared_data("data/mnist.npz")) as file:
        images, labels = file["x_test"][:1000], file["y_test"][:1000]
    images = np.pad(images, [(0, 0), (2, 2), (2, 2)])[..., None]
    scale = keras.layers.Rescaling(1.275 / 255, -0.1)
    model = keras.Sequential([keras.Input((32, 32, 1)), scale, kc.models.LeNet5(weights="mnist")])
    return model, (images, labels.astype("int64"))


def test_turned_sixes_become_nines(digits):
    layers = {
        "half a turn": RandomAffine(rotation=180),
        "a little turn": RandomAffine(rotation=8),
        "noise": AdditiveNoise((0, 10)),
    }
    found = label_safety(layers, *digits, draws=4)
    assert [row.operation for row in found][0] == "half a turn"
    turned, *harmless = found
    assert all(row.changed < 0.02 for row in harmless)
    assert turned.changed > 0.3
    assert turned.by_class["6"] > 3 * turned.by_class["0"]
    assert ("6", "9") in [(old, new) for old, new, _ in turned.becomes[:8]]
    assert "6 -> 9" in str(turned)
    assert turned.num_photos * turned.draws > 3900


def test_only_what_the_model_had_right_counts(digits):
    model, (images, labels) = digits
    wrong = np.where(np.arange(len(labels)) < 500, labels, (labels + 1) % 10)
    found = label_safety(AdditiveNoise((0, 1)), model, (images, wrong), draws=1)[0]
    assert 450 < found.num_photos < 515
    assert found.changed < 0.01


def test_the_validation_photos_of_a_data_set_are_taken():
    images = np.zeros((40, 4, 4, 1), "uint8")
    images[1::2, :, 2:] = np.arange(1, 21)[:, None, None, None]  # dark left, brighter right
    images[::2, :, :2] = np.arange(1, 21)[:, None, None, None]
    data = kc.data.from_arrays(images, ["left", "right"] * 20, splits=(0.5, 0.25, 0.25))
    side = keras.layers.Dense(2, use_bias=False)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), side])
    side.set_weights([np.stack([np.tile([1.0, 1, 0, 0], 4), np.tile([0.0, 0, 1, 1], 4)], 1)])
    found = label_safety([RandomAffine("horizontal")], model, data, draws=50)[0]
    assert found.operation == "RandomAffine"
    assert found.num_photos == data.validation.num_photos
    assert abs(found.changed - 0.5) < 0.1
    assert {(old, new) for old, new, _ in found.becomes} == {("left", "right"), ("right", "left")}


def test_one_probability_of_two_classes():
    images = np.array([[[[255], [0]]], [[[0], [255]]]] * 50, "uint8")  # the brighter side
    one = keras.layers.Dense(1, "sigmoid")
    model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(), one])
    one.set_weights([np.array([[-1.0], [1.0]]), np.zeros(1)])
    (found,) = label_safety(RandomAffine("horizontal"), model, (images, [0, 1] * 50), draws=8)
    assert abs(found.changed - 0.5) < 0.1 and {row[:2] for row in found.becomes} == {
        ("0", "1"), ("1", "0")
    }  # fmt: skip


def test_predictions_are_those_of_predict_without_all_photos_as_floats(digits):
    model, (images, _) = digits
    images = np.concatenate([images, images[:30]])  # the last batch is smaller
    expected = model.predict(images.astype("float32"), batch_size=256, verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(_predicted(model, images), expected)
    tracemalloc.start()
    _predicted(model, images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < images.size * 4


def test_labels_of_some_of_the_classes(digits):
    model, (images, labels) = digits
    some = labels < 2
    (found,) = label_safety(AdditiveNoise((0, 1)), model, (images[some], labels[some]), draws=1)
    assert set(found.by_class) == {"0", "1"} and found.changed < 0.02


def test_what_cannot_be_measured(digits):
    model, (images, labels) = digits
    fewer = keras.Sequential([keras.Input((32, 32, 1)), keras.layers.GlobalMaxPooling2D()])
    with pytest.raises(InputError, match=r"The model has 1 output\(s\) for 10 classes"):
        label_safety(AdditiveNoise(), fewer, (images, labels))
    with pytest.raises(InputError, match="none of the 10 photos right"):
        label_safety(AdditiveNoise(), model, (images[:10], (labels[:10] + 1) % 10))
    with pytest.raises(InputError, match="Received: float32"):
        label_safety(AdditiveNoise(), model, (images.astype("float32"), labels))
