"""Hashed numbers are as good as random ones, and the same in NumPy and on the backend."""

import keras
import numpy as np
import pytest
from scipy import stats

from kerascnn.augment import seeds
from kerascnn.augment._draws import Draws, normal_field, uniform_field

MANY = seeds(0, epoch=0, indices=range(20_000))


def both(function):
    """(in NumPy, on the backend)."""
    return function(np), keras.ops.convert_to_numpy(function(keras.ops))


def draws(xp, key=MANY):
    return Draws(key if xp is np else keras.ops.convert_to_tensor(key), xp)


def test_uniform_numbers_are_uniform_and_equal_in_both():
    ours, theirs = both(lambda xp: draws(xp).uniform(count=4))
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == np.float32 and ours.min() >= 0 and ours.max() < 1
    for column in ours.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_neighbouring_images_draws_epochs_and_seeds_are_unrelated():
    kinds = [draws(np).uniform(count=3)]
    kinds += [draws(np, seeds(s, e, range(20_000))).uniform(count=3) for s, e in ((0, 1), (1, 0))]
    columns = np.concatenate([*kinds, kinds[0][1:].repeat(1, 0)[np.r_[:19_999, 0]]], axis=1)
    correlations = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)


def test_the_numbers_of_one_after_the_other_differ():
    one = draws(np)
    assert (one.uniform() != one.uniform()).mean() > 0.999
    assert (draws(np).uniform(count=2)[:, 0] == draws(np).uniform()).all()


def test_normal_numbers_are_normal():
    ours, theirs = both(lambda xp: draws(xp).normal(3.0))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert stats.kstest(ours / 3, "norm").pvalue > 1e-3


def test_integers_reach_both_ends_and_no_further():
    ours, theirs = both(lambda xp: draws(xp).integers(-2, 3))
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == np.int32
    assert stats.chisquare(np.unique(ours, return_counts=True)[1]).pvalue > 1e-3
    assert set(ours) == set(range(-2, 4))
    own = draws(np).integers(0, np.arange(20_000, dtype=np.int32))
    assert (own <= np.arange(20_000)).all() and (own >= 0).all()


def test_chances_and_logarithms():
    assert abs(draws(np).chance(0.3).mean() - 0.3) < 0.015
    factors = draws(np).log_uniform(0.5, 2)
    assert factors.min() >= 0.5 and factors.max() < 2
    assert stats.kstest(np.log2(factors), "uniform", (-1, 2)).pvalue > 1e-3


@pytest.mark.parametrize("field, kind", [(uniform_field, "uniform"), (normal_field, "norm")])
def test_fields_have_no_pattern(field, kind):
    keys = draws(np).bits()[:2]
    ours, theirs = both(lambda xp: field(keys, (60, 70, 3), xp))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    for one in ours:
        assert stats.kstest(one.ravel(), kind).pvalue > 1e-3
        for axis in range(3):
            near = np.corrcoef(one.ravel(), np.roll(one, 1, axis).ravel())[0, 1]
            assert abs(near) < 5 / np.sqrt(one.size)
    assert abs(np.corrcoef(ours[0].ravel(), ours[1].ravel())[0, 1]) < 5 / np.sqrt(ours[0].size)


def test_seeds_of_tensors_and_single_numbers():
    expected = seeds(5, 2, [3, 4])
    tensor = seeds(5, 2, keras.ops.convert_to_tensor([3, 4]))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(tensor), expected)
    np.testing.assert_array_equal(seeds(5, 2, 4), expected[1])
    assert seeds(5, 2, np.zeros((2, 3), int)).shape == (2, 3, 2)
    assert len({tuple(row) for row in MANY}) == len(MANY)
