"""Noise has the deviation that was drawn, no mean, and none between pixels and channels."""

import keras
import numpy as np
import pytest
from scipy import stats

from kerascnn import InputError
from kerascnn.augment import AdditiveNoise, seeds

GREY = np.full((20, 40, 40, 3), 128.0, "float32")


def test_deviations_fill_their_range():
    noise = AdditiveNoise((5, 20)).augment(GREY, seeds(0, 0, range(20)))
    noise = keras.ops.convert_to_numpy(noise) - 128
    stds = noise.std(axis=(1, 2, 3))
    assert 4.8 < stds.min() < 8 and 17 < stds.max() < 20.5
    assert abs(noise.mean()) < 0.3
    for one, std in zip(noise, stds):
        assert stats.kstest(one.ravel() / std, "norm").pvalue > 1e-4
        assert abs(np.corrcoef(one[..., 0].ravel(), one[..., 1].ravel())[0, 1]) < 0.13


def test_values_are_cut_off():
    black = AdditiveNoise((30, 30)).augment_numpy(
        np.zeros((1, 50, 50, 1), "uint8"), seeds(0, 0, [0])
    )
    assert 0.4 < (black == 0).mean() < 0.6 and black.max() < 200


def test_bad_options():
    with pytest.raises(InputError, match="std must be"):
        AdditiveNoise((3, 1))
