"""Which way is better, and a name that is not in the logs."""

import pytest

import kerascnn as kc
from kerascnn.callbacks._monitor import Monitor


@pytest.mark.parametrize(
    ("name", "mode"),
    [("loss", "min"), ("val_loss", "min"), ("head_loss", "min"), ("val_mae", "min")]
    + [("val_accuracy", "max"), ("sparse_categorical_accuracy", "max"), ("val_auc", "max")],
)
def test_the_direction_is_in_the_name(name, mode):
    assert Monitor(name).mode == mode


def test_better_by_more_than_min_delta():
    low, high = Monitor("loss", min_delta=0.1), Monitor("score", "max", min_delta=0.1)
    assert low.is_better(0.5, than=None) and low.is_better(0.5, than=0.7)
    assert not low.is_better(0.5, than=0.55) and not low.is_better(float("nan"), than=None)
    assert high.is_better(0.7, than=0.5) and not high.is_better(0.55, than=0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Monitor("score"), 'Pass mode="min" or mode="max"'),
        (lambda: Monitor("loss", "low"), "Unknown mode 'low'"),
        (lambda: Monitor("loss", min_delta=-1), "min_delta must not be negative"),
        (lambda: Monitor("val_loss").read({"loss": 1, "acc": 0}, "X"), "fit reports: loss, acc"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(kc.InputError, match=message):
        make()
