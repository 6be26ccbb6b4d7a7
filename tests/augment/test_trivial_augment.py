"""What TrivialAugment draws."""

import numpy as np

from kerascnn import augment
from kerascnn.augment._draws import Draws
from kerascnn.augment._policy import FOURTEEN, NUMBERS

SEEDS = augment.seeds(0, epoch=0, indices=range(14_000))


def test_one_of_fourteen_at_one_of_thirty_one_magnitudes():
    found = augment.TrivialAugment().draw(Draws(SEEDS, np), 48.0, 64.0)
    operation, value = found["operation"], found["value"]
    assert operation.shape == value.shape == (14_000, 1)
    counts = np.bincount(operation[:, 0], minlength=15)[FOURTEEN]
    assert counts.sum() == 14_000
    assert (np.abs(counts - 1000) < 150).all()  # five standard deviations
    turns = value[operation == NUMBERS["Rotate"]]
    assert set(np.round(np.abs(turns) / 4.5, 3)) == set(range(31))  # 135 / 30 = 4.5 degrees apart
    moves = value[operation == NUMBERS["TranslateX"]]
    assert abs(moves).max() == 32  # pixels
