"""Images in memory: the same guarantees as photos of a folder."""

import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError
from kerascnn.data import folds, from_arrays


def images(count=40, shape=(8, 8, 3), seed=0):
    return np.random.default_rng(seed).integers(256, size=(count, *shape), dtype="uint8")


def numbers(split):
    """Which images of the array a split holds."""
    return [int(path.removeprefix("array/")) for path in split.paths]


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 1), (8, 6), (1, 9, 3), (1, 9)])
def test_every_image_comes_back_with_its_label(shape):
    given = images(40, shape)
    data = from_arrays(given, np.arange(40) % 4)
    found = []
    for split in (data.train, data.validation, data.test):
        for images_, labels in split:
            assert images_.dtype == np.float32 and images_.min() >= 0
            found += zip(images_, labels)
        for number, image in zip(numbers(split), split.images(range(split.num_photos))):
            np.testing.assert_array_equal(image, given[number].reshape(data.image_shape))
        np.testing.assert_array_equal(split.labels, np.array(numbers(split)) % 4)
    assert len(found) == 40 and data.class_names == ["0", "1", "2", "3"]


def test_shares():
    data = from_arrays(images(200), [0, 1] * 100, splits=(0.6, 0.2, 0.2))
    assert [s.num_photos for s in (data.train, data.validation, data.test)] == [120, 40, 40]


def test_given_splits():
    splits = ["train"] * 20 + ["test"] * 10 + [None] * 8 + ["validation"] * 2
    data = from_arrays(images(), [0, 1] * 20, splits=splits)
    assert numbers(data.train) == [*range(20)] and numbers(data.test) == [*range(20, 30)]
    assert numbers(data.validation) == [38, 39]
    data = from_arrays(images(3), ["a", "b", "a"], splits=("train", "train", "test"))
    assert numbers(data.test) == [2] and data.validation.num_photos == 0


def test_equal_images_cross_neither_splits_nor_classes():
    given = images()
    given[[20, 1]] = given[0]  # in test and twice in training
    given[3] = given[2]  # labelled 0 and 1
    splits = ["train"] * 20 + ["test"] * 20
    labels = np.array([0, 0, 0, 1] * 10)
    data = from_arrays(given, labels, splits=splits)
    assert numbers(data.train) == [*range(4, 20)] and numbers(data.test) == [*range(20, 40)]
    findings = {(f.problem, f.action): f.paths for f in data.findings}
    assert findings == {
        ("also in a held-out split", "skipped"): ["array/0", "array/1"],
        ("same photo in two classes", "skipped"): ["array/2", "array/3"],
    }


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([10, 2] * 20, ["2", "10"]),
        ([-1, 1] * 20, ["-1", "1"]),
        (["10", "9"] * 20, ["9", "10"]),
        (["b", "a"] * 20, ["a", "b"]),
        (["b", "10"] * 20, ["10", "b"]),
        ([True, False] * 20, ["False", "True"]),
        ([10.0, 2.0] * 20, ["2", "10"]),  # what a table makes of ints where one was missing
        (np.array([b"b", b"a"] * 20), ["a", "b"]),
    ],
)
def test_classes_are_in_a_natural_order(labels, names):
    data = from_arrays(images(), labels)
    assert data.class_names == names
    first = np.argmax([name in str(labels[0]) for name in names])  # that of every second image
    for split in (data.train, data.test):
        assert list(split.labels) == [(first + i) % 2 for i in numbers(split)]


def test_class_names_keep_their_order_and_the_labels_their_numbers():
    labels = np.array([[2], [0]] * 20)  # as keras.datasets.cifar10 gives them
    data = from_arrays(images(), labels, class_names=["zebra", "yak", "ape"])
    assert data.class_names == ["zebra", "yak", "ape"]
    assert set(data.train.labels) == {0, 2}
    np.testing.assert_array_equal(data.train.labels, labels[numbers(data.train), 0])
    by_number = from_arrays(images(), labels, class_names={2: "ape", 0: "zebra", 1: "yak"})
    assert by_number.class_names == data.class_names
    np.testing.assert_array_equal(by_number.train.labels, data.train.labels)


def test_resizing_is_pillows():
    given = images(20, (9, 7, 3))
    data = from_arrays(given, [0, 1] * 10, image_size=(4, 6))
    assert data.image_shape == (4, 6, 3)
    for number, image in zip(numbers(data.train), data.train.images(range(16))):
        wanted = Image.fromarray(given[number]).resize((6, 4), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(image, np.asarray(wanted))


def test_one_hot_and_batches():
    images_, labels = from_arrays(images(), [0, 1] * 20, batch_size=7, one_hot=True).train[0]
    assert images_.shape == (7, 8, 8, 3) and labels.shape == (7, 2) and labels.dtype == np.float32
    np.testing.assert_array_equal(labels.sum(1), 1)


GOOD = {"images": images(), "labels": [0, 1] * 20}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"images": images() / 255}, r"images must be uint8 .* Received: float64 of shape \(40, 8"),
        ({"images": images(40, (8, 8, 4))}, r"images must be uint8 .*\(40, 8, 8, 4\)"),
        ({"images": images(40, (8,))}, r"images must be uint8 .*\(40, 8\)"),
        ({"images": images(0), "labels": []}, r"images must be uint8 .*\(0, 8, 8, 3\)"),
        ({"labels": [0, 1]}, r"Expected 40 labels, one per image. Received: shape \(2,\)"),
        ({"labels": np.eye(40)}, r"shape \(40, 40\). For one-hot labels pass labels.argmax"),
        ({"labels": [0] * 40}, r"has 1 usable class \(0\); at least two are needed"),
        (
            {"class_names": ["a"]},
            "With 1 class_names, labels must be from 0 to 0. Received: 0 to 1",
        ),
        ({"class_names": ["a", "a"]}, "class_names must differ from each other"),
        ({"class_names": ["a", "b"], "labels": ["a", "b"] * 20}, "labels must be ints"),
        ({"class_names": {"cat": 0, "dog": 1}}, "keys 0 to 1. Received: 'cat', 'dog'"),
        ({"labels": [0, None] * 20}, "20 images have no label, the first is number 1: leave them"),
        (
            {"labels": [0.0, 1.0, 1.0, np.nan] * 10},
            "10 images have no label, the first is number 3",
        ),
        ({"labels": [0.0, 0.5] * 20}, r"whole numbers or names. Received: \[0.0, 0.5"),
        ({"labels": [0.0, np.inf] * 20}, "whole numbers or names"),
        ({"splits": ["train"] * 39}, "Expected 40 splits, one per image. Received: 39"),
        (
            {"splits": ["train", "val"] * 20},
            "Unknown split 'val'. Possible: train, validation, test.",
        ),
        ({"splits": (0.5, 0.2)}, "three shares"),
        ({"splits": ["test"] * 40}, "has 0 usable classes"),
        ({"image_size": 0.5}, "image_size must be an int"),
        ({"batch_size": 0}, "batch_size must be an int >= 1. Received: 0"),
        ({"batch_size": "32"}, "batch_size must be an int >= 1. Received: '32'"),
        ({"seed": None}, "seed must be an int. Received: None"),
    ],
)
def test_wrong_arguments(changed, sentence):
    with pytest.raises(InputError, match=sentence):
        from_arrays(**GOOD | changed)


def test_mnist(shared_data):
    with np.load(shared_data("data/mnist.npz")) as mnist:
        given = np.concatenate([mnist["x_train"][:3000], mnist["x_test"][:1000]])
        labels = np.concatenate([mnist["y_train"][:3000], mnist["y_test"][:1000]])
    data = from_arrays(given, labels, splits=["train"] * 3000 + ["test"] * 1000)
    assert data.class_names == [str(digit) for digit in range(10)]
    assert data.image_shape == (28, 28, 1)
    assert (data.train.num_photos, data.validation.num_photos) == (3000, 0)
    np.testing.assert_array_equal(data.test.labels, labels[3000:])
    np.testing.assert_array_equal(data.test.images(range(1000))[..., 0], given[3000:])


def test_images_of_one_group_stay_on_one_side():
    """Forty patients of one to five images each, of which some are in both classes."""
    rng = np.random.default_rng(0)
    patients = rng.permutation(np.repeat(np.arange(40), rng.integers(1, 6, 40)))
    labels = (patients + (rng.random(len(patients)) < 0.1)) % 2
    data = from_arrays(images(len(patients)), labels, groups=patients.tolist())
    parts = [set(patients[numbers(split)]) for split in (data.train, data.validation, data.test)]
    assert all(parts) and sum(map(len, parts)) == 40
    for part in folds(data, 4):
        held, trained = (set(patients[numbers(split)]) for split in (part.validation, part.train))
        assert held and not held & trained
    alone = from_arrays(images(len(patients)), labels)
    assert set(patients[numbers(alone.train)]) & set(patients[numbers(alone.test)])


class Column(list):
    """As a column of a table whose rows were shuffled: `[]` goes by the label, not by the place."""

    def __getitem__(self, label):
        return super().__getitem__(len(self) - 1 - label)


def test_groups_are_in_the_order_of_the_images():
    data = from_arrays(images(), [0, 1] * 20, groups=Column([None] * 38 + ["a", "a"]))
    (group,) = data.inventory.together
    assert {p.path for p in data.inventory.photos if p.digest in group} == {"array/38", "array/39"}


def test_a_group_that_given_splits_part_is_named():
    splits = ["train", "test"] * 10 + ["train"] * 20
    names = [None] * 36 + ["a", "a", "a", "b"]
    names[1] = "a"
    data = from_arrays(images(40), [0, 1] * 20, splits=splits, groups=names)
    (finding,) = data.findings
    assert (finding.problem, finding.action) == ("its group is in another split too", "kept")
    assert finding.paths == ["array/1"]


class NA:
    """As pandas has it."""

    def __eq__(self, other):
        return self

    __ne__, __hash__ = __eq__, object.__hash__

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize("nothing", [None, np.nan, NA()])
def test_what_has_no_group_is_alone(nothing):
    data = from_arrays(images(), [0, 1] * 20, groups=[nothing] * 38 + ["a", "a"])
    assert sorted(map(len, data.inventory.together))[-1:] == [2]


def test_groups_are_one_name_for_each_image():
    with pytest.raises(InputError, match=r"a list of 40 names, .* Received: shape \(3,\)"):
        from_arrays(images(40), [0, 1] * 20, groups=["a", "b", "c"])
