"""Numbers as a page shows them."""

import math
from numbers import Integral, Real

import jinja2


def percent(fraction):
    """A fraction as text: 0.8817 -> "88.2 %"; what is not known is a dash.

    >>> percent(0.8817), percent(None)
    ('88.2 %', '–')
    """
    return "–" if unknown(fraction) else f"{100 * fraction:.1f} %"


def seconds(value):
    """A duration as text, in the two largest units.

    >>> [seconds(value) for value in (0.42, 59.7, 64, 7384)]
    ['0.4 s', '1 min 0 s', '1 min 4 s', '2 h 3 min']
    """
    if unknown(value):
        return "–"
    if value < 9.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes >= 60:
        return f"{minutes // 60:,} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def number(value):
    """A cell as text: four significant digits, grouped thousands; text stays as it is.

    >>> [number(value) for value in (0.123456, 1e-5, 3538984, None, True, "1x1")]
    ['0.1235', '1e-5', '3,538,984', '–', 'yes', '1x1']
    """
    if unknown(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{value:,}"
    if isinstance(value, Real):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}".replace("e-0", "e-")
    return str(value)


def unknown(value):
    """Nothing was measured: None, a missing key, NaN or an infinity."""
    if value is None or isinstance(value, jinja2.Undefined):
        return True
    return isinstance(value, Real) and not math.isfinite(value)
