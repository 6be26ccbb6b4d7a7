"""Geometry of charts; `sections.html` draws them. Plain numbers in, plain numbers out."""

import math

WIDTH, HEIGHT = 480, 270  # of the view box; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 24, 42  # margins for the labels


def ticks(low, high, count=5):
    """About `count` equal steps of 1, 2 or 5 times a power of ten that cover [low, high].

    >>> ticks(0.13, 0.92)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if high <= low:  # one value only: a tenth of it below, so that it has an axis at all
        low, high = (high - abs(high) / 10, high) if high else (0.0, 1.0)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * 0.999)
    # The slack keeps 100 from becoming 120 when 100 / step is a hair above a whole number.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(i * step, digits) for i in range(first, last + 1)]


def tick_labels(values, unit=""):
    """The ticks as text, all with the decimals that their step needs.

    >>> tick_labels([0.0, 0.5, 1.0]), tick_labels([80.0, 90.0], " %")
    (['0.0', '0.5', '1.0'], ['80 %', '90 %'])
    """
    if 0 < values[-1] < 0.01:  # decimals would be longer than the margin
        texts = [f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-") for value in values]
        return [f"{'0' if value == 0 else text}{unit}" for value, text in zip(values, texts)]
    if abs(values[-1]) >= 1e5:
        return [f"{value:.3g}{unit}" for value in values]
    digits = max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9))
    return [f"{value:.{digits}f}{unit}" for value in values]


def line_chart(lines, stages, *, unit="", from_zero=False):
    """Place some curves over the epochs in a box of `WIDTH` x `HEIGHT`.

    Args:
        lines: dict name -> list of n floats; None and non-finite values are left out.
        stages: list of (name, epochs) whose epochs sum to n.
        unit: str. Follows every label of the vertical axis.
        from_zero: bool. The vertical axis starts at 0, not near the least value.

    Returns:
        Dict of `lines` (name -> list of (x, y, epoch, value)), `x_ticks` and `y_ticks` (lists of
        (position, label)) and `bands` (a list of (left, width, name) of stages), or None if no
        value is finite.
    """
    num_epochs = sum(epochs for _, epochs in stages)
    kept = {name: _finite(values) for name, values in lines.items()}
    values = [value for points in kept.values() for _, value in points]
    if not values:
        return None
    levels = ticks(min([0, *values] if from_zero else values), max(values))
    per_epoch = (WIDTH - LEFT - RIGHT) / num_epochs

    def x(i):
        return round(LEFT + (i + 0.5) * per_epoch, 1)  # an epoch is a column, drawn at its middle

    def y(value):
        share = (value - levels[0]) / (levels[-1] - levels[0])
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    return {
        "lines": {
            name: [(x(i), y(value), i + 1, value) for i, value in points]
            for name, points in kept.items()
            if points
        },
        "x_ticks": [(x(epoch - 1), str(epoch)) for epoch in _epoch_ticks(num_epochs)],
        "y_ticks": [(y(v), label) for v, label in zip(levels, tick_labels(levels, unit))],
        "bands": _bands(stages, per_epoch),
    }


def _finite(values):
    return [(i, v) for i, v in enumerate(values) if v is not None and math.isfinite(v)]


def _epoch_ticks(num_epochs):
    step = max(1, round(ticks(0, num_epochs, 8)[1]))
    return sorted({1, *range(step, num_epochs + 1, step)})


def _bands(stages, per_epoch):
    """(left, width, name) of each stage; a name too long for its band is cut."""
    bands, left = [], LEFT
    for name, epochs in stages:
        width = epochs * per_epoch
        room = int((width - 8) / 8)  # letters of about 8 units
        text = name if len(name) <= room else name[: room - 1] + "…" if room >= 4 else ""
        bands.append((round(left, 1), round(width, 1), text))
        left += width
    return bands


def reliability(bins):
    """Place the bars of a reliability diagram in the same box: accuracy over confidence, both 0-1.

    Args:
        bins: list of dicts of "low", "high", "confidence", "accuracy".

    Returns:
        Dict of `bars` (a list of (left, width, top, height, x of the mean confidence)), `diagonal`
        (x1, y1, x2, y2), `x_ticks` and `y_ticks` (lists of (position, label)).
    """

    def x(share):
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(share):
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    bars = [
        (x(part["low"]), round(x(part["high"]) - x(part["low"]), 1), y(part["accuracy"]),
         round(y(0) - y(part["accuracy"]), 1), x(part["confidence"]))
        for part in bins
    ]  # fmt: skip
    shares = [(share / 100, f"{share} %") for share in (0, 25, 50, 75, 100)]
    return {
        "bars": bars,
        "diagonal": (x(0), y(0), x(1), y(1)),
        "x_ticks": [(x(share), label) for share, label in shares],
        "y_ticks": [(y(share), label) for share, label in shares],
    }
