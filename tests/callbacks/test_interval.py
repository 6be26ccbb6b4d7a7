"""When a checkpoint is due."""

import datetime
import time

import pytest

from kerascnn import InputError
from kerascnn.callbacks._interval import Interval


def test_steps():
    interval = Interval(3, exact=True)
    interval.begin(4)
    assert [step for step in range(5, 12) if interval.is_due(step)] == [7, 8, 9, 10, 11]
    interval.begin(7)
    assert not interval.is_due(9) and interval.is_due(10)


def test_time(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    interval = Interval(datetime.timedelta(minutes=10), exact=True)
    interval.begin(0)
    now = 699.0
    assert not interval.is_due(10**6)
    now = 700.0
    assert interval.is_due(1)


def test_the_end_of_an_epoch_is_due_anyway():
    interval = Interval("epoch", exact=False)
    interval.begin(0)
    assert not interval.is_due(10**6)


@pytest.mark.parametrize(
    "every", [0, -1, True, 1.5, None, "step", datetime.timedelta(0), datetime.timedelta(-1)]
)
def test_what_is_no_interval_is_refused(every):
    with pytest.raises(InputError, match='every must be "epoch", a number of steps >= 1, or a dat'):
        Interval(every, exact=True)


@pytest.mark.parametrize("every", [5, datetime.timedelta(minutes=1)])
def test_other_data_has_whole_epochs_only(every):
    with pytest.raises(InputError, match="needs training data that knows its position"):
        Interval(every, exact=False)
