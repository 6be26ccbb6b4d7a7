import keras
import numpy as np
import pytest
from PIL import Image

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import FancyPCA
from kerascnn.data import from_arrays

SEEDS = augment.seeds(0, epoch=0, indices=range(400))


@pytest.fixture(scope="module")
def photos():
    from sklearn.datasets import load_sample_images

    return np.stack(load_sample_images().images)[:, ::4, ::4]


def test_fitted_is_scikit_learns_pca_of_all_pixels(photos):
    from sklearn.decomposition import PCA

    pca = PCA().fit(photos.reshape(-1, 3) / 255)
    one_by_one = (photo[None] for photo in photos)
    for layer in (FancyPCA.fitted(photos), FancyPCA.fitted(one_by_one)):
        np.testing.assert_allclose(layer.eigenvalues, pca.explained_variance_, rtol=1e-4)
        cosines = (np.array(layer.eigenvectors) * pca.components_.T).sum(axis=0)
        np.testing.assert_allclose(np.abs(cosines), 1, rtol=1e-6)


def test_fitted_is_the_same_for_images_from_zero_to_one(photos):
    layer = FancyPCA.fitted(photos / 255, value_range=(0, 1), seed=1)
    np.testing.assert_allclose(layer.eigenvalues, FancyPCA.fitted(photos).eigenvalues)
    assert layer.value_range == (0, 1)


def test_fitted_takes_the_training_images_of_a_data_set(photos):
    parts = photos[:, :96, :160].reshape(2, 6, 16, 10, 16, 3).swapaxes(2, 3).reshape(120, 16, 16, 3)
    data = from_arrays(parts, np.arange(120) % 2, batch_size=7)
    layer = FancyPCA.fitted(data)
    train = np.concatenate([data.train.batch(0, i)[0] for i in range(data.train.num_batches)])
    assert len(train) < len(parts)
    np.testing.assert_allclose(layer.eigenvalues, FancyPCA.fitted(train).eigenvalues)
    assert layer.eigenvalues != FancyPCA.fitted(parts).eigenvalues
    with pytest.raises(InputError, match="validation"):
        FancyPCA.fitted(data.validation)


def test_imagenets_components_are_orthonormal_and_photos_have_nearly_the_same(shared_data):
    """Independent of where the numbers were copied from: 100 of ImageNet's photos."""
    layer = FancyPCA()
    vectors = np.array(layer.eigenvectors)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=2e-4)
    files = sorted(shared_data("data/imagenet_sample100").glob("*.jpg"))
    own = FancyPCA.fitted(
        np.asarray(Image.open(file).convert("RGB").resize((64, 64)))[None] for file in files
    )
    cosines = np.abs((vectors * own.eigenvectors).sum(axis=0))
    assert cosines.min() > 0.95
    np.testing.assert_allclose(own.eigenvalues, layer.eigenvalues, rtol=0.5)


def test_one_color_is_added_to_the_whole_image(photos):
    layer = FancyPCA(std=0.05)
    middle = np.clip(photos.astype("float32"), 60, 190)
    added = layer.augment(middle, SEEDS[:2]) - middle
    assert keras.ops.max(keras.ops.std(added, axis=(1, 2))) < 0.001
    assert keras.ops.min(keras.ops.std(added, axis=0)) > 0.1  # another for the other image


def test_colors_are_drawn_with_the_papers_covariance():
    grey = np.full((400, 1, 1, 3), 128, "float32")
    added = keras.ops.convert_to_numpy(FancyPCA().augment(grey, SEEDS))[:, 0, 0] - 128
    along = added @ np.array(FancyPCA().eigenvectors) / 255  # a_i l_i
    np.testing.assert_allclose(along.std(axis=0), [0.02175, 0.00188, 0.00045], rtol=0.15)
    assert np.abs(np.corrcoef(along.T) - np.eye(3)).max() < 0.15


def test_refusals(photos):
    with pytest.raises(InputError, match="three rows"):
        FancyPCA(eigenvalues=[1, 2])
    with pytest.raises(InputError, match="three rows"):
        FancyPCA(eigenvalues=[1, 2, -1])
    with pytest.raises(InputError, match="std must be"):
        FancyPCA(std=-1)
    with pytest.raises(InputError, match="three channels"):
        FancyPCA.fitted(photos[..., :1])
    with pytest.raises(InputError, match="three channels"):
        FancyPCA().augment_numpy(photos[..., :1], SEEDS[:2])
