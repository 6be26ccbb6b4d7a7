"""The nearest photos against all pairs compared one by one."""

import tracemalloc

import numpy as np
import pytest

from kerascnn import InputError, data
from kerascnn.transfer import extract_features, nearest, retrieval
from tests.transfer.conftest import tiny_network
from tests.transfer.test_features import shapes

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def all_pairs(query, stored, count):
    def cosine(a, b):
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    table = [[cosine(q, s) for s in stored] for q in query.astype(np.float64)]
    order = [sorted(range(len(stored)), key=lambda i: -row[i])[:count] for row in table]
    return order, [[row[i] for i in best] for row, best in zip(table, order)]


@pytest.mark.parametrize("count", [1, 7, 50])
def test_equals_all_pairs(monkeypatch, count):
    monkeypatch.setattr(retrieval, "_ROWS", 16)  # several blocks, the last one smaller
    monkeypatch.setattr(retrieval, "_QUERIES", 2)
    draw = np.random.default_rng(0)
    query, stored = draw.normal(size=(5, 8)), draw.normal(size=(50, 8)).astype(np.float32)
    indices, similarities = nearest(query, stored, count)
    expected, cosines = all_pairs(query, stored, count)
    assert indices.tolist() == expected
    np.testing.assert_allclose(similarities, cosines, atol=1e-6)
    assert (indices.dtype, similarities.dtype) == (np.int64, np.float32)


def test_of_equal_photos_the_first_and_of_nothing_no_similarity():
    stored = np.array([[0, 0], [1, 1], [2, 2], [0, 1]], np.float32)
    indices, similarities = nearest([1.0, 1.0], stored, 4)
    assert indices.tolist() == [[1, 2, 3, 0]]
    np.testing.assert_allclose(similarities, [[1, 1, 0.5**0.5, 0]], atol=1e-6)


@pytest.mark.parametrize("count", [1, 4, 13, 60])
def test_equal_ones_and_nan_come_in_the_order_of_sorting_all(monkeypatch, count):
    """Every similarity is a multiple of 1/2, exact in floats: ties in all blocks and at the cut."""
    monkeypatch.setattr(retrieval, "_ROWS", 7)
    monkeypatch.setattr(retrieval, "_QUERIES", 4)
    draw = np.random.default_rng(count)
    stored = draw.choice([-1.0, 1.0], (60, 4)).astype(np.float32)
    query = draw.choice([-1.0, 1.0], (9, 4)).astype(np.float32)
    stored[::9], stored[5], query[3] = 0, np.nan, np.nan
    table = (query / 2) @ (stored / 2).T
    expected = np.argsort(-table, axis=1, kind="stable")[:, :count]
    indices, similarities = nearest(query, stored, count)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(similarities, np.take_along_axis(table, expected, axis=1))


def test_not_all_similarities_are_in_memory(monkeypatch):
    monkeypatch.setattr(retrieval, "_ROWS", 256)
    monkeypatch.setattr(retrieval, "_QUERIES", 64)
    stored = np.random.default_rng(0).normal(size=(1500, 4)).astype(np.float32)
    tracemalloc.start()
    indices, _ = nearest(stored, stored, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert indices.ravel().tolist() == list(range(1500))
    assert peak < 1500 * 1500 * 4 / 8


def test_no_query_has_no_neighbours():
    indices, similarities = nearest(np.empty((0, 2)), np.eye(2), 2)
    assert indices.shape == similarities.shape == (0, 2)


def test_stored_features_are_searched_like_an_array():
    found = extract_features(tiny_network(), shapes(40), engine="keras", progress=False)
    indices, similarities = nearest(found[:], found, 1)
    assert indices.ravel().tolist() == list(range(40))
    np.testing.assert_allclose(similarities, 1, atol=1e-6)


def test_the_mirror_image_of_a_real_photo_is_nearest_to_it(clothing, mobilenet):
    split = data.from_directory(clothing, 128, splits=(1, 0, 0), progress=False).train
    features = extract_features(mobilenet(), split, views=2, progress=False)
    indices, _ = nearest(features[80:], features[:80], 1)
    assert (indices.ravel() == np.arange(80)).mean() > 0.95


@pytest.mark.parametrize(
    ("width", "count", "message"),
    [(3, 1, r"\(3,\) and stored \(2,\) differ"), (2, 0, "from 1 to 4"), (2, 5, "Received: 5")],
)
def test_wrong_arguments(width, count, message):
    with pytest.raises(InputError, match=message):
        nearest(np.ones(width), np.ones((4, 2)), count)
