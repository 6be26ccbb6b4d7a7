"""Runs side by side: what differs is found, and the paired test is McNemar's."""

import dataclasses
import json
import shutil
from math import comb

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.transfer import compare_runs
from kerascnn.transfer.comparing import Comparison, _mcnemar

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def outcomes(first_only, other_only, both=0, neither=0):
    """What two runs had right of the same photos."""
    pairs = [(1, 0)] * first_only + [(0, 1)] * other_only + [(1, 1)] * both + [(0, 0)] * neither
    return [{(i, "cat"): bool(pair[k]) for i, pair in enumerate(pairs)} for k in (0, 1)]


@pytest.mark.parametrize(("only_first", "only_other"), [(0, 0), (1, 0), (3, 9), (6, 6), (1, 15)])
def test_p_value_is_the_binomial_tail(only_first, only_other):
    """Of n photos on which the two differ, as uneven a share or more, if each were a fair coin."""
    found = _mcnemar(*outcomes(only_first, only_other, both=20, neither=5))
    n, fewer = only_first + only_other, min(only_first, only_other)
    tail = sum(comb(n, k) for k in range(fewer + 1)) / 2**n
    assert found["p_value"] == pytest.approx(min(1, 2 * tail))
    assert found["difference"] == pytest.approx((only_other - only_first) / (n + 25))


def test_equal_runs_differ_by_chance_as_often_as_promised():
    draw = np.random.default_rng(0)
    called = 0
    for _ in range(400):
        right = draw.uniform(size=(2, 200)) < 0.8
        pair = [dict(zip([(i, "cat") for i in range(200)], map(bool, row))) for row in right]
        called += _mcnemar(*pair)["p_value"] < 0.05
    assert called / 400 < 0.07  # the exact test is on the careful side


def test_other_photos_are_not_paired():
    first, second = outcomes(2, 3)
    assert _mcnemar(first, dict(list(second.items())[1:])) is None
    assert _mcnemar({}, {}) is None


def test_settings_that_differ_and_results(saved, other, partial, probed):
    found = compare_runs([saved, other]).as_dict()
    assert set(found["runs"]) == {"run", "probe"}
    assert found["runs"]["probe"]["test_accuracy"] == probed.metrics["test_accuracy"]
    assert found["settings"]["strategy"] == {"run": "partial", "probe": "probe"}
    assert found["settings"]["epochs"] == {"run": 3, "probe": 2}
    assert "seed" not in found["settings"] and "versions.keras" not in found["settings"]
    (test,) = found["tests"].values()
    gain = probed.metrics["test_accuracy"] - partial.metrics["test_accuracy"]
    assert test["difference"] == pytest.approx(gain)
    json.dumps(found)


def test_runs_of_one_name_are_told_apart(saved, tmp_path):
    for place in ("a", "b"):
        shutil.copytree(saved, tmp_path / place / "run")
    found = compare_runs([tmp_path / "a/run", tmp_path / "b/run"])
    assert list(found.records) == ["a/run", "b/run"]
    assert found.settings() == {} and found.tests()["b/run"]["p_value"] == 1


@pytest.mark.parametrize("count", [0, 1])
def test_one_run_is_no_comparison(saved, count):
    with pytest.raises(InputError, match="needs two or more different run folders"):
        compare_runs([saved] * count)


def test_a_run_is_not_compared_with_itself_or_with_what_is_none(saved, tmp_path):
    (tmp_path / "link").symlink_to(saved)
    for second, sentence in ((saved, "different"), (tmp_path / "link", "different"),
                             (tmp_path, "is no run folder")):  # fmt: skip
        with pytest.raises(InputError, match=sentence):
            compare_runs([saved, second])


def test_runs_that_lack_files_are_compared_all_the_same(saved, other, tmp_path):
    found = compare_runs([saved, other])
    first = next(iter(found.records))
    bare = dataclasses.replace(found.records[first], predictions=[], history=[], splits=None)
    bare.metrics = {**bare.metrics, "per_class": None}
    records = {**found.records, first: bare}
    comparison = Comparison(records, {**found.outcomes, first: {}})
    assert comparison.tests() == {"probe": None}
    comparison.save(tmp_path / "compare.html")
    assert "other test photos" in (tmp_path / "compare.html").read_text("utf-8")
