"""What a check found: a sentence with the numbers behind it, and what to do about it."""

import dataclasses
import textwrap
from collections import Counter

from kerascnn._errors import one_of

__all__ = ["Diagnosis", "Finding"]

_SEVERITIES = ("problem", "warning", "fine", "skipped")  # worst first
_WIDTH = 100


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: str, the name of the check.
        severity: "problem" (training fails or is far worse than it could be), "warning" (often a
            mistake), "fine", or "skipped" (the check could not be made).
        message: str, one sentence with the numbers; why, if it was skipped.
        advice: str, what to do next; empty if nothing is.
        source: str, the paper or book the check is from; empty if it needs none.

    >>> print(Finding("gradients", "problem", "The loss is NaN after 3 steps.", "Lower the rate."))
    problem  gradients  The loss is NaN after 3 steps.
                        -> Lower the rate.
    """

    check: str
    severity: str
    message: str
    advice: str = ""
    source: str = ""

    def __post_init__(self):
        one_of(self.severity, _SEVERITIES, "severity")

    def __str__(self):
        return _lines(self, len(self.check))


class Diagnosis(list):
    """A list of `Finding`s. `print` shows it, worst first.

    >>> found = Diagnosis([Finding("rate", "fine", "0.1 is in the range."),
    ...                    Finding("labels", "problem", "All are 3.", "Look at the labels.")])
    >>> print(found)
    1 problem, 1 fine
    <BLANKLINE>
    problem  labels  All are 3.
                     -> Look at the labels.
    fine     rate    0.1 is in the range.
    >>> [finding.check for finding in found.problems]
    ['labels']
    """

    @property
    def problems(self):
        """The findings that are a problem or a warning, worst first. Empty: nothing was found."""
        return [finding for finding in self._worst_first() if finding.severity in _SEVERITIES[:2]]

    def as_dicts(self):
        """A list of dicts of strs, one a finding, for JSON and reports; same order as the list."""
        return [dataclasses.asdict(finding) for finding in self]

    def __str__(self):
        if not self:
            return "no checks"
        counts = Counter(finding.severity for finding in self)
        shown = [f"{counts[s]} {_counted(s, counts[s])}" for s in _SEVERITIES if counts[s]]
        widest = max(len(finding.check) for finding in self)
        lines = [_lines(finding, widest) for finding in self._worst_first()]
        return "\n".join([", ".join(shown), "", *lines])

    def _worst_first(self):
        return sorted(self, key=lambda finding: _SEVERITIES.index(finding.severity))


def _counted(severity, count):
    return f"{severity}s" if count > 1 and severity in _SEVERITIES[:2] else severity


def _lines(finding, widest):
    """The finding as lines of at most 100 characters; the source is shown of what needs advice."""
    start = f"{finding.severity:7}  {finding.check:{widest}}  "
    source = f" ({finding.source})" if finding.source else ""
    parts = [finding.message]
    parts += [f"-> {finding.advice}{source}"] if finding.advice else []
    indent = " " * len(start)
    wrapped = [line for part in parts for line in textwrap.wrap(part, max(_WIDTH - len(start), 40))]
    return start + f"\n{indent}".join(wrapped)
