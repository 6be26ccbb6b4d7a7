"""The tables of AutoAugment, and that images follow them."""

import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment._draws import Draws
from kerascnn.augment._policy import NAMES, NUMBERS
from kerascnn.augment.auto_augment import _POLICIES

SEEDS = augment.seeds(0, epoch=0, indices=range(25_000))


@pytest.mark.parametrize("policy", _POLICIES)
def test_tables_have_25_rows_of_known_operations(policy):
    rows = _POLICIES[policy]
    assert len(rows) == 25
    for row in rows:
        for name, rate, magnitude in (row[:3], row[3:]):
            assert name in NAMES
            assert 0 <= rate <= 1 and round(10 * rate) == pytest.approx(10 * rate)
            assert magnitude in range(10)
            if name in ("Invert", "AutoContrast", "Equalize"):
                assert magnitude == 0


def test_every_row_is_drawn_and_operations_happen_at_their_rates():
    found = augment.AutoAugment("imagenet").draw(Draws(SEEDS, np), 32.0, 32.0)
    expected = np.zeros(len(NAMES))
    for row in _POLICIES["imagenet"]:
        for name, rate in ((row[0], row[1]), (row[3], row[4])):
            expected[NUMBERS[name]] += rate / 25
            expected[NUMBERS["Identity"]] += (1 - rate) / 25
    counts = np.bincount(found["operation"].ravel(), minlength=len(NAMES)) / len(SEEDS)
    np.testing.assert_allclose(counts, expected, atol=0.02)


def test_magnitude_nine_is_the_end_of_the_range():
    found = augment.AutoAugment("imagenet").draw(Draws(SEEDS, np), 32.0, 32.0)
    turns = found["value"][found["operation"] == NUMBERS["Rotate"]]
    degrees = {30, 30 * 8 / 9, 30 * 3 / 9}  # magnitudes 9, 8 and 3
    assert {round(float(abs(t)), 3) for t in turns} == {round(d, 3) for d in degrees}


def test_an_unknown_policy_is_said():
    with pytest.raises(InputError, match="imagenet"):
        augment.AutoAugment("imagenette")
