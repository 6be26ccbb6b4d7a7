"""Learning rates are checked where they are given."""

import keras
import pytest

from kerascnn import InputError
from kerascnn.optimizers._rate import checked_rate


def test_numbers_become_floats_and_schedules_stay():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    assert checked_rate(2) == 2.0 and isinstance(checked_rate(2), float)
    assert checked_rate(schedule) is schedule


@pytest.mark.parametrize("rate", [0, -1e-3, float("nan"), float("inf"), "0.1", None])
def test_anything_else_is_refused(rate):
    with pytest.raises(InputError, match=r"learning_rate must be above 0, or a schedule\. Rec"):
        checked_rate(rate)
