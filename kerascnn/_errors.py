"""The one exception for input that a user can mend."""

import difflib

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
