import keras
import numpy as np
import pytest

from kerascnn.layers import scaled_tanh
from tests.oracles import lenet as oracle


def test_the_targets_map_to_themselves():
    y = keras.ops.convert_to_numpy(scaled_tanh(keras.ops.array([-1.0, 1.0])))
    np.testing.assert_allclose(y, [-1, 1], atol=1e-5)  # the note's 1.7259 would give 1.0058


def test_values_and_asymptotes():
    x = np.linspace(-50, 50, 1001).astype("float32")
    y = keras.ops.convert_to_numpy(scaled_tanh(keras.ops.array(x)))
    np.testing.assert_allclose(y, oracle.squash(x), atol=1e-5)
    assert y.max() == pytest.approx(1.7159, abs=1e-6)


def test_the_second_derivative_peaks_at_the_targets():
    x = np.linspace(0, 3, 30001)
    curvature = np.gradient(np.gradient(oracle.squash(x), x), x)[5:-5]
    assert abs(x[5:-5][abs(curvature).argmax()] - 1) < 0.02


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtype_is_kept(dtype):
    y = scaled_tanh(keras.ops.ones((2,), dtype))
    assert keras.backend.standardize_dtype(y.dtype) == dtype
