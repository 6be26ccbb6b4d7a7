import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.data import from_arrays, from_directory, normalization

IMAGES = np.random.default_rng(0).integers(60, 200, size=(40, 6, 5, 3), dtype="uint8")


def data(**options):
    return from_arrays(IMAGES, np.arange(40) % 2, **options)


def test_its_numbers_are_mean_and_variance_of_the_training_photos(shared_data, tmp_path):
    photos = from_directory(shared_data("data/clothing/validation"), image_size=16)
    layer = normalization(photos)
    train = photos.train.images(range(photos.train.num_photos)).reshape(-1, 3)
    np.testing.assert_allclose(layer.input_mean, train.mean(axis=0, dtype="float64"), rtol=1e-12)
    # The variance, not the standard deviation, which the images' spread would show at once.
    np.testing.assert_allclose(layer.input_variance, train.var(axis=0, dtype="float64"), rtol=1e-12)
    model = keras.Sequential([keras.Input((16, 16, 3)), layer])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    test = photos.test.images(range(photos.test.num_photos))
    expected = (test - train.mean(axis=0)) / train.std(axis=0)
    for network in (model, again, keras.models.clone_model(model)):
        np.testing.assert_allclose(network.predict(test, verbose=0), expected, atol=1e-4)


def test_is_what_keras_adapts_and_reads_each_batch_once():
    train = data(batch_size=7).train
    read, original = [], train.batch
    train.batch = lambda epoch, index: read.append(index) or original(epoch, index)
    ours = normalization(train)
    assert read == list(range(5))
    stock = keras.layers.Normalization()
    stock.adapt(train.images(range(32)).astype("float32"))
    np.testing.assert_allclose(ours(IMAGES), stock(IMAGES), atol=1e-4)


def test_unit_variance_false_only_subtracts_the_mean():
    y = np.asarray(normalization(data(), unit_variance=False)(IMAGES))
    mean = data().train.images(range(32)).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(y, IMAGES - mean, atol=1e-4)


def test_a_constant_channel_becomes_0_and_float32_stays():
    images = IMAGES.copy()
    images[..., 1] = 7
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = normalization(images)
    finally:
        keras.config.set_dtype_policy("float32")
    y = np.asarray(layer(images + np.array([0, 1, 0])))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y[..., 1], 1)


def test_statistics_of_test_photos_are_refused():
    with pytest.raises(InputError, match="training images only, and these are the test split"):
        normalization(data().test)
