"""Few labels on small images: who has a label, the classifier's fold, and what readers see."""

import argparse
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.fixture
def recipe(monkeypatch):
    """Imports a recipe by name, as the recipes import each other."""
    monkeypatch.syspath_prepend(ROOT / "recipes")
    return importlib.import_module


def test_labels_are_stratified_nested_and_the_seeds_alone(recipe):
    labelled = recipe("small_transfer").labelled
    labels = np.random.default_rng(0).integers(10, size=2000)
    few, more = labelled(labels, 10, seed=1), labelled(labels, 100, seed=1)
    assert np.bincount(labels[few]).tolist() == [10] * 10 and len(set(few)) == 100
    assert set(few) < set(more)
    np.testing.assert_array_equal(few, labelled(labels, 10, seed=1))
    assert len(set(few) & set(labelled(labels, 10, seed=2))) < 30  # by chance 5
    np.testing.assert_array_equal(labelled(labels, 5000, seed=1), np.arange(2000))


def test_the_folded_classifier_is_the_classifier(recipe):
    small = recipe("small_transfer")
    rng = np.random.default_rng(0)
    labels = np.arange(100) % 10
    features = rng.normal(size=(100, 16)) * rng.uniform(0.1, 9, 16) + 4
    features[np.arange(100), labels] += 9
    classifier = small.fitted(features, labels)
    kernel, bias = small.folded(classifier)
    scores = features @ kernel + bias
    powers = np.exp(scores - scores.max(1, keepdims=True))
    expected = classifier.predict_proba(features)
    np.testing.assert_allclose(powers / powers.sum(1, keepdims=True), expected, atol=1e-8)
    assert np.mean(expected.argmax(1) == labels) > 0.5


def test_each_cell_is_done_once_for_the_same_weights(recipe, monkeypatch):
    small = recipe("small_transfer")
    args = argparse.Namespace(
        networks=["ResNet-20"], budgets=small.BUDGETS, methods=small.METHODS, quick=False,
        precision="float32",
    )  # fmt: skip
    todo = list(small.cells(args))
    assert len(todo) == len(set(todo)) == 3 * (3 + 3 + 1 + 1)
    monkeypatch.setattr(small.kc.weights, "entry", lambda *_: {"sha256": "new"})
    done = [small.asdict(cell) | small.settings(cell, args) for cell in todo]
    assert all(small.is_done(cell, done, args) for cell in todo)
    args.precision = "mixed_bfloat16"
    assert not any(small.is_done(cell, done, args) for cell in todo)
    args.precision, args.budgets = "float32", {**small.BUDGETS, 10: small.Budget(500)}
    longer = {(cell.images, cell.method) for cell in todo if not small.is_done(cell, done, args)}
    assert longer == {(10, "from scratch"), (10, "fine-tuned")}
    args.budgets = small.BUDGETS
    monkeypatch.setattr(small.kc.weights, "entry", lambda *_: {"sha256": "newer"})
    again = {cell.method for cell in todo if not small.is_done(cell, done, args)}
    assert again == {"frozen features", "fine-tuned"}
    # 2 x 3 x (25,600 + 76,544) + 2 x (189,696 + 399,360) images, 550 a second
    assert "24 cells to do, 16 of them trainings: about 54 minutes" in small.told(todo, args)


CELLS = [
    {"network": "ResNet-20", "images": images, "method": method, "seed": seed, "seconds": 90,
     "error": error + seed, "device": "CPU", "precision": "float32"}
    for images, method, error in [(100, "fine-tuned", 30), (10, "from scratch", 70.25),
                                  (10, "frozen features", 50), (10, "fine-tuned", 45)]
    for seed in range(3 if images == 10 else 1)
]  # fmt: skip


def test_the_table_has_means_and_ranges(recipe):
    report = recipe("small_transferred")
    rows = report.rows(CELLS)
    assert [(row["images"], row["method"]) for row in rows[:3]] == [
        (10, method) for method in report.METHODS
    ]
    assert report.table(rows).splitlines()[2:] == [
        "| ResNet-20 | 10 | 71.2 [70.2..72.2] (3 seeds, 2 min) | 51.0 [50.0..52.0] (3 seeds, 2 min)"
        " | 46.0 [45.0..47.0] (3 seeds, 2 min) |",
        "| ResNet-20 | 100 | not run | not run | 30.0 (1 seed, 2 min) |",
    ]


def test_section_and_picture(recipe, monkeypatch, tmp_path):
    report = recipe("small_transferred")
    rows = report.rows(CELLS)
    versions = {"cores": 2, "cpu": "AMD EPYC", "tensorflow": "2.21", "keras": "3.15"}
    result = {"data": "CIFAR-10 (JPEG copy)", "cells": CELLS, "rows": rows, "versions": versions}
    monkeypatch.setattr(report, "load", lambda name: json.loads(json.dumps(result)))
    section = report.section()
    assert "of CIFAR-10 (JPEG copy), mean" in section and "On CPU, float32." in section
    assert "`python recipes/small_transfer.py --data cifar10_jpegbytes.npz --results" in section
    report.picture(rows, result["data"]).savefig(tmp_path / "drawn.png", dpi=120)
    with Image.open(tmp_path / "drawn.png") as picture:
        assert picture.size == (540, 432)
