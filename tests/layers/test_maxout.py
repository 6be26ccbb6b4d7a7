import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.layers import Maxout
from tests.oracles import activations as oracle

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("pieces", [1, 2, 3, 12])
def test_it_is_the_largest_of_adjacent_channels(pieces):
    x = RNG.normal(size=(2, 12)).astype("float32")
    np.testing.assert_array_equal(Maxout(pieces)(x), oracle.maxout(x, pieces).astype("float32"))


def test_maps_are_treated_place_by_place():
    x = RNG.normal(size=(2, 5, 4, 6)).astype("float32")
    y = keras.ops.convert_to_numpy(Maxout(2)(x))
    expected = oracle.maxout(x.reshape(-1, 6), 2).reshape(2, 5, 4, 3)
    np.testing.assert_array_equal(y, expected.astype("float32"))


def test_two_pieces_make_an_absolute_value():
    # Fig. 1 of the paper: maxout can be the absolute value, |x| = max(x, -x).
    pieces = keras.layers.Dense(2, use_bias=False)
    pieces.build((None, 1))
    pieces.set_weights([np.array([[1.0, -1.0]])])
    x = np.linspace(-2, 2, 9, dtype="float32")[:, None]
    np.testing.assert_array_equal(Maxout(2)(pieces(x)), abs(x))


def test_sizes_may_be_unknown():
    maps = keras.Input((None, None, 6))
    assert Maxout(3)(maps).shape == (None, None, None, 2)


def test_channels_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match=r"multiple of pieces=4.*\(None, 6\)"):
        Maxout(4)(keras.Input((6,)))
    with pytest.raises(InputError, match="at least 1"):
        Maxout(0)
