"""Whitened training images are uncorrelated; the formulas are those of NumPy and scikit-learn."""

import io

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

import kerascnn as kc
from kerascnn import InputError
from kerascnn.layers import GlobalContrastNormalization, Whitening
from tests.oracles import whitening as oracle

RNG = np.random.default_rng(0)
SHAPE = (4, 3, 2)
MIXING = RNG.normal(size=(24, 24))
IMAGES = (RNG.normal(size=(400, 24)) @ MIXING).reshape(400, *SHAPE) * 20 + 128
OTHERS = (RNG.normal(size=(5, 24)) @ MIXING).reshape(5, *SHAPE) * 20 + 128


def whitened(layer, images=IMAGES):
    layer.adapt(images)
    return np.asarray(layer(images)).reshape(len(images), -1)


@pytest.mark.parametrize("method", ["pca", "zca"])
def test_whitened_training_images_have_identity_covariance(method):
    y = whitened(Whitening(method, epsilon=0))
    np.testing.assert_allclose(np.cov(y.T), np.eye(24), atol=1e-3)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
@pytest.mark.parametrize("number", [400, 10])  # more and fewer images than values
def test_zca_is_the_oracle_and_symmetric(number, epsilon):
    layer = Whitening(epsilon=epsilon)
    layer.adapt(IMAGES[:number])
    mean, matrix = oracle.matrix(IMAGES[:number], "zca", epsilon)
    ours = np.asarray(layer.matrix)
    np.testing.assert_array_equal(ours, ours.T)
    np.testing.assert_allclose(ours, matrix, rtol=1e-4, atol=1e-5 * abs(matrix).max())
    expected = ((OTHERS.reshape(5, -1) - mean) @ matrix).reshape(OTHERS.shape)
    np.testing.assert_allclose(layer(OTHERS), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("components", [None, 1, 7])
def test_pca_is_that_of_scikit_learn(components):
    layer = Whitening("pca", epsilon=0, num_components=components)
    layer.adapt(IMAGES)
    expected = PCA(components, whiten=True).fit(IMAGES.reshape(400, -1))
    expected = expected.transform(OTHERS.reshape(5, -1))
    y = np.asarray(layer(OTHERS))
    assert y.shape == expected.shape
    np.testing.assert_allclose(abs(y), abs(expected), atol=2e-3)  # signs are a convention
    matrix = np.asarray(layer.matrix)
    assert layer.compute_output_shape((5, *SHAPE)) == y.shape
    assert (np.take_along_axis(matrix, abs(matrix).argmax(axis=0)[None], axis=0) > 0).all()


def test_the_scale_of_the_images_makes_no_difference():
    y, of_small = whitened(Whitening()), whitened(Whitening(), IMAGES / 255)
    np.testing.assert_allclose(y, of_small, atol=1e-4)


def test_more_epsilon_amplifies_weak_components_less():
    spreads = [whitened(Whitening("pca", epsilon)).std(axis=0) for epsilon in (0.01, 0.1, 1)]
    assert (np.diff(spreads, axis=0) < 0).all()


def cifar(folder, number):
    with np.load(folder) as file:
        ends = file["train_offset"][: number + 1]
        raw = file["train_jpeg"][: ends[-1]].tobytes()
    photos = [Image.open(io.BytesIO(raw[a:b])) for a, b in zip(ends, ends[1:])]
    return np.stack([np.asarray(photo) for photo in photos])


def test_on_photos_zca_keeps_the_picture_and_removes_what_pixels_share(shared_data):
    photos = cifar(shared_data("data/cifar10_jpegbytes.npz"), 1500)[:, ::2, ::2]
    data = kc.data.from_arrays(photos, np.arange(1500) % 2, batch_size=200)
    train = data.train.images(range(data.train.num_photos))
    layer = Whitening(epsilon=0.01)
    layer.adapt(data)
    y = np.asarray(layer(train))

    def neighbours(images):
        left, right = images[:, :, :-1].ravel(), images[:, :, 1:].ravel()
        return np.corrcoef(left, right)[0, 1]

    assert neighbours(train.astype("float32")) > 0.8
    assert abs(neighbours(y)) < 0.3
    same_pixel = [np.corrcoef(train[:, i, i, 0], y[:, i, i, 0])[0, 1] for i in range(16)]
    assert min(same_pixel) > 0.1


def test_saved_in_a_model_behind_contrast_normalisation(tmp_path):
    contrast, whiten = GlobalContrastNormalization(55), Whitening()
    whiten.adapt(np.asarray(contrast(IMAGES)))
    layers = [contrast, whiten, keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input(SHAPE), *layers])
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "only.weights.h5")
    expected = model.predict(OTHERS, verbose=0)
    again = kc.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(OTHERS, verbose=0), expected)
    fresh = keras.models.clone_model(model)
    with pytest.raises(InputError, match="knows nothing of the training images"):
        fresh(OTHERS)
    fresh.load_weights(tmp_path / "only.weights.h5")
    np.testing.assert_array_equal(fresh.predict(OTHERS, verbose=0), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "zcaa"}, "Did you mean 'zca'"),
        ({"epsilon": -1}, "`epsilon` must be at least 0"),
        ({"num_components": 3}, "for 'pca' only"),
        ({"method": "pca", "num_components": 0}, "an int >= 1"),
        ({"method": "pca", "num_components": 1.5}, "an int >= 1"),
    ],
)
def test_an_option_out_of_range_gets_a_sentence(options, message):
    with pytest.raises(InputError, match=message):
        Whitening(**options)


def test_components_that_are_not_kept_may_be_constant():
    y = whitened(Whitening("pca", epsilon=0, num_components=9), IMAGES[:10])
    np.testing.assert_allclose(np.cov(y.T), np.eye(9), atol=1e-3)


def test_data_that_cannot_be_whitened_gets_a_sentence():
    with pytest.raises(InputError, match="some component of these 10 images is constant"):
        Whitening(epsilon=0).adapt(IMAGES[:10])
    for images in (IMAGES[:1], np.ones((5, *SHAPE))):
        with pytest.raises(InputError, match="needs images that differ"):
            Whitening().adapt(images)
    with pytest.raises(InputError, match="have 24 components. Received: num_components=25"):
        Whitening("pca", num_components=25).adapt(IMAGES)


def test_large_images_are_refused_before_memory_is_taken():
    with pytest.raises(InputError, match="takes about 1,088 GB of memory"):
        keras.Sequential([keras.Input((224, 224, 3)), Whitening()])
    with pytest.raises(InputError, match="takes about 1,088 GB of memory"):
        Whitening().adapt(iter([np.zeros((1, 224, 224, 3))]))
    with pytest.raises(InputError, match="fixed size"):
        keras.Sequential([keras.Input((None, None, 3)), Whitening()])
