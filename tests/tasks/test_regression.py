import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.tasks import regression


def test_targets_are_columns():
    assert regression().encode([1, 2]).tolist() == [[1.0], [2.0]]
    assert regression(2).encode([[1, 2]]).tolist() == [[1.0, 2.0]]
    assert regression().decide(np.array([[1.5], [2.5]])).tolist() == [1.5, 2.5]


@pytest.mark.parametrize("targets", [[[1.0], [2.0]], [1.0, 2.0], [[[1.0, 2.0]]]])
def test_targets_of_another_shape(targets):
    with pytest.raises(InputError, match=r"shape \(N, 2\)"):
        regression(2).encode(targets)


def test_targets_are_finite():
    with pytest.raises(InputError, match="finite"):
        regression(labels=[1.0, np.nan])
    with pytest.raises(InputError, match="`labels` are empty"):
        regression(labels=[])
    for units in (0, "2"):
        with pytest.raises(InputError, match="units must be an int >= 1"):
            regression(units)
