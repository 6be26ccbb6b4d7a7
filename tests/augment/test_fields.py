import keras
import numpy as np
import pytest
from scipy.interpolate import BSpline

from kerascnn.augment._fields import enlarged, grid_of, noise, spline_weights

KEYS = np.array([5, 1, 2**31 + 7], np.uint32)


def test_weights_are_scipys_cubic_b_splines():
    first, weights = spline_weights(20, 4)
    own = np.zeros((20, 7))
    np.put_along_axis(own, first[:, None] + np.arange(4), weights.T, axis=1)
    places = (np.arange(20) + 0.5) * 4 / 20
    basis = BSpline.design_matrix(places, np.arange(-3.0, 8), k=3).toarray()
    np.testing.assert_allclose(own, basis, atol=1e-6)


def test_a_plane_stays_a_plane_when_enlarged():
    rows, columns = np.indices((5, 7), dtype="float32")
    plane = enlarged((3 * rows - columns)[None], (10, 16), np)[0]
    np.testing.assert_allclose(np.diff(plane, axis=0), 3 * 2 / 10, atol=1e-4)
    np.testing.assert_allclose(np.diff(plane, axis=1), -4 / 16, atol=1e-4)


def test_noise_is_standardised_smooth_and_its_own_for_each_image():
    fields = noise(KEYS, (40, 60), 3, 4, np)
    np.testing.assert_allclose(fields.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(fields.std(axis=(1, 2)), 1, rtol=1e-5)
    assert np.abs(np.diff(fields, axis=2)).max() < 0.6
    assert np.abs(np.corrcoef(fields.reshape(3, -1)) - np.eye(3)).max() < 0.7
    np.testing.assert_allclose(noise(KEYS[1:2], (40, 60), 3, 4, np)[0], fields[1], atol=1e-5)
    np.testing.assert_allclose(noise(KEYS, (40, 60), 3, 4, keras.ops), fields, atol=1e-4)


@pytest.mark.parametrize(("shape", "grid"), [((10, 20), (3, 5)), ((3, 100), (1, 25))])
def test_cells_are_nearly_square(shape, grid):
    assert grid_of(shape, 4) == grid
