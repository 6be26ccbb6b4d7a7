"""Learning rates as the optimisers here take them."""

import numbers

from kerascnn._errors import InputError


def checked_rate(learning_rate):
    """A positive number as a float; schedules and functions as they are.

    >>> checked_rate(1)
    1.0
    >>> checked_rate(-0.1)
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: learning_rate must be above 0, or a schedule. Received: -0.1.
    """
    if callable(learning_rate) or isinstance(learning_rate, dict):
        return learning_rate
    if not isinstance(learning_rate, numbers.Real) or not 0 < learning_rate < float("inf"):
        raise InputError(
            f"learning_rate must be above 0, or a schedule. Received: {learning_rate!r}."
        )
    return float(learning_rate)
