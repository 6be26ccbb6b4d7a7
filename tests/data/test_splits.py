"""Splits are disjoint, stratified, stable, and never let a group or an equal file cross."""

import collections

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.data import Photo, stratified_split
from kerascnn.data.splits import assign_splits

PARTS = ("train", "validation", "test")


def numbered(count, start=0):
    return [f"photo{i}" for i in range(start, start + count)]


@pytest.mark.parametrize("case", range(60))
def test_groups_never_cross_and_classes_are_shared_out(case):
    """Any classes, groups and shares: all that the docstring promises holds."""
    draw = np.random.default_rng(case)
    held = draw.choice([0.0, 0.05, 0.1, 0.3, 0.45], size=2)
    fractions = (1 - held.sum(), *held)
    sizes = draw.integers(1, 40, size=draw.integers(1, 6))
    groups = [f"{label}-{group}" for label, size in enumerate(sizes) for group in range(size)]
    items = [group for group in groups for _ in range(draw.integers(1, 4))]
    draw.shuffle(items)
    labels = [int(item.split("-")[0]) for item in items]
    parts = stratified_split(labels, items, fractions, seed=case)

    split_of = collections.defaultdict(set)
    for group, part in zip(items, parts):
        split_of[group].add(part)
    assert all(len(split) == 1 for split in split_of.values())
    for label, size in enumerate(sizes):
        found = collections.Counter(
            part for group, (part,) in split_of.items() if int(group.split("-")[0]) == label
        )
        if size < 3:
            assert found == {"train": size}
            continue
        for part, share in zip(PARTS, fractions):
            assert bool(found[part]) == (share > 1e-9)
            assert abs(found[part] - size * share) <= 2

    shuffled = draw.permutation(len(items))
    again = stratified_split(
        [labels[i] for i in shuffled], [items[i] for i in shuffled], fractions, seed=case
    )
    assert again == [parts[i] for i in shuffled]


def test_the_shares_are_exact_where_they_can_be():
    parts = stratified_split(["a"] * 100 + ["b"] * 50, numbered(150))
    assert [parts[:100].count(part) for part in PARTS] == [80, 10, 10]
    assert [parts[100:].count(part) for part in PARTS] == [40, 5, 5]


@pytest.mark.parametrize("fractions", [(0.05, 0.475, 0.475), (0.1, 0.8, 0.1), (0.01, 0.01, 0.98)])
@pytest.mark.parametrize("count", [3, 4, 10])
def test_training_never_runs_dry(fractions, count):
    parts = stratified_split([0] * count, numbered(count), fractions)
    assert all(part in parts for part in PARTS)


def test_a_share_of_nothing_is_nothing():
    assert set(stratified_split([0] * 9, numbered(9), (1, 0, 0))) == {"train"}
    assert set(stratified_split([0] * 9, numbered(9), (0, 0.5, 0.5))) == {"validation", "test"}
    assert stratified_split([], []) == []


def test_few_photos_move_when_some_are_added():
    labels, groups = ["a"] * 200, numbered(200)
    before = stratified_split(labels, groups)
    for added in (1, 10):
        after = stratified_split(labels + ["a"] * added, groups + numbered(added, 200))[:200]
        moved = sum(old != new for old, new in zip(before, after))
        assert moved <= 2 * added  # one at each of the two borders


def test_other_classes_do_not_matter():
    alone = stratified_split(["a"] * 30, numbered(30))
    together = stratified_split(["b"] * 25 + ["a"] * 30, numbered(25, 100) + numbered(30))
    assert together[25:] == alone


def test_seeds_draw_different_and_fair_splits():
    splits = [stratified_split([0] * 50, numbered(50), seed=seed) for seed in range(200)]
    assert len({tuple(split) for split in splits}) == 200
    tested = np.mean([[part == "test" for part in split] for split in splits], axis=0)
    assert tested.min() > 0.02 and tested.max() < 0.2  # 0.1 each, 200 draws: 4.7 deviations


def test_pinned():
    """The least and second least of sha256sum("7:photo0"), ... Another rule would move photos."""
    parts = stratified_split([0] * 12, numbered(12), seed=7)
    assert [parts.index("validation"), parts.index("test"), parts.count("train")] == [4, 2, 10]


@pytest.mark.parametrize(
    "fractions",
    [(0.8, 0.2), (0.5, 0.6, -0.1), (0.8, 0.1, 0.2), (1, 1, 1), 0.8, "801", ("a", "b", "c"), None,
     (float("nan"), 0.5, 0.5)],
)  # fmt: skip
def test_wrong_shares_are_refused(fractions):
    with pytest.raises(InputError, match="three shares >= 0 .* that sum to 1, e.g. .*Received: "):
        stratified_split([0] * 9, numbered(9), fractions)


def test_one_group_for_each_label():
    with pytest.raises(InputError, match="one group for each label. Received: 3 labels, 2 groups"):
        stratified_split([0, 0, 1], ["a", "b"])


# --- photos ----------------------------------------------------------------------------------


def assigned(*photos, fractions=(0.8, 0.1, 0.1), similar=()):
    """Photos written "name digest label split" -> ({name: split}, findings)."""
    rows = [Photo(*(None if part == "-" else part for part in text.split())) for text in photos]
    findings = collections.defaultdict(list)
    left = assign_splits(rows, fractions, 0, findings, similar)
    return {photo.path: photo.split for photo in left}, dict(findings)


def many(label, split, count=10):
    return [f"{label}{split}{i} {label}{split}{i} {label} {split}" for i in range(count)]


def test_given_splits_are_kept():
    photos = many("cat", "train") + many("cat", "validation") + many("cat", "test", 3)
    splits, findings = assigned(*photos)
    assert all(split in path for path, split in splits.items()) and findings == {}


@pytest.mark.parametrize("given", ["validation", "test"])
def test_a_split_that_is_missing_is_taken_from_training(given):
    splits, _ = assigned(*many("cat", "train", 20), *many("cat", given, 5))
    counts = collections.Counter(splits.values())
    assert counts == {"train": 18, given: 5, {"validation": "test", "test": "validation"}[given]: 2}
    assert all(splits[path] == given for path in splits if given in path)


def test_only_the_most_held_out_copy_stays():
    splits, findings = assigned(
        *many("cat", "train"), *many("cat", "test"), *many("cat", "validation"),
        "a same cat train", "b same cat validation", "c same cat test",
        "d other cat train", "e other cat validation",
    )  # fmt: skip
    assert {splits.get(name) for name in "abd"} == {None}
    assert splits["c"] == "test" and splits["e"] == "validation"
    assert findings == {("also in a held-out split", "skipped"): ["a", "b", "d"]}


def test_equal_photos_of_a_class_stay_together_and_are_named():
    for seed in range(20):
        copies = [f"copy{i} same{seed} cat -" for i in range(3)]
        splits, findings = assigned(*many("cat", "-"), *copies)
        assert len({splits[f"copy{i}"] for i in range(3)}) == 1
        assert findings == {("same photo twice in a class", "kept"): ["copy0", "copy1", "copy2"]}


def test_small_classes_train_only_and_are_named():
    splits, findings = assigned(*many("cat", "-"), "a 1 dog -", "b 2 dog -", "c 2 dog -")
    assert {splits[name] for name in "abc"} == {"train"}
    assert findings["class 'dog' has fewer than 3 photos", "kept"] == ["a", "b", "c"]


def test_photos_that_look_the_same_stay_together_and_are_named():
    for seed in range(10):
        alike = [
            f"copy{i} like{seed}{i} {label} -" for i, label in enumerate(("cat", "cat", "dog"))
        ]
        groups = [[f"like{seed}{i}" for i in range(3)], ["gone", f"catgone{seed}"]]
        photos = [*many("cat", "-"), *many("dog", "-"), *alike, f"alone catgone{seed} cat -"]
        splits, findings = assigned(*photos, similar=groups)
        assert len({splits[f"copy{i}"] for i in range(3)}) == 1
        assert findings == {
            ("looks the same as a photo of another class", "kept"): [
                "copy0 (like copy2)", "copy1 (like copy2)", "copy2 (like copy0)",
            ]
        }  # fmt: skip


def test_given_splits_are_kept_and_what_looks_the_same_across_them_is_named():
    photos = [*many("cat", "train"), *many("cat", "test"), "a 1 cat train", "b 2 cat test"]
    photos += ["c 3 cat train", "d 4 cat train"]
    splits, findings = assigned(*photos, similar=[["1", "2"], ["3", "4"]], fractions=(1, 0, 0))
    assert (splits["a"], splits["b"]) == ("train", "test")
    assert findings == {
        ("looks the same as a photo in another split", "kept"): ["a (like b)", "b (like a)"],
        ("looks the same as another photo of its class", "kept"): ["c (like d)", "d (like c)"],
    }


def test_a_group_of_more_than_a_tenth_of_its_class_trains():
    for seed in range(20):
        groups = ["burst"] * 15 + numbered(85)
        parts = stratified_split(["cat"] * 100, groups, seed=seed)
        assert parts[0] == "train" and parts.count("test") == parts.count("validation") == 9
    assert len(set(stratified_split(["cat"] * 3, numbered(3)))) == 3  # each is a third
