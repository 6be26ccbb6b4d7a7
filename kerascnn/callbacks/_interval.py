"""When the next checkpoint is due."""

import datetime
import numbers
import time

from kerascnn._errors import InputError

__all__ = ["Interval"]


class Interval:
    """`every` "epoch", number of steps or `datetime.timedelta`; an epoch's end is due anyway.

    Args:
        every: as above.
        exact: bool. Whether the data can continue at a step.

    Raises:
        InputError: there is no such interval, or it needs other data.

    >>> interval = Interval(10, exact=True)
    >>> interval.begin(20)
    >>> interval.is_due(29), interval.is_due(30)
    (False, True)
    """

    def __init__(self, every, exact):
        steps = isinstance(every, numbers.Integral) and not isinstance(every, bool) and every >= 1
        span = isinstance(every, datetime.timedelta) and every > datetime.timedelta(0)
        if every != "epoch" and not steps and not span:
            raise InputError(
                'every must be "epoch", a number of steps >= 1, or a datetime.timedelta > 0, e.g. '
                f"timedelta(minutes=10). Received: {every!r}."
            )
        if every != "epoch" and not exact:
            raise InputError(
                f"every={every!r} needs training data that knows its position: pass data of "
                'kc.data, e.g. Resume(directory, data.train), or every="epoch".'
            )
        self._steps = every if steps else None
        self._seconds = every.total_seconds() if span else None

    def begin(self, step):
        """The time runs from this step of the epoch on."""
        self._step, self._time = step, time.monotonic()

    def is_due(self, step):
        """Whether a checkpoint is due after so many steps of the epoch."""
        if self._seconds is not None:
            return time.monotonic() - self._time >= self._seconds
        return self._steps is not None and step - self._step >= self._steps
