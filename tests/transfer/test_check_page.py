"""The page of a check: all that was found, with what to do, and hostile names as text."""

import re
from html import unescape

import pytest
from PIL import Image

from kerascnn.data import Decoder, Finding, Inventory, Photo
from kerascnn.transfer import _check_page
from kerascnn.transfer.checking import PhotoCheck
from tests.browser import assert_fine_on_a_phone
from tests.data.test_inventory import CASES
from tests.report.test_report import HOSTILE, Page

RANGE = {"min": 4, "median": 5.5, "max": 1200}
STATISTICS = dict.fromkeys(("width", "height", "aspect", "bytes"), RANGE) | {
    "formats": {"JPEG": 1234, "PNG": 2}, "modes": {"RGB": 1236}, "grey": ["a"],
    "mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0],
}  # fmt: skip


def photo(path, label, split, size="6x4"):
    return Photo(path, path.rjust(64, "0"), label, split, ("format PNG", f"size {size}"))


@pytest.fixture
def check(tmp_path):
    """Two groups that look the same, one wrong label; one photo of it is gone meanwhile."""
    photos = [
        photo("1.png", "cat", "train"), photo("2.png", "cat", "test"),
        photo("3.png", "cat", "train"), photo("4.png", "dog", "train"),
    ]  # fmt: skip
    for name in ("1.png", "2.png", "3.png"):
        Image.new("RGB", (6, 4), "red").save(tmp_path / name)
    inventory = Inventory(
        tmp_path, photos, ["cat", "dog"], [Finding("damaged", "skipped", ["9.png (damaged: x)"])]
    )
    inventory.quarantine = [("9.png", "damaged: x")]
    shift = {"test": {"total_variation": 0.25, "chi2": 9.0, "p_value": 0.0001}}
    return PhotoCheck(
        inventory, Decoder(8), STATISTICS, [photos[:2], photos[2:]], shift,
        {"test": {"auc": 0.5, "p_value": 0.4}},
        [{"photo": photos[3], "suggested": "cat", "score": 0.1}],
    )  # fmt: skip


def written(check, folder):
    _check_page.write(folder / "check.html", check)
    return (folder / "check.html").read_text("utf-8")


def words(html):
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.S)
    return " ".join(unescape(text).split())


def test_everything_is_on_the_page(check, tmp_path):
    html = written(check, tmp_path)
    text = words(html)
    assert "Copy or download them again, or delete them." in text and "9.png (damaged: x)" in text
    assert "2 groups of copies" in text and "The 1 worst of 1" in text
    assert "looks like cat" in text
    assert "shares of the classes differ by 25 %" in text and "< 0.001" in text and "0.400" in text
    assert "JPEG 1,234, PNG 2" in text and "1,200" in text
    assert "--features" not in text
    page = Page(html)
    first, second = re.findall('<ul class="gallery">.*?</ul>', html, re.S)[:2]
    assert "4.png" in first and "2.png" in second, "two classes come before two splits"
    assert len(page.find("img")) == 3 and text.count("no picture") == 2


def test_page_on_a_phone(check, tmp_path):
    assert_fine_on_a_phone(written(check, tmp_path))


def test_without_a_network_the_page_says_so(check, tmp_path):
    check.suspicious = check.feature_shift = None
    text = words(written(check, tmp_path))
    assert "--features" in text and "AUC)" not in text and "Suspicious" not in text


def test_without_problems_the_page_is_short(check, tmp_path):
    check.inventory.findings, check.similar, check.suspicious = [], [], []
    check.class_shift = check.feature_shift = {}
    html = written(check, tmp_path)
    assert "No problems found." in html and "gallery-1" not in html and "resemble" not in html


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_text(name, check, tmp_path):
    known = {tag for tag, _, _ in Page(written(check, tmp_path)).elements}
    for row in check.inventory.photos:
        row.label, row.path = name, name.replace("\0", "")  # which no file name holds
    check.inventory.class_names = [name]
    check.inventory.findings = [Finding(name, "skipped", [name])]
    check.suspicious[0]["suggested"] = name
    page = Page(written(check, tmp_path))
    assert {tag for tag, _, _ in page.elements} <= known | {"div"}


def test_every_problem_of_the_loaders_has_advice():
    problems = {problem.replace("\\", "") for _, _, found in CASES.values() for problem, _ in found}
    problems |= {
        "also in a held-out split", "class 'cow' has no training photo", "rotated by EXIF",
        "folder beside train, validation and test", "looks the same as a photo in another split",
        "looks the same as a photo of another class",
        "looks the same as another photo of its class",
    }  # fmt: skip
    for problem in problems:
        assert _check_page._finding(Finding(problem, "kept", []))["advice"], problem
