import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.initializers import DigitBitmaps, FanInUniform


def values(initializer, shape):
    return keras.ops.convert_to_numpy(initializer(shape))


@pytest.mark.parametrize(
    ("shape", "fan_in"), [((5, 5, 6, 400), 150), ((84, 2000), 84), ((5, 5, 1, 3000), 25)]
)
def test_fan_in_uniform_fills_the_papers_interval(shape, fan_in):
    drawn = values(FanInUniform(seed=1), shape)
    limit = 2.4 / fan_in
    assert limit * 0.999 < drawn.max() < limit
    assert -limit < drawn.min() < -limit * 0.999
    assert abs(drawn.std() / (limit / 3**0.5) - 1) < 0.02
    assert abs(drawn.mean()) < 0.02 * limit


def test_fan_in_may_differ_between_outputs():
    drawn = abs(values(FanInUniform([3, 300], seed=1), (1000, 2))).max(axis=0)
    np.testing.assert_allclose(drawn, [2.4 / 3, 2.4 / 300], rtol=0.02)


def test_seed_and_config_repeat_the_draw():
    initializer = FanInUniform([3, 4], scale=1.0, seed=7)
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    np.testing.assert_array_equal(values(initializer, (2, 2)), values(again, (2, 2)))
    keras.utils.set_random_seed(3)
    first = values(FanInUniform(), (4, 4))
    second = values(FanInUniform(), (4, 4))
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(first, values(FanInUniform(), (4, 4)))
    assert (first != second).all()


@pytest.mark.parametrize("options", [{"fan_in": 0}, {"fan_in": [3, 0]}, {"scale": 0.0}])
def test_fan_in_uniform_refuses_what_has_no_interval(options):
    with pytest.raises(InputError, match="must be positive"):
        FanInUniform(**options)


def test_bitmaps_are_ten_different_drawings_on_one_line():
    codes = values(DigitBitmaps(), (10, 84))
    assert set(np.unique(codes)) == {-1.0, 1.0}
    drawings = codes.reshape(10, 12, 7)
    assert (drawings[:, 10:] == -1).all()  # rows for descenders
    assert (drawings[:, 9] == 1).any(axis=1).all()  # every digit stands on the tenth row
    distance = ((codes[:, None] - codes[None]) ** 2).sum(-1) / 4  # pixels that differ
    assert distance[~np.eye(10, dtype=bool)].min() >= 8
    eight = drawings[8]
    np.testing.assert_array_equal(eight, eight[:, ::-1])  # symmetric, as 0 is
    np.testing.assert_array_equal(drawings[0], drawings[0][:, ::-1])


def test_bitmaps_refuse_other_shapes():
    with pytest.raises(InputError, match=r"10 units and 84 inputs.*\(26, 84\)"):
        DigitBitmaps()((26, 84))
