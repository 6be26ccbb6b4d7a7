"""What a diagnosis says and in which order."""

import json

import pytest

from kerascnn import InputError
from kerascnn.doctor import Diagnosis, Finding

FOUND = Diagnosis(
    [
        Finding("a", "fine", "All is well."),
        Finding("bb", "warning", "Hm."),
        Finding("c", "problem", "Bad. " * 40, "Mend it.", "LeCun 1998"),
        Finding("d", "skipped", "There are no labels."),
        Finding("e", "problem", "Worse."),
    ]
)


def test_problems_come_worst_first():
    assert [finding.check for finding in FOUND.problems] == ["c", "e", "bb"]
    assert Diagnosis([FOUND[0], FOUND[3]]).problems == []


def test_what_is_printed_counts_and_fits_a_terminal():
    lines = str(FOUND).splitlines()
    assert lines[0] == "2 problems, 1 warning, 1 fine, 1 skipped"
    starts = [line.split()[0] for line in lines[2:] if line[0] != " "]
    assert starts == ["problem", "problem", "warning", "fine", "skipped"]
    assert max(map(len, lines)) <= 100
    assert "             -> Mend it. (LeCun 1998)" in lines
    assert str(Diagnosis()) == "no checks"


def test_a_diagnosis_goes_through_json():
    kept = json.loads(json.dumps(FOUND.as_dicts()))
    assert Diagnosis(Finding(**one) for one in kept) == FOUND


def test_an_unknown_severity_is_refused():
    with pytest.raises(InputError, match="Unknown severity 'bad'"):
        Finding("a", "bad", "?")
