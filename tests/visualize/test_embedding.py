"""Embeddings: PCA against the singular value decomposition, t-SNE by what it is for."""

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.visualize import embed


@pytest.fixture
def clusters():
    """60 points around 4 corners of 70 dimensions, and the corner of each."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 15)
    return 10 * rng.normal(size=(4, 70))[labels] + rng.normal(size=(60, 70)), labels


def test_pca_is_the_projection_on_the_first_singular_vectors(clusters):
    rows = clusters[0] - clusters[0].mean(axis=0)
    u, s, _ = np.linalg.svd(rows, full_matrices=False)
    points = embed(clusters[0])
    assert points.shape == (60, 2) and points.dtype == np.float32
    signs = np.sign(np.sum(points * u[:, :2], axis=0))
    np.testing.assert_allclose(points, signs * u[:, :2] * s[:2], rtol=1e-3, atol=1e-3)


def test_maps_are_taken_as_one_row(clusters):
    np.testing.assert_array_equal(embed(clusters[0].reshape(60, 7, 5, 2)), embed(clusters[0]))


def test_tsne_puts_neighbours_next_to_each_other_and_repeats(clusters):
    rows, labels = clusters[0][::3], clusters[1][::3]
    points = embed(rows, "tsne")
    distances = np.linalg.norm(points[:, None] - points, axis=-1) + 1e9 * np.eye(len(rows))
    assert (labels[distances.argmin(axis=1)] == labels).all()
    np.testing.assert_array_equal(embed(rows, "tsne"), points)


def test_few_rows_work():
    assert embed(np.eye(4), "tsne").shape == (4, 2)


@pytest.mark.parametrize(
    "features", [np.ones((2, 5)), np.ones(9), np.ones((9, 1)), np.full((9, 5), np.nan)]
)
def test_one_sentence_for_what_cannot_be_embedded(features):
    with pytest.raises(InputError, match="finite numbers of shape"):
        embed(features)


def test_unknown_method():
    with pytest.raises(InputError, match="'tsne'"):
        embed(np.eye(5), "t-sne")
