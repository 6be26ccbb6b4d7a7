"""Arguments outside their bounds are refused with what is expected."""

import pytest

from kerascnn import InputError
from kerascnn.augment._checks import bounded, rising, size_of


def test_what_fits_comes_back():
    assert bounded("rate", 0.5, 0, 1) == 0.5
    assert rising("std", [0, 3]) == (0, 3)
    assert size_of("size", 3) == (3, 3) and size_of("size", (3, 4)) == (3, 4)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_a_number_outside_its_bounds(value):
    with pytest.raises(InputError, match="rate must be a number from 0 to 1. Received"):
        bounded("rate", value, 0, 1)


@pytest.mark.parametrize("value", [3, (3, 2), (1, 2, 3), (-1, 2)])
def test_no_rising_pair(value):
    with pytest.raises(InputError, match="std must be"):
        rising("std", value)


@pytest.mark.parametrize("value", [0, (3,), (3, 0), 2.5, "ab", None])
def test_no_size(value):
    with pytest.raises(InputError, match="size must be an int >= 1 or"):
        size_of("size", value)
