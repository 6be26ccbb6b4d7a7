"""The one exception for input that a user can mend."""

import difflib
import numbers
from collections.abc import Set

_SHOWN = 12  # choices that an error lists


class InputError(ValueError):
    """What the user passed cannot be used; the message says what, why and how to mend it.

    The command line prints it as one sentence and exits with 2; any other exception is a defect.
    """


class NonFiniteError(InputError, FloatingPointError):
    """A training produced NaN or infinity; the message says where and what to try."""


def one_of(value, choices, name):
    """Return `value` if it is among `choices`, else raise an `InputError` that suggests one.

    >>> one_of("probe", ["probe", "full"], "strategy")
    'probe'
    >>> one_of("prob", ["probe", "full"], "plan")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: Unknown plan 'prob'. Did you mean 'probe'? Possible: probe, full.
    """
    choices = list(choices)
    if value in choices:
        return value
    lowered = {str(choice).lower(): choice for choice in choices}
    near = difflib.get_close_matches(str(value).lower(), list(lowered), n=1, cutoff=0.5)
    hint = f" Did you mean {lowered[near[0]]!r}?" if near else ""
    more = f" and {len(choices) - _SHOWN} more" if len(choices) > _SHOWN else ""
    listed = ", ".join(map(str, choices[:_SHOWN]))
    raise InputError(f"Unknown {name} {value!r}.{hint} Possible: {listed}{more}.")


def in_order(values, name):
    """The values of positions 0, 1, 2, ... as a list; those of a dict or Series by their keys.

    >>> in_order({1: "dog", 0: "cat"}, "class_names")
    ['cat', 'dog']
    """
    if isinstance(values, str | bytes | Set):
        raise InputError(f"`{name}` must be a list, whose order counts. Received: {values!r}.")
    if not hasattr(values, "keys"):
        return list(values)
    if set(values.keys()) != set(range(len(values))):
        raise InputError(
            f"As a dict, `{name}` must have the keys 0 to {len(values) - 1}. "
            f"Received: {', '.join(map(repr, list(values.keys())[:_SHOWN]))}."
        )
    return [values[position] for position in range(len(values))]


def whole(value, name, least):
    """`value` as an int of at least `least`: of Python, NumPy, or a float like 4.0.

    >>> whole(4.0, "every_epochs", 1)
    4
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or value != value // 1 or value < least:
        raise InputError(f"{name} must be an int >= {least}. Received: {value!r}.")
    return int(value)
