"""Photos that are new, gone or relabelled are named."""

import keras

from kerascnn.callbacks._photos import changed_photos, keep_photos
from tests.callbacks.runs import images


class Photos:
    def __init__(self, **rows):
        self.manifest = lambda: {digest: list(row) for digest, row in rows.items()}


def test_changes(tmp_path):
    keep_photos(
        tmp_path, Photos(d1=("cat/1", "cat"), d2=("cat/2", "cat"), d3=("dog/ü\udcff", "dog"))
    )
    for now, said in [
        ({"d1": ("cat/1", "cat"), "d2": ("moved/2", "cat"), "d3": ("dog/3", "dog")}, []),
        (
            {"d2": ("cat/2", "dog"), "d4": ("cat/4", "cat"), "d5": ("cat/5", "cat")},
            [
                "2 photos are new, first 'cat/4'",
                "2 photos are gone, first 'cat/1'",
                "1 photo is of another class, 'cat/2'",
            ],
        ),
    ]:
        assert changed_photos(tmp_path, Photos(**now)) == said


def test_augmented_photos_are_the_same_ones(tmp_path):
    split = images(one_hot=True).train
    keep_photos(tmp_path, split)
    assert changed_photos(tmp_path, split.augment(keras.layers.RandomFlip())) == []
    assert len(split.manifest()) == 32


def test_what_is_not_there_changes_nothing(tmp_path):
    keep_photos(tmp_path / "a", None)
    assert not (tmp_path / "a").exists()
    (tmp_path / "b").touch()
    keep_photos(tmp_path / "b", Photos())  # a file in the folder's place
    assert changed_photos(tmp_path, Photos()) == []
    (tmp_path / "photos.json").write_text("{")
    assert changed_photos(tmp_path, Photos()) == []
