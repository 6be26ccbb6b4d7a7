import keras
import numpy as np
import pytest

from kerascnn.layers import ramp
from tests.oracles import activations as oracle

X = np.linspace(-3, 3, 101).astype("float32")


def test_values():
    y = keras.ops.convert_to_numpy(ramp(keras.ops.array(X)))
    np.testing.assert_array_equal(y, oracle.hard_tanh(X))
    # The note's min(-1, max(1, x)) is -1 everywhere.
    np.testing.assert_array_equal(y, keras.activations.hard_tanh(keras.ops.array(X)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtype_is_kept(dtype):
    y = ramp(keras.ops.ones((2,), dtype))
    assert keras.backend.standardize_dtype(y.dtype) == dtype
