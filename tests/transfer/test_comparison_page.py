"""The page of a comparison holds the figures of its runs."""

import pytest

from kerascnn import report
from kerascnn.transfer import compare_runs
from kerascnn.transfer._comparison_page import page
from tests.browser import assert_fine_on_a_phone
from tests.report.test_report import HOSTILE, Page, rows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def comparison(saved, other):
    return compare_runs([saved, other])


def tables(comparison):
    return {table["title"]: table for table in page(comparison)["tables"]}


def test_results_stand_side_by_side(comparison, partial, probed):
    found = tables(comparison)["Results"]["rows"]
    for row, result in zip(found, (partial, probed)):
        low, high = result.metrics["test_interval"]
        assert row[2] == report.percent(result.metrics["test_accuracy"])
        assert row[3] == f"{report.percent(low)} to {report.percent(high)}"
        assert row[6] == result.metrics["test_log_loss"]
    assert [row[0] for row in found] == ["run", "probe"]


def test_classes_show_the_difference_to_the_first_run_largest_first(comparison):
    first, second = comparison.records.values()
    for name, f1, other_f1 in (("circle", 0.5, 0.5), ("square", 0.9, 0.7), ("triangle", 0.2, 1.0)):
        for record, value in ((first, f1), (second, other_f1)):
            next(row for row in record.metrics["per_class"] if row["name"] == name)["f1"] = value
    assert tables(comparison)["Class by class"]["rows"] == [
        ["triangle", "20.0 %", "100.0 % (+80.0)"],
        ["square", "90.0 %", "70.0 % (-20.0)"],
        ["circle", "50.0 %", "50.0 % (+0.0)"],
    ]


def test_a_class_that_one_run_did_not_test_has_no_difference(comparison):
    first, second = comparison.records.values()
    second.metrics["per_class"][0] |= {"recall": None, "f1": None, "support": 0}
    first.metrics["per_class"][0]["f1"] = 0.5
    shown = {row[0]: row[1:] for row in tables(comparison)["Class by class"]["rows"]}
    assert shown[first.metrics["per_class"][0]["name"]] == ["50.0 %", "–"]


def test_curves_are_those_of_the_runs_that_trained(comparison, partial):
    charts = page(comparison)["curves"]["charts"]
    assert charts[0]["lines"] == {"run": [row["val_loss"] for row in partial.history]}
    assert page(comparison)["curves"]["note"].endswith(
        "Nothing was trained by gradients in: probe."
    )
    for record in comparison.records.values():
        record.history = []
    assert page(comparison)["curves"] is None


def test_page_is_whole(comparison, tmp_path):
    html = comparison.save(tmp_path / "compare.html").read_text("utf-8")
    assert Page(html).find("h1")[0][1] == "2 runs compared"
    assert ["strategy", "partial", "probe"] in rows(html, "table-3")
    assert rows(html, "table-5")[-1][0] == "all"


def test_runs_and_their_comparison_on_a_phone(comparison, saved):
    assert_fine_on_a_phone(report.render(page(comparison)))
    assert_fine_on_a_phone((saved / "report.html").read_text("utf-8"))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_text(text, comparison):
    known = {tag for tag, _, _ in Page(report.render(page(comparison))).elements}
    records = comparison.records
    records[text] = records.pop("probe")
    records[text].config = {**records[text].config, "strategy": text, text: text}
    records[text].config["photos"] = text.replace("\0", "")  # which no folder's name holds
    comparison.outcomes[text] = comparison.outcomes.pop("probe")
    html = report.render(page(comparison))
    assert {tag for tag, _, _ in Page(html).elements} <= known
