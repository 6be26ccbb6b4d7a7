"""Single moves are NumPy's; what is drawn stays within its bounds and reaches them."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.augment import RandomAffine, seeds
from kerascnn.augment._draws import Draws
from kerascnn.augment._warp import warp
from kerascnn.augment.random_affine import inverse_affine

IMAGE = np.random.default_rng(0).integers(256, size=(9, 9, 3)).astype("float32")
MANY = seeds(0, 0, range(3000))


def moved(growth=(1.0, 1.0), lean=0.0, turn=0.0, shift=(0.0, 0.0)):
    one = [np.array([value], np.float32) for value in (*growth, lean, turn, *shift)]
    matrix = inverse_affine(np, (4.0, 4.0), one[:2], one[2], one[3], one[4:])
    y = warp(IMAGE[None], matrix.astype("float32"), "constant", 0.0)
    return keras.ops.convert_to_numpy(y)[0]


def test_mirrors_turns_and_shifts_are_numpys():
    close = {"atol": 1e-2}
    np.testing.assert_allclose(moved(), IMAGE, **close)
    np.testing.assert_allclose(moved(growth=(-1, 1)), IMAGE[:, ::-1], **close)
    np.testing.assert_allclose(moved(growth=(1, -1)), IMAGE[::-1], **close)
    np.testing.assert_allclose(moved(turn=np.pi / 2), np.rot90(IMAGE, -1), **close)
    np.testing.assert_allclose(moved(shift=(2, 0))[:, 2:], IMAGE[:, :-2], **close)
    np.testing.assert_allclose(moved(shift=(0, -3))[:-3], IMAGE[3:], **close)


def test_growth_and_lean():
    larger = moved(growth=(2, 2))
    np.testing.assert_allclose(larger[4, 4], IMAGE[4, 4], atol=1e-2)
    np.testing.assert_allclose(larger[4, 6], IMAGE[4, 5], atol=1e-2)
    np.testing.assert_allclose(larger[2, 4], IMAGE[3, 4], atol=1e-2)
    leaning = moved(lean=1.0)  # a row lower, a pixel to the right
    np.testing.assert_allclose(leaning[5, 1:], IMAGE[5, :-1], atol=1e-2)
    np.testing.assert_allclose(leaning[4], IMAGE[4], atol=1e-2)


def test_the_order_is_growth_lean_turn_shift():
    growth, lean, turn, shift = (1.3, -0.8), 0.4, 0.6, (1.5, -2.0)
    grow, slant = np.diag(growth), np.array([[1, lean], [0, 1]])
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    one = [np.array([value]) for value in (*growth, lean, turn, *shift)]
    inverse = inverse_affine(np, (4.0, 5.0), one[:2], one[2], one[3], one[4:])[0]
    p = np.array([2.0, 7.0])
    q = [4, 5] + np.array(shift) + spin @ slant @ grow @ (p - [4, 5])
    np.testing.assert_allclose(inverse @ [*q, 1], p, atol=1e-12)


def drawn(**options):
    return RandomAffine(**options).draw(Draws(MANY, np), 100.0, 200.0)["matrix"]


def test_nothing_is_the_identity():
    np.testing.assert_allclose(drawn(), np.tile([[1, 0, 0], [0, 1, 0]], (3000, 1, 1)), atol=1e-4)


def test_what_is_drawn_fills_its_bounds():
    turns = np.degrees(np.arctan2(*drawn(rotation=30)[:, 0, 1::-1].T))
    assert -30 <= turns.min() < -29 and 29 < turns.max() <= 30
    shifts = -drawn(shift=0.1)[:, :, 2]
    np.testing.assert_allclose(np.abs(shifts).max(axis=0), [20, 10], rtol=0.01)
    zooms = 1 / drawn(zoom=0.3)[:, 0, 0]
    assert 0.7 <= zooms.min() < 0.71 and 1.29 < zooms.max() <= 1.3
    matrices = drawn(stretch=0.5)
    ratios = matrices[:, 1, 1] / matrices[:, 0, 0]
    assert 1 / 1.51 <= ratios.min() < 0.68 and 1.48 < ratios.max() <= 1.51
    np.testing.assert_allclose(matrices[:, 0, 0] * matrices[:, 1, 1], 1, rtol=1e-4)
    leans = np.degrees(np.arctan(-drawn(shear=20)[:, 0, 1]))
    assert -20 <= leans.min() < -19.5 and 19.5 < leans.max() <= 20
    flips = drawn(flip="horizontal_and_vertical")
    for axis in (0, 1):
        assert abs((flips[:, axis, axis] < 0).mean() - 0.5) < 0.04
    assert (drawn(flip="vertical")[:, 0, 0] > 0).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"flip": "horizontally"}, "Did you mean 'horizontal'"),
        ({"rotation": 200}, "rotation must be a number from 0 to 180"),
        ({"zoom": 1}, "zoom must be"),
        ({"shear": 90}, "shear must be"),
        ({"shift": -0.1}, "shift must be"),
        ({"fill_mode": "wrap"}, "Unknown fill_mode"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        RandomAffine(**options)
