"""Which files are photos of which class; and where there are none, one sentence that says why."""

import collections
import os

import pytest

from kerascnn import InputError
from kerascnn.data import inspect_directory
from kerascnn.data.folders import list_files, visible


def listed(root):
    findings = collections.defaultdict(list)
    return list_files(root, findings), dict(findings)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


# --- what is listed --------------------------------------------------------------------------


def test_class_folders(tmp_path):
    touch(tmp_path, "dog/b.jpg", "cat/a.jpg", "cat/without_ending", "cat/A.JPG")
    files = [("cat/A.JPG", "cat", None), ("cat/a.jpg", "cat", None)]
    files += [("cat/without_ending", "cat", None), ("dog/b.jpg", "dog", None)]
    assert listed(tmp_path) == (files, {})


@pytest.mark.parametrize(
    "names",
    [("train", "validation", "test"), ("training", "valid", "testing"), ("Train", "DEV", "Test")]
    + [("TRAIN", "val"), ("train", "test")],
)
def test_split_folders(names, tmp_path):
    touch(tmp_path, *(f"{name}/cat/1.jpg" for name in names))
    files, findings = listed(tmp_path)
    expected = {
        name: {"tr": "train", "va": "validation", "de": "validation", "te": "test"}[
            name[:2].lower()
        ]
        for name in names
    }
    assert {path.split("/")[0]: split for path, _, split in files} == expected
    assert {label for _, label, _ in files} == {"cat"} and findings == {}


def test_two_names_of_one_split_are_both_read(tmp_path):
    touch(tmp_path, "train/cat/1.jpg", "val/cat/2.jpg", "validation/cat/3.jpg", "Train/cat/4.jpg")
    files, _ = listed(tmp_path)
    splits = {path: split for path, _, split in files}
    assert splits == {
        "train/cat/1.jpg": "train",
        "Train/cat/4.jpg": "train",
        "val/cat/2.jpg": "validation",
        "validation/cat/3.jpg": "validation",
    }


def test_classes_that_are_called_like_splits(tmp_path):
    touch(tmp_path, "test/1.jpg", "bus/2.jpg", "val/3.jpg")  # without "train" they are classes
    assert {label for _, label, _ in listed(tmp_path)[0]} == {"test", "bus", "val"}


def test_what_stands_elsewhere_is_named(tmp_path):
    touch(tmp_path, "train/cat/1.jpg", "test/cat/2.jpg")
    touch(tmp_path, "extra/cat/3.jpg", "train/loose.jpg", "train/cat/deep/4.jpg", "loose.png")
    (tmp_path / "train" / "dog").mkdir()
    files, findings = listed(tmp_path)
    assert len(files) == 2
    assert findings == {
        ("folder beside train, validation and test", "skipped"): ["extra"],
        ("photo outside the class folders", "skipped"): ["loose.png", "train/loose.jpg"],
        ("folder inside a class folder", "skipped"): ["train/cat/deep"],
        ("empty class folder", "skipped"): ["train/dog"],
    }


def test_system_files_notes_and_hidden_files_are_nobodys_business(tmp_path):
    touch(tmp_path, "cat/1.jpg", "cat/Thumbs.db", "cat/desktop.ini", "cat/.DS_Store", "cat/._1.jpg")
    touch(tmp_path, ".git/x.jpg", "README.md", "labels.csv", ".hidden.jpg")
    assert listed(tmp_path) == ([("cat/1.jpg", "cat", None)], {})


def test_links_pipes_and_loops(tmp_path):
    touch(tmp_path, "cat/1.jpg", "elsewhere.txt")
    (tmp_path / "cat" / "to_photo.jpg").symlink_to(tmp_path / "cat" / "1.jpg")
    (tmp_path / "cat" / "to_nowhere.jpg").symlink_to("none")
    (tmp_path / "cat" / "to_itself.jpg").symlink_to("to_itself.jpg")
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")  # reading it would wait for ever
    (tmp_path / "dog").symlink_to(tmp_path / "cat")
    files, _ = listed(tmp_path)
    names = ["1.jpg", "to_itself.jpg", "to_nowhere.jpg", "to_photo.jpg"]
    assert [path for path, _, _ in files] == [f"{a}/{b}" for a in ("cat", "dog") for b in names]


def test_a_folder_whose_names_may_be_read_but_not_its_files(tmp_path, without_root):
    touch(tmp_path, "cat/1.jpg")
    (tmp_path / "cat").chmod(0o444)
    with without_root(tmp_path), pytest.raises(InputError, match="cat: Permission denied"):
        visible(tmp_path / "cat")


# --- what is refused -------------------------------------------------------------------------


def nothing(root, make):
    root.mkdir()


def only_hidden(root, make):
    make(root / ".trash" / "cat" / "1.png")


def no_photos(root, make):
    touch(root, "cat/1.txt", "dog/notes.md")


def too_deep(root, make):
    for name in ("cat/1.png", "dog/2.png"):
        make(root / "archive" / "photos" / name)


def too_deep_beside_a_note(root, make):
    too_deep(root, make)
    touch(root, "archive/README.txt")


def train_alone(root, make):
    make(root / "train" / "cat" / "1.png")


def too_deep_in_splits(root, make):
    for name in ("train/v1/cat/1.png", "test/v1/cat/2.png"):
        make(root / name)


def photos_in_the_root(root, make):
    make(root / "1.png")


def photos_in_split_folders(root, make):
    make(root / "train" / "1.png"), make(root / "test" / "2.png")


def one_class(root, make):
    make(root / "cat" / "1.png"), make(root / "cat" / "2.png")


def others_all_bad(root, make):
    one_class(root, make)
    touch(root, "dog/1.png", "dog/2.png", "cow/1.png")


def all_bad(root, make):
    touch(root, "dog/1.png", "cow/1.png")


NONE = (
    "{root} holds no photos that can be read (JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP, PPM; not "
    "HEIC). Expected one folder per class with photos in it."
)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (nothing, NONE),
        (only_hidden, NONE),
        (no_photos, NONE),
        (
            too_deep,
            "The photos of {root} are nested too deep ('archive/photos/cat/1.png'). "
            "Pass the folder whose folders are the classes, here {root}/archive/photos.",
        ),
        (
            too_deep_beside_a_note,
            "The photos of {root} are nested too deep ('archive/photos/cat/1.png'). "
            "Pass the folder whose folders are the classes, here {root}/archive/photos.",
        ),
        (
            train_alone,
            "The photos of {root} are nested too deep ('train/cat/1.png'). "
            "Pass the folder whose folders are the classes, here {root}/train.",
        ),
        (
            too_deep_in_splits,
            "The photos of {root} are nested too deep ('test/v1/cat/2.png'). "
            "Class folders must stand directly in the train, validation and test folders.",
        ),
        (
            photos_in_the_root,
            "{root} holds photos directly ('1.png'). Put each class into a folder of its own.",
        ),
        (
            photos_in_split_folders,
            "{root}/test holds photos directly ('2.png'). Put each class into a folder of its own.",
        ),
        (
            one_class,
            "{root} has 1 usable class (cat); at least two are needed, "
            "each with photos of its own.",
        ),
        (
            others_all_bad,
            "{root} has 1 usable class (cat); at least two are needed, each with photos of its own."
            " 3 files were unusable.",
        ),
        (
            all_bad,
            "{root} has 0 usable classes (no photo could be used for training); at least two are "
            "needed, each with photos of its own. 2 files were unusable.",
        ),
    ],
)
def test_a_folder_without_two_classes_is_refused_in_a_sentence(
    build, sentence, tmp_path, make_photo
):
    root = tmp_path / "photos"
    build(root, make_photo)
    with pytest.raises(InputError) as caught:
        inspect_directory(root)
    assert str(caught.value) == sentence.format(root=root)


def test_no_folder(tmp_path):
    touch(tmp_path, "file.zip")
    with pytest.raises(InputError, match="^There is no folder .*/none.$"):
        inspect_directory(tmp_path / "none")
    with pytest.raises(
        InputError, match="file.zip is a file. Pass the folder that holds the class"
    ):
        inspect_directory(str(tmp_path / "file.zip"))
    with pytest.raises(InputError, match="Cannot read the folder .*: File name too long."):
        inspect_directory(tmp_path / ("x" * 300))


@pytest.mark.parametrize("closed", ["photos", "photos/cat"])
def test_no_permission(closed, tmp_path, make_folder, without_root):
    root = make_folder({"cat": 3, "dog": 3})
    with without_root(root):
        pass  # opens the way to it
    (tmp_path / closed).chmod(0o000)
    try:
        with without_root(), pytest.raises(InputError, match=f"folder .*{closed}: Permission den"):
            inspect_directory(root)
    finally:
        (tmp_path / closed).chmod(0o755)
