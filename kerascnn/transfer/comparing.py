"""Several runs side by side: what differs, and whether it is more than chance."""

import dataclasses
import json
from pathlib import Path

from scipy.stats import binomtest

from kerascnn import report
from kerascnn._errors import InputError
from kerascnn.data import load_manifest
from kerascnn.transfer import _comparison_page
from kerascnn.transfer._record import Record, read_record

__all__ = ["Comparison", "compare_runs"]


def compare_runs(folders):
    """Compare runs: settings that differ, results, curves, classes, times.

    Where two runs were tested on the same photos (by their content), McNemar's exact test says
    whether one is better by more than chance: of the photos that only one of the two classified
    rightly, how probable is so uneven a share if both were equally good?

    Source: McNemar 1947, Psychometrika 12; advised for two classifiers and one test set by
    Dietterich 1998, Neural Computation 10(7), Sec. 3.1. Differs: the exact binomial form.

    Args:
        folders: list of two or more str or path of run folders. Others are compared to the first.

    Returns:
        `Comparison`.

    Raises:
        InputError: fewer than two folders, the same twice, or one that is no run folder.

    >>> compare_runs(["run1", "run2"]).save("compare.html")  # doctest: +SKIP
    """
    folders = [Path(folder).absolute() for folder in folders]
    if len(folders) < 2 or len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError(
            "A comparison needs two or more different run folders. "
            f"Received: {', '.join(map(str, folders)) or 'none'}."
        )
    records = dict(zip(_names(folders), map(read_record, folders)))
    outcomes = [_outcomes(folder, record) for folder, record in zip(folders, records.values())]
    return Comparison(records, dict(zip(records, outcomes)))


@dataclasses.dataclass
class Comparison:
    """What `compare_runs` found.

    Attributes:
        records: dict name -> `Record`; a name is that of the run's folder.
        outcomes: dict name -> {(photo's SHA-256, class): was it classified rightly?}.
    """

    records: dict[str, Record]
    outcomes: dict

    def as_dict(self):
        """Everything, in plain values."""
        return {
            "runs": {name: record.metrics for name, record in self.records.items()},
            "settings": self.settings(),
            "tests": self.tests(),
        }

    def save(self, path):
        """Write the page: one HTML file, whole or not at all; returns its path."""
        return report.write(path, _comparison_page.page(self))

    def settings(self):
        """{setting: {run: value}} of the settings that are not the same in all runs."""
        flat = {name: dict(_flat(record.config)) for name, record in self.records.items()}
        keys = dict.fromkeys(key for settings in flat.values() for key in settings)
        rows = {key: {name: flat[name].get(key) for name in flat} for key in keys}
        return {
            key: row for key, row in rows.items() if len(set(map(json.dumps, row.values()))) > 1
        }

    def tests(self):
        """A dict for each run but the first, against the first; None of other test photos.

        "difference" of the accuracies, "only_this" and "only_first" (photos that one of the two
        classified rightly), "p_value".
        """
        (_, first), *others = self.outcomes.items()
        return {name: _mcnemar(first, other) for name, other in others}


def _names(folders):
    """The shortest ends of the paths that tell them apart."""
    for length in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return names


def _outcomes(folder, record):
    if not record.predictions or record.splits is None:
        return {}
    digests = {photo.path: photo.digest for photo in load_manifest(folder)}
    return {
        (digests[row["path"]], row["true"]): row["true"] == row["predicted"]
        for row in record.predictions
    }


def _mcnemar(first, other):
    if not first or first.keys() != other.keys():
        return None
    only_first = sum(first[photo] and not other[photo] for photo in first)
    only_this = sum(other[photo] and not first[photo] for photo in first)
    differing = only_first + only_this
    return {
        "difference": (only_this - only_first) / len(first),
        "only_this": only_this,
        "only_first": only_first,
        "p_value": float(binomtest(only_this, differing).pvalue) if differing else 1.0,
    }


def _flat(settings, prefix=""):
    """(dotted key, value) of settings that hold settings."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
