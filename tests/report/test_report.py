"""The page is parsed back: its structure, its numbers, and what hostile names do to it."""

import base64
import io
import re
import subprocess
import sys
import tracemalloc
from html.parser import HTMLParser

import numpy as np
import pytest

from kerascnn import InputError, report
from kerascnn.report import _sections, _svg
from tests.browser import assert_fine_on_a_phone, inspected

VOID = {"meta", "img", "br"}
NAMES = ["dress", "hat", "shirt"]
CONFUSION = [[1234, 2, 0], [0, 12, 0], [5, 1, 20]]
JPEG = base64.b64encode(b"\xff\xd8\xff not a picture, only bytes").decode()
HISTORY = [
    {
        "stage": "head" if i < 3 else "fine-tuning",
        "epoch": i + 1 if i < 3 else i - 2,
        "loss": 2.0 - 0.3 * i,
        "accuracy": 0.4 + 0.1 * i,
        "val_loss": [1.9, 1.5, 1.1, 0.9, 1.2][i],
        "val_accuracy": [0.35, 0.5, 0.62, 0.71, 0.66][i],
        "learning_rate": 1e-3 if i < 3 else 1e-5,
    }
    for i in range(5)
]
RUN = {
    "title": "Clothing",
    "created": "2025-06-14 10:32",
    "subtitle": "MobileNetV2 on 1,624 photos",
    "summary": [("Test accuracy", "88.2 %", "372 photos"), ("Weakest class", "shirt", None)],
    "asked": {"sentences": ["Tell 3 classes apart."], "command": "kerascnn finetune 'my photos/'"},
    "plan": {
        "strategy": "Head, then the last blocks.",
        "reasons": ["Few photos.", "They look like ImageNet's."],
        "stages": [
            {
                "name": "head",
                "what": "one dense layer",
                "learning_rate": 1e-3,
                "epochs": 3,
                "validation_accuracy": 0.6249,
                "seconds": 64.2,
            }
        ],
    },
    "tables": [
        {
            "title": "Compared",
            "note": "Same photos.",
            "columns": ["Method", "Parameters", "Accuracy"],
            "rows": [["largest class", 0, "19.6 %"], ["this model", 2270794, "88.2 %"]],
        },
        {"title": "Second table", "columns": ["a"], "rows": [[0.123456], ["–"], ["8 s"]]},
    ],
    "history": HISTORY,
    "curves": {
        "note": "Two runs.",
        "charts": [
            {"title": "Validation accuracy", "unit": "%", "lines": {"a": [0.5, 0.75], "b": [0.25]}},
            {"title": "Never measured", "unit": "", "lines": {"a": [None]}},
        ],
    },
    "class_names": NAMES,
    "confusion": CONFUSION,
    "calibration": {
        "error": 0.125,
        "num_bins": 2,
        "bins": [
            {"low": 0.0, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
            {"low": 0.5, "high": 1.0, "count": 8, "confidence": 0.875, "accuracy": 0.75},
        ],
    },
    "per_class": [
        {"name": "dress", "precision": 0.99, "recall": 0.998, "f1": 0.994, "support": 1236},
        {"name": "hat", "precision": 0.8, "recall": 1.0, "f1": 0.889, "support": 12},
        {"name": "shirt", "precision": None, "recall": 0.769, "f1": 0.87, "support": 26},
    ],
    "mistakes": [
        {
            "path": "test/hat/1.jpg",
            "thumbnail": JPEG,
            "map": JPEG,
            "true": "hat",
            "predicted": "shirt",
            "probability": 0.987,
        },
        {
            "path": "test/shirt/2.jpg",
            "thumbnail": None,
            "true": "shirt",
            "predicted": "hat",
            "probability": 0.5,
        },
    ],
    "diagnosis": [
        {"check": "rate", "severity": "fine", "message": "It fits.", "advice": "", "source": ""},
        {
            "check": "gap",
            "severity": "warning",
            "message": "It is 12 %.",
            "advice": "",
            "source": "",
        },
        {
            "check": "dead ReLUs",
            "severity": "problem",
            "message": "41 % are dead.",
            "advice": "Lower the rate.",
            "source": "Glorot 2011",
        },
    ],
    "findings": [
        {
            "problem": "Cut short",
            "action": "skipped",
            "count": 12,
            "examples": ["a.jpg", "b.jpg"],
            "advice": "Copy them again.",
        }
    ],
    "galleries": [
        {
            "title": "The same photo twice",
            "note": "Keep one of each.",
            "groups": [
                [
                    {"path": "hat/3.jpg", "thumbnail": JPEG, "lines": [("class", "hat")]},
                    {"path": "hat/4.jpg", "thumbnail": None, "lines": [("class", "dress")]},
                ],
                [{"path": "hat/5.jpg", "thumbnail": JPEG, "lines": []}],
            ],
        }
    ],
    "splits": {
        "train": {"dress": 4000, "hat": 60},
        "validation": {"dress": 500, "shirt": 5},
        "test": {"dress": 1236, "hat": 12, "shirt": 26},
    },
    "timings": {"features": 31.2, "head": 8.3, "fine-tuning": 7200.0},
    "use": [{"title": "In Python", "note": "Any folder.", "code": "import kerascnn as kc\nx < 3"}],
    "environment": {"cores": 2, "processor": "some < other"},
    "settings": {"backbone": "MobileNetV2", "batch_size": 32, "augment": ["flip"]},
    "versions": {"keras": "3.15.1"},
}
# Section id -> the keys that it needs.
SECTIONS = {
    "asked": ["asked"],
    "plan": ["plan"],
    "table-1": ["tables"],
    "history": ["history"],
    "curves": ["curves"],
    "confusion": ["confusion"],
    "per-class": ["per_class"],
    "calibration": ["calibration"],
    "mistakes": ["mistakes"],
    "diagnosis": ["diagnosis"],
    "findings": ["findings"],
    "gallery-1": ["galleries"],
    "splits": ["splits"],
    "timings": ["timings"],
    "use": ["use"],
    "environment": ["environment"],
    "settings": ["settings"],
}


class Page(HTMLParser):
    """A page as a list of (tag, attributes, text inside), in order; refuses unbalanced tags."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        self.elements.append([tag, dict(attributes), ""])
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def find(self, tag, **attributes):
        return [
            (found, text.strip())
            for name, found, text in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]


def section(html, name):
    """The part of the page that is one section, parsed."""
    return Page(re.search(f'<section id="{name}".*?</section>', html, re.S).group())


def rows(html, name):
    """The cells' text of every row of a section's tables."""
    part = re.search(f'<section id="{name}".*?</section>', html, re.S).group()
    return [
        [" ".join(text.split()) for tag, _, text in Page(row).elements if tag in ("th", "td")]
        for row in re.findall(r"<tr>.*?</tr>", part, re.S)
    ]


@pytest.fixture(scope="module")
def html():
    return report.render(RUN)


def test_page_stands_alone(html):
    page = Page(html)
    tags = {tag for tag, _, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for tag, attributes, _ in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:image/jpeg;base64,")), tag
    [(_, style)] = page.find("style")
    assert "url(" not in style and "@import" not in style
    [(policy, _)] = page.find("meta", **{"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in policy["content"]
    assert html.startswith("<!DOCTYPE html>")


def test_page_is_accessible(html):
    page = Page(html)
    assert page.find("html", lang="en")
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert [level for level in levels if level < 3] == [1] + [2] * 18, "a heading a section"
    assert levels.count(3) == 1 and levels[levels.index(3) - 1] == 2
    assert all(attributes.get("scope") in ("col", "row") for attributes, _ in page.find("th"))
    alts = [
        "A photo of hat, taken for shirt",
        "The same photo; where it looks like shirt to the model",
    ]
    assert [a["alt"] for a, _ in page.find("img")] == [*alts, "hat/3.jpg", "hat/5.jpg"]
    for svg, _ in page.find("svg"):
        assert svg.get("aria-hidden") or len(svg["aria-label"]) > 20
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = [a["aria-labelledby"] for a, _ in page.find("section")]
    links = [a["href"].removeprefix("#") for a, _ in page.find("a")]
    assert {*references, *links} <= set(ids) and len(links) == 18


@pytest.mark.parametrize("name", SECTIONS)
def test_section_appears_with_its_key_and_only_then(name, html):
    def sections(run):
        return [attributes["id"] for attributes, _ in Page(report.render(run)).find("section")]

    only = {"title": "t", **{key: RUN[key] for key in SECTIONS[name]}}
    assert [found for found in sections(only) if found != "table-2"] == [name]
    without = {key: value for key, value in RUN.items() if key not in SECTIONS[name]}
    assert name not in sections(without)
    assert name not in sections({**RUN, **dict.fromkeys(SECTIONS[name])}), "None is absent"
    assert len(sections(without)) >= 9


def test_sections_stand_in_the_order_of_their_keys():
    run = {"title": "t", **{key: RUN[key] for key in ("timings", "galleries", "plan")}}
    ids = [attributes["id"] for attributes, _ in Page(report.render(run)).find("section")]
    assert ids == ["timings", "gallery-1", "plan"]


def test_galleries(html):
    page = section(html, "gallery-1")
    assert page.find("h2")[0][1] == "The same photo twice"
    groups = re.findall('<ul class="gallery">.*?</ul>', html.split('class="groups"')[1], re.S)
    assert [group.count("<li>") for group in groups] == [2, 1]
    words = [" ".join(text.split()) for _, text in page.find("p")]
    assert words == [
        "Keep one of each.", "class hat", "hat/3.jpg", "class dress", "hat/4.jpg", "hat/5.jpg",
    ]  # fmt: skip
    assert [text for _, text in page.find("div", **{"class": "blank"})] == ["no picture"]


def test_title_alone_is_a_page():
    page = Page(report.render({"title": "Clothing"}))
    assert page.find("h1")[0][1] == page.find("title")[0][1] == "Clothing"
    assert not page.find("section") and not page.find("nav") and not page.find("dl")


def test_head_and_foot(html):
    page = Page(html)
    tiles = [(a.get("class"), t) for tag, a, t in page.elements if tag in ("dt", "dd")][:5]
    assert [text for _, text in tiles] == [
        "Test accuracy",
        "88.2 %",
        "372 photos",
        "Weakest class",
        "shirt",
    ]
    assert page.find("footer")[0][1] == "Made with kerascnn · keras 3.15.1"
    ours = report.render({"title": "t", "versions": {"kerascnn": "0.1.0", "keras": "3.15.1"}})
    assert Page(ours).find("footer")[0][1] == "Made with kerascnn 0.1.0 · keras 3.15.1"
    assert "2025-06-14 10:32" in page.find("header")[0][1]


def test_plan(html):
    assert rows(html, "plan")[1] == ["head", "one dense layer", "0.001", "3", "62.5 %", "1 min 4 s"]
    assert [text for _, text in section(html, "plan").find("li")] == RUN["plan"]["reasons"]


def test_tables(html):
    assert rows(html, "table-1") == [
        ["Method", "Parameters", "Accuracy"],
        ["largest class", "0", "19.6 %"],
        ["this model", "2,270,794", "88.2 %"],
    ]
    assert rows(html, "table-2")[1] == ["0.1235"]
    heads = section(html, "table-1").find("th", scope="col")
    assert [head.get("class") for head, _ in heads] == [None, "num", "num"]
    assert section(html, "table-2").find("th", scope="col")[0][0]["class"] == "num"


def polylines(html):
    return {
        (i, attributes["class"]): [
            tuple(map(float, point.split(","))) for point in attributes["points"].split()
        ]
        for i, (attributes, _) in enumerate(section(html, "history").find("polyline"))
    }


def test_curves_follow_the_data(html):
    lines = polylines(html)
    keys = ["loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"]
    assert [name for _, name in lines] == ["training", "validation"] * 2 + ["rate"]
    for key, points in zip(keys, lines.values()):
        values = [row[key] for row in HISTORY]
        heights = [-y for _, y in points]
        assert len(points) == len(values)
        assert np.argsort(heights).tolist() == np.argsort(values).tolist()
        assert [x for x, _ in points] == sorted(x for x, _ in points)
        assert np.corrcoef(heights, values)[0, 1] > 0.9999, "the axis is linear"


def test_curves_mark_the_best_epoch_and_the_stages(html):
    text = section(html, "history").find("section")[0][1]
    assert "Best validation loss: 0.900 in epoch 4" in text
    assert "Best validation accuracy: 71.0 % in epoch 4" in text
    assert "head 1–3, fine-tuning 4–5." in text
    assert len(section(html, "history").find("path", **{"class": "edge"})) == 3, "one a chart"
    lines = list(polylines(html).values())
    for (best, _), line in zip(
        section(html, "history").find("circle", **{"class": "best"}), lines[1::2]
    ):
        assert (float(best["cx"]), float(best["cy"])) == line[3]


def test_history_table_has_every_epoch(html):
    table = rows(html, "history")[1:]
    assert len(table) == 5
    assert table[4] == ["fine-tuning", "2", "0.8", "80.0 %", "1.2", "66.0 %", "1e-5"]


def test_history_without_validation_or_with_divergence():
    bare = [{"epoch": i, "loss": loss} for i, loss in enumerate([1.0, 0.5, float("nan")])]
    page = report.render({"title": "t", "history": bare})
    assert [len(line) for line in polylines(page).values()] == [2]
    assert rows(page, "history")[3][2] == "–"
    assert "No epoch was measured" in report.render({"title": "t", "history": []})


@pytest.mark.parametrize("as_array", [list, np.array])
def test_confusion_reads_back(as_array):
    page = report.render({**RUN, "confusion": as_array(CONFUSION)})
    cells = rows(page, "confusion")
    assert cells[0][1:] == NAMES
    assert [row[0] for row in cells[1:4]] == NAMES
    assert [[int(cell) for cell in row[1:]] for row in cells[1:4]] == CONFUSION
    right = section(page, "confusion").find("td", **{"class": "right"})
    assert [int(text) for _, text in right] == [1234, 12, 20]
    # Colour: the square root of each cell's share of its row.
    shown = re.findall(r"--share:([\d.]+)", page)
    shares = np.sqrt(CONFUSION / np.sum(CONFUSION, axis=1, keepdims=True))
    assert np.array(shown, float) == pytest.approx(shares.ravel(), abs=0.0051)
    assert cells[5:] == [
        ["shirt", "dress", "5", "19.2 %"],
        ["dress", "hat", "2", "0.2 %"],
        ["shirt", "hat", "1", "3.8 %"],
    ]


def test_confusion_without_names_or_mistakes():
    page = report.render({"title": "t", "confusion": [[3, 0], [0, 4]]})
    assert rows(page, "confusion")[0][1:] == ["0", "1"]
    assert "No class was confused with another" in page


def test_many_classes_show_the_most_confused_pairs():
    matrix = np.eye(120, dtype=int) * 50 + np.diag(np.arange(119), k=1)
    names = [f"class {i}" for i in range(120)]
    page = report.render({"title": "t", "class_names": names, "confusion": matrix})
    cells = rows(page, "confusion")[1:]
    assert len(cells) == 30
    assert cells[0] == ["class 118", "class 119", "118", f"{100 * 118 / 168:.1f} %"]
    assert [int(row[2]) for row in cells] == list(range(118, 88, -1))
    assert len(page) < 60_000


def test_thousands_of_classes_need_little_memory():
    matrix = np.eye(2000, dtype=int) * 9
    matrix[3, 5] = matrix[3, 4] = 2
    tracemalloc.start()
    found = _sections._confusion({"confusion": matrix})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    pairs = [(pair["true"], pair["predicted"], pair["count"]) for pair in found["pairs"]]
    assert pairs == [("3", "4", 2), ("3", "5", 2)]


def test_per_class_is_weakest_first(html):
    cells = rows(html, "per-class")[1:]
    assert cells == [
        ["shirt", "–", "76.9 %", "87.0 %", "26"],
        ["hat", "80.0 %", "100.0 %", "88.9 %", "12"],
        ["dress", "99.0 %", "99.8 %", "99.4 %", "1,236"],
    ]
    bars = [a["style"] for a, _ in section(html, "per-class").find("span", **{"class": "bar s0"})]
    widths = ["76.9", "87.0", "80.0", "100.0", "88.9", "99.0", "99.8", "99.4"]
    assert bars == [f"width:{width}%" for width in widths], "no bar for what is not known"


@pytest.mark.parametrize("f1", [None, float("nan")])
def test_a_class_never_tested_comes_last(f1):
    unknown = {"name": "none", "precision": 0.0, "recall": None, "f1": f1, "support": 0}
    page = report.render({"title": "t", "per_class": [unknown, *RUN["per_class"]]})
    assert rows(page, "per-class")[-1] == ["none", "0.0 %", "–", "–", "0"]


def test_mistakes(html):
    page = section(html, "mistakes")
    assert [image["src"] for image, _ in page.find("img")] == [f"data:image/jpeg;base64,{JPEG}"] * 2
    assert "Grad-CAM" in page.find("p")[0][1]
    bare = [{key: value for key, value in row.items() if key != "map"} for row in RUN["mistakes"]]
    assert "Grad-CAM" not in report.render({"title": "t", "mistakes": bare})
    first, second = (" ".join(text.split()) for _, text in page.find("li"))
    assert first == "Taken for shirt True class hat Probability 98.7 % test/hat/1.jpg"
    assert second.startswith("no picture Taken for hat")
    assert "No mistake was made" in report.render({"title": "t", "mistakes": []})


def test_thumbnails_are_the_photos(shared_data):
    from PIL import Image

    photo = next(iter(sorted(shared_data("data/clothing/test/hat").glob("*.jpg"))))
    buffer = io.BytesIO()
    with Image.open(photo) as image:
        image.thumbnail((64, 64))
        image.convert("RGB").save(buffer, "JPEG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    mistake = {**RUN["mistakes"][0], "thumbnail": encoded}
    source = Page(report.render({"title": "t", "mistakes": [mistake]})).find("img")[0][0]["src"]
    with Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) as image:
        assert max(image.size) == 64


def test_what_was_asked_and_how_to_use_it_are_shown_as_they_are(html):
    assert [text for _, text in section(html, "asked").find("li")] == ["Tell 3 classes apart."]
    assert [text for _, text in section(html, "asked").find("code")] == [RUN["asked"]["command"]]
    assert [text for _, text in section(html, "use").find("code")] == [RUN["use"][0]["code"]]
    without = report.render({"title": "t", "asked": {"sentences": ["a"], "command": None}})
    assert not section(without, "asked").find("pre")


def test_curves_of_several_runs_in_one_chart(html):
    page = section(html, "curves")
    lines = [(a["class"], a["points"].split()) for a, _ in page.find("polyline")]
    assert [(style, len(points)) for style, points in lines] == [("r0", 2), ("r1", 1)]
    (first, last), (other,) = ([tuple(map(float, p.split(","))) for p in line] for _, line in lines)
    assert first[0] == other[0] < last[0], "both begin with epoch 1"
    assert last[1] < first[1] < other[1], "0.75 above 0.5 above 0.25"
    assert [text for _, text in page.find("span", **{"class": "key"})] == ["a 75.0 %", "b 25.0 %"]
    assert len(page.find("figure")) == 1, "what was never measured is no chart"


def test_reliability_diagram_and_its_table(html):
    page = section(html, "calibration")
    text = " ".join(page.find("p")[0][1].split())
    assert text.startswith("Expected calibration error 12.5 % (2 bins, 8 photos)")
    assert "87.5 % sure in the mean, and 75.0 % of them are right" in text
    assert rows(html, "calibration")[1] == ["50–100 %", "8", "87.5 %", "75.0 %"]
    [(bar, _)], [(dot, _)] = page.find("rect"), page.find("circle")
    full = _svg.reliability([{"low": 0, "high": 1, "confidence": 1, "accuracy": 1}])["bars"][0]
    assert float(bar["height"]) == pytest.approx(0.75 * full[3], abs=0.1)
    assert float(bar["width"]) + 2 == pytest.approx(full[1] / 2, abs=0.1)
    assert float(dot["cx"]) - full[0] == pytest.approx(0.875 * full[1], abs=0.1)


def test_diagnosis_says_the_worst_first_and_folds_what_is_fine(html):
    page = section(html, "diagnosis")
    assert page.find("p")[0][1] == "1 problem, 1 warning. Other checks: 1 fine."
    assert [text for _, text in page.find("strong")] == ["dead ReLUs", "gap", "rate"]
    [(_, folded)] = page.find("details")
    assert "It fits." in folded and "41 %" not in folded
    assert {"Lower the rate.", "Glorot 2011"} <= {text for _, text in page.find("p")}
    healthy = report.render({"title": "t", "diagnosis": RUN["diagnosis"][:1]})
    assert "No problem found. Other checks: 1 fine." in " ".join(healthy.split())


def test_environment(html):
    page = section(html, "environment")
    assert [text for _, text in page.find("dd")] == ["2", "some < other"]


def test_findings(html):
    text = " ".join(section(html, "findings").find("section")[0][1].split())
    assert "skipped Cut short 12 found" in text
    listed = [item for _, item in section(html, "findings").find("li", **{"class": "path"})]
    assert listed == ["a.jpg", "b.jpg", "and 10 more"]
    assert "No problems found" not in text
    assert "No problems found" in report.render({"title": "t", "findings": []})


def test_splits(html):
    cells = rows(html, "splits")
    assert [row[:5] for row in cells] == [
        ["Class", "train", "validation", "test", "all"],
        ["dress", "4,000", "500", "1,236", "5,736"],
        ["hat", "60", "0", "12", "72"],
        ["shirt", "0", "5", "26", "31"],
        ["All classes", "4,060", "505", "1,274", "5,839"],
    ]
    styles = re.findall(r'class="bar s(\d)" style="width:([\d.]+)%"', html.split('id="splits"')[1])
    assert [kind for kind, _ in styles[:9]] == ["0", "1", "2"] * 3
    assert sum(float(width) for _, width in styles[:3]) == pytest.approx(100, abs=0.2)


def test_timings(html):
    assert [row[:2] for row in rows(html, "timings")] == [
        ["Stage", "Time"],
        ["features", "31 s"],
        ["head", "8.3 s"],
        ["fine-tuning", "2 h 0 min"],
        ["Total", "2 h 0 min"],
    ]
    widths = [a["style"] for a, _ in section(html, "timings").find("span", **{"class": "bar s0"})]
    assert widths == ["width:0.4%", "width:0.1%", "width:100.0%"]


def test_settings(html):
    page = section(html, "settings")
    pairs = zip(page.find("dt"), page.find("dd"))
    assert {name: value for (_, name), (_, value) in pairs} == {
        key: str(value) for key, value in RUN["settings"].items()
    }


HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "</style></title><b>",
    "{{ 7 * 7 }}{% raw %}",
    "a & b &amp; c &lt;",
    "שלום \u202e gpj.exe",
    "日本語 🐈",
    "x" * 400,
    "new\nline\tand \x00 \x1b[31m",
    "bytes \udcff that are no text",
    "--> ]]> <!--",
]


def everywhere(value, text):
    """`value` with every string in it, keys included, replaced by `text`."""
    if isinstance(value, str):
        return text
    if isinstance(value, dict):
        return {text if key in NAMES else key: everywhere(v, text) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [everywhere(item, text) for item in value]
    return value


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_text(text, html, tmp_path):
    run = {key: everywhere(value, text) for key, value in RUN.items()}
    run["splits"] = {text: {text: 3}}
    run["settings"] = run["versions"] = {text: text}
    run["timings"] = {text: 3.0}
    run["mistakes"][0]["thumbnail"] = JPEG
    run["diagnosis"] = [{**RUN["diagnosis"][2], "check": text, "message": text}]
    run["curves"] = {"charts": [{"title": text, "unit": text, "lines": {text: [0.5]}}]}
    run["environment"] = {text: text}
    hostile = Page(report.write(tmp_path / "r.html", run).read_text("utf-8"))
    known = {tag for tag, _, _ in Page(html).elements}
    assert {tag for tag, _, _ in hostile.elements} <= known, "no element that we did not write"
    names = {name for _, attributes, _ in Page(html).elements for name in attributes}
    assert {name for _, attributes, _ in hostile.elements for name in attributes} <= names
    shown = text.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\udcff", "\\udcff")
    assert hostile.find("h1")[0][1] == shown
    assert hostile.find("title")[0][1] == shown
    assert hostile.find("img")[0][0]["alt"] == f"A photo of {shown}, taken for {shown}"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"title": ""}, "needs a title"),
        ({"histroy": []}, "Did you mean 'history'"),
        ({"confusion": [[1, 2], [3, 4]]}, "3 class names"),
        ({"confusion": [[1, 2, 3], [3, 4], [1, 1, 1]]}, r"lengths \[2, 3\]"),
        ({"tables": [{"title": "T", "columns": ["a", "b"], "rows": [[1]]}]}, "2 cells"),
    ],
)
def test_a_malformed_run_is_refused_and_nothing_is_written(change, words, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(InputError, match=words):
        report.write(path, {**RUN, **change})
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_write_is_whole_or_absent(tmp_path):
    path = report.write(str(tmp_path / "new folder" / "report.html"), RUN)
    assert path.read_text("utf-8") == report.render(RUN)
    assert list(path.parent.iterdir()) == [path]
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(InputError, match="folder"):
        report.write(tmp_path / "taken.html", RUN)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new folder", "taken.html"]
    assert not list((tmp_path / "taken.html").iterdir())


# In a browser


def with_pictures(value):
    """`value` with a picture that is one in place of every other."""
    draw = np.random.default_rng(0)
    if isinstance(value, dict):
        picture = report.thumbnail(draw.integers(256, size=(90, 160, 3)).astype("uint8"))
        return {k: picture if v == JPEG else with_pictures(v) for k, v in value.items()}
    return [with_pictures(item) for item in value] if isinstance(value, list) else value


def test_all_sections_on_a_phone():
    assert_fine_on_a_phone(report.render(with_pictures(RUN)))


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_on_a_phone(text):
    run = {key: everywhere(value, text) for key, value in RUN.items()}
    run |= {"splits": {text: {text: 3}}, "mistakes": [], "galleries": [], "diagnosis": None}
    assert_fine_on_a_phone(report.render(run))


def test_the_browser_finds_what_is_planted():
    page = report.render({"title": "t", "summary": [("a", "b", None)]})
    planted = (
        '<p style="color: #999">faint</p><p style="width: 500px">wide</p><button></button>'
        '<p><img alt="" src="data:image/jpeg;base64,AAAA"></p>'
        '<p><img src="https://example.org/x.png" alt="x"></p><script>nowhere()</script>'
    )
    found = inspected(page.replace("</main>", f"{planted}</main>"))
    assert any("nowhere" in error for error in found["errors"])
    assert "img-src" in found["errors"] and 0 in found["pictures"]
    assert found["width"] > found["room"]
    assert {"color-contrast", "button-name"} <= {name for name, *_ in found["violations"]}


def test_import_is_light():
    code = (
        "import sys, kerascnn.report;"
        "heavy = {'keras', 'tensorflow', 'matplotlib', 'numpy'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
