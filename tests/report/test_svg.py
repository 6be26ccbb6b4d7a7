"""The geometry of the curves against the definition of each quantity."""

import math

import pytest

from kerascnn.report import _svg


@pytest.mark.parametrize(
    "low, high",
    [(0, 1), (0.31, 0.87), (99.2, 99.9), (0, 2.303), (-3, 5), (1e-6, 4e-6), (12, 61234), (0, 1e9)],
)
def test_ticks_are_round_even_and_cover(low, high):
    values = _svg.ticks(low, high)
    steps = [b - a for a, b in zip(values, values[1:])]
    assert all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)
    mantissa = steps[0] / 10 ** math.floor(math.log10(steps[0] * 1.0000001))
    assert any(math.isclose(mantissa, nice, rel_tol=1e-6) for nice in (1, 2, 5))
    assert values[0] <= low < values[1] and values[-2] < high <= values[-1]
    assert 3 <= len(values) <= 8


@pytest.mark.parametrize("value", [0.0, 1.0, 100.0, -2.0])
def test_ticks_of_a_constant_contain_it(value):
    values = _svg.ticks(value, value)
    assert len(values) > 2 and values[0] <= value <= values[-1]


def test_percent_never_passes_100():
    for low in (0.0, 33.0, 61.7, 88.8, 97.0, 99.0, 99.95):
        assert _svg.ticks(low, 100.0)[-1] == 100.0


def test_labels_differ_and_equal_their_ticks():
    for low, high in [(0, 1), (0.31, 0.87), (99.2, 99.9), (0, 7), (1e-6, 4e-6), (0, 3e7)]:
        values = _svg.ticks(low, high)
        labels = _svg.tick_labels(values, " %")
        assert [float(label.removesuffix(" %")) for label in labels] == pytest.approx(values)


def chart(**lines):
    epochs = len(next(iter(lines.values())))
    return _svg.line_chart(lines, [("head", 3), ("all", epochs - 3)])


def test_points_lie_where_the_axes_say():
    """Inverting the axes, read off two ticks each, gives the data back."""
    losses = [2.0, 1.25, 0.8, 0.5, 0.41, 0.36, 0.35, 0.47]
    drawn = chart(loss=losses)
    (y0, first), (y1, last) = drawn["y_ticks"][0], drawn["y_ticks"][-1]
    (x0, epoch0), (x1, epoch1) = drawn["x_ticks"][0], drawn["x_ticks"][-1]
    assert y1 < y0 and x0 < x1, "up is more, right is later"
    for i, (x, y, epoch, value) in enumerate(drawn["lines"]["loss"]):
        assert epoch == i + 1 and value == losses[i]
        read = float(first) + (y - y0) / (y1 - y0) * (float(last) - float(first))
        assert read == pytest.approx(losses[i], abs=0.002)
        when = int(epoch0) + (x - x0) / (x1 - x0) * (int(epoch1) - int(epoch0))
        assert when == pytest.approx(epoch, abs=0.01)


def test_points_stay_inside_and_touch_the_range():
    points = chart(a=[0.0, 5.0, 1.0, 1.0], b=[10.0, None, math.nan, 2.0])["lines"]
    ys = [y for line in points.values() for _, y, _, _ in line]
    assert min(ys) == _svg.TOP and max(ys) == _svg.HEIGHT - _svg.BOTTOM
    assert [epoch for _, _, epoch, _ in points["b"]] == [1, 4]
    xs = [x for line in points.values() for x, _, _, _ in line]
    assert min(xs) > _svg.LEFT and max(xs) < _svg.WIDTH - _svg.RIGHT


def test_bands_meet_between_epochs():
    drawn = chart(a=[1.0, 2.0, 3.0, 4.0, 5.0])
    (left, width, _), (edge, rest, _) = drawn["bands"]
    xs = [x for x, _, _, _ in drawn["lines"]["a"]]
    assert edge == pytest.approx(left + width, abs=0.2)
    assert edge == pytest.approx((xs[2] + xs[3]) / 2, abs=0.2)
    assert edge + rest == pytest.approx(_svg.WIDTH - _svg.RIGHT, abs=0.2)


def test_long_stage_names_are_cut():
    bands = _svg.line_chart({"a": [1.0] * 50}, [("a" * 99, 49), ("tail", 1)])["bands"]
    assert bands[0][2].endswith("…") and len(bands[0][2]) < 60
    assert bands[1][2] == ""


def test_nothing_measured_is_no_chart():
    assert _svg.line_chart({"a": [None, math.nan]}, [("head", 2)]) is None
    assert _svg.line_chart({"a": []}, []) is None


@pytest.mark.parametrize("num_epochs", [1, 2, 7, 30, 200, 1000])
def test_epoch_ticks_are_few_whole_and_begin_at_1(num_epochs):
    ticks = _svg._epoch_ticks(num_epochs)
    assert ticks[0] == 1 and ticks[-1] <= num_epochs and len(ticks) <= 12
    assert len(ticks) >= min(num_epochs, 3)


def test_reliability_bars_stand_where_the_axes_say():
    bins = [
        {"low": 0.2, "high": 0.4, "confidence": 0.25, "accuracy": 0.5},
        {"low": 0.8, "high": 1.0, "confidence": 0.95, "accuracy": 1.0},
    ]
    drawn = _svg.reliability(bins)
    (x0, first), (x1, last) = drawn["x_ticks"][0], drawn["x_ticks"][-1]
    assert (first, last) == ("0 %", "100 %")
    (y0, _), (y1, _) = drawn["y_ticks"][0], drawn["y_ticks"][-1]
    assert drawn["diagonal"] == (x0, y0, x1, y1)
    for (left, width, top, height, middle), part in zip(drawn["bars"], bins):
        shares = [(x - x0) / (x1 - x0) for x in (left, left + width, middle)]
        assert shares == pytest.approx([part["low"], part["high"], part["confidence"]], abs=1e-3)
        assert (top - y0) / (y1 - y0) == pytest.approx(part["accuracy"], abs=1e-3)
        assert top + height == pytest.approx(y0)


def test_small_rates_have_short_labels():
    assert _svg.tick_labels([0.0, 1e-5, 2e-5]) == ["0", "1e-5", "2e-5"]
    for rate in (1e-2, 3e-3, 3e-4, 1.2e-5, 1e-7):
        values = _svg.ticks(0, rate)
        labels = _svg.tick_labels(values)
        assert [float(label) for label in labels] == pytest.approx(values) and len(values) > 3
        assert max(map(len, labels)) <= 6
