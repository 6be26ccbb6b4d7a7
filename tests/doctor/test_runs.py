"""A run folder is judged by its files; what is no run folder is refused in one sentence."""

import csv
import json

import pytest

from kerascnn import InputError
from kerascnn.doctor import Finding, runs

CLASS = {"precision": 1.0, "f1": 0.5}
METRICS = {
    "validation_accuracy": 0.9,
    "test_accuracy": 0.85,
    "test_interval": [0.8, 0.9],
    "per_class": [{"name": n, "recall": 0.8, "support": 50, **CLASS} for n in ("cat", "dog")],
}
HISTORY = [
    {"stage": stage, "epoch": i + 1, "loss": loss, "val_loss": None if stage == "full" else loss}
    for stage in ("partial", "full")
    for i, loss in enumerate([0.5, 0.3, 0.2, 0.1])
]
PHOTOS = [(f"{i:064x}", split) for i, split in enumerate(["train"] * 6 + ["test"] * 2)]
LOSS = Finding("full: loss", "problem", "The loss is NaN.", "Less.", "a paper")


@pytest.fixture
def folder(tmp_path):
    """A run folder with what the doctor reads."""
    (tmp_path / "labels.json").write_text(json.dumps({"class_names": ["cat", "dog"]}))
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    (tmp_path / "doctor.json").write_text(json.dumps([vars(LOSS), {**vars(LOSS), "check": "leak"}]))
    tables = {
        "history.csv": HISTORY,
        "manifest.csv": [{"path": "a", "sha256": d, "label": "cat", "split": s} for d, s in PHOTOS],
    }
    for name, rows in tables.items():
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


def problems(found):
    return [finding.check for finding in found.problems]


def test_the_files_say_the_same_as_the_numbers(folder):
    found = runs.examine_run(folder)
    assert found == runs.judge_run(HISTORY, METRICS, PHOTOS, 2, [LOSS])
    assert problems(found) == ["full: loss"]
    severities = {finding.check: finding.severity for finding in found}
    assert severities["partial: validation"] == "fine"
    assert severities["full: validation"] == "skipped"


def test_without_what_an_older_version_did_not_write(folder):
    (folder / "doctor.json").unlink()
    assert problems(runs.examine_run(folder)) == []


def test_a_probe_has_no_curves(folder):
    (folder / "history.csv").write_text("stage,epoch,loss\n")
    checks = [finding.check for finding in runs.examine_run(folder)]
    assert checks == ["full: loss", "leak", "classes", "choices", "largest class"]


def test_a_photo_in_two_splits_is_found(folder):
    text = (folder / "manifest.csv").read_text()
    (folder / "manifest.csv").write_text(text.replace(PHOTOS[-1][0], PHOTOS[0][0]))
    assert "1 photo is in more than one split." in str(runs.examine_run(folder))


@pytest.mark.parametrize(
    "name", ["labels.json", "metrics.json", "doctor.json", "history.csv", "manifest.csv"]
)
@pytest.mark.parametrize("damage", ["{", "[1]", "stage,loss\nfull,x\n", "\xff\0"])
def test_damage_is_named(folder, name, damage):
    (folder / name).write_text(damage, "latin-1")
    with pytest.raises(InputError, match="is damaged"):
        runs.examine_run(folder)


def test_what_is_no_run_folder_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="no run folder .*: history.csv is not in it"):
            runs.examine_run(folder)


def rows(*recalls):
    return [{"name": str(i), "recall": r, "support": 10} for i, r in enumerate(recalls)]


LIMITS = {  # check: [(arguments, severity)]
    runs.shared_photos: [
        (([],), "skipped"),
        (([("a", "train"), ("a", "train"), ("b", "test")],), "fine"),
        (([("a", "train"), ("a", "validation")],), "problem"),
    ],
    runs.missed_classes: [
        ((None,), "skipped"),
        ((rows(0.1, 0.9),), "fine"),
        ((rows(0, 0.5, 0.9),), "warning"),
        ((rows(0, 0.9),), "problem"),
        (([*rows(0.9), {"name": "absent", "recall": 0.0, "support": 0}],), "fine"),
    ],
    runs.choices: [
        ((None, [0.1, 0.2]), "skipped"),
        ((0.94, [0.8, 0.9]), "fine"),
        ((0.96, [0.8, 0.9]), "warning"),
    ],
    runs.largest_class: [
        ((None, None), "skipped"),
        ((0.51, rows(1, 0)), "fine"),
        ((0.5, rows(1, 0)), "problem"),
    ],
}


@pytest.mark.parametrize("check, cases", LIMITS.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_limit(check, cases):
    for arguments, severity in cases:
        assert check(*arguments).severity == severity, arguments
