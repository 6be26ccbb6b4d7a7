"""Folds are disjoint, complete, stratified and stable, and nothing that looks alike crosses."""

import collections

import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError
from kerascnn.data import folds, from_arrays, from_directory, stratified_folds


@pytest.fixture
def data():
    images = np.random.default_rng(0).integers(256, size=(93, 8, 8), dtype="uint8")
    return from_arrays(images, [0] * 50 + [1] * 30 + [2] * 13, seed=3)


@pytest.mark.parametrize("count", [2, 5, 7])
def test_every_photo_validates_once_and_no_test_photo_ever_does(data, count):
    parts = folds(data, count, seed=1)
    known = set(data.train.paths) | set(data.validation.paths)
    validated = [path for part in parts for path in part.validation.paths]
    assert sorted(validated) == sorted(known)
    for part in parts:
        assert set(part.train.paths) == known - set(part.validation.paths)
        assert part.test.paths == data.test.paths
        shown = dict(zip(part.validation.paths, part.validation.images(range(3))))
        for path, image in shown.items():
            number = int(path.split("/")[1])
            label = part.class_names[part.validation.labels[part.validation.paths.index(path)]]
            assert label == str(0 if number < 50 else 1 if number < 80 else 2)
            assert image.shape == (8, 8, 1)


@pytest.mark.parametrize("count", [2, 5, 7])
def test_shares_of_a_class_are_within_one_photo(data, count):
    counts = np.array([np.bincount(part.validation.labels) for part in folds(data, count)])
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_form_of_the_batches_is_kept():
    images = np.random.default_rng(0).integers(256, size=(20, 8, 8), dtype="uint8")
    data = from_arrays(images, [0, 1] * 10, batch_size=3, one_hot=True, seed=4)
    part = folds(data, 2)[0]
    assert part.train[0][1].shape == (3, 2)
    assert (part.train.seed, part.train.shuffle, part.validation.shuffle) == (4, True, False)
    assert data.inventory.photos[0].split == data.with_splits({}).inventory.photos[0].split


def test_photos_that_look_alike_stay_in_one_fold(tmp_path, make_photo):
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for i in range(8):
            coarse = Image.fromarray(rng.integers(256, size=(16, 16, 3), dtype="uint8"))
            photo = coarse.resize((96, 96), Image.Resampling.BICUBIC)
            (tmp_path / label).mkdir(exist_ok=True)
            photo.save(tmp_path / label / f"{i}.png")
            if i < 4:
                photo.resize((70, 70)).save(tmp_path / label / f"{i}-small.jpg")
    data = from_directory(tmp_path, 64, progress=False)
    assert len(data.inventory.similar) == 8
    data.save_manifest(tmp_path / "manifest.csv")
    again = from_directory(tmp_path, 64, manifest=tmp_path / "manifest.csv", progress=False)
    for part in folds(data, 3) + folds(again, 3):
        held = {path.split(".")[0].removesuffix("-small") for path in part.validation.paths}
        trained = {path.split(".")[0].removesuffix("-small") for path in part.train.paths}
        assert not held & trained


@pytest.mark.parametrize("case", range(30))
def test_groups_are_dealt_alike_in_any_order(case):
    draw = np.random.default_rng(case)
    count = int(draw.integers(2, 8))
    sizes = draw.integers(1, 30, size=draw.integers(1, 6))
    groups = [f"{label}-{group}" for label, size in enumerate(sizes) for group in range(size)]
    items = [group for group in groups for _ in range(draw.integers(1, 4))]
    labels = [int(item.split("-")[0]) for item in items]
    fold = stratified_folds(labels, items, count, seed=case)

    assert len(set(zip(items, fold))) == len(groups)
    for label, size in enumerate(sizes):
        dealt = collections.Counter(f for f, own in zip(fold, labels) if own == label)
        assert (None in dealt) == (size == 1)
        numbers = [dealt[i] for i in range(count)]
        assert size == 1 or max(numbers) - min(numbers) <= 3  # the largest group
    order = draw.permutation(len(items))
    again = stratified_folds([labels[i] for i in order], [items[i] for i in order], count, case)
    assert again == [fold[i] for i in order]
    other = stratified_folds(labels, items, count, seed=case + 1)
    assert len(items) < 20 or other != fold


@pytest.mark.parametrize("count", [1, 0, 2.5, "5"])
def test_a_number_of_folds_that_is_none(data, count):
    with pytest.raises(InputError, match="folds must be an int >= 2"):
        folds(data, count)


def test_one_sentence_for_what_has_no_folds(data):
    with pytest.raises(InputError, match="84 photos .* too few for 85 folds"):
        folds(data, 85)
    with pytest.raises(InputError, match="Received: list"):
        folds([1, 2])
    with pytest.raises(InputError, match="2 labels, 1 groups"):
        stratified_folds([0, 1], ["a"])
