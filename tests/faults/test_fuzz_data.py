"""Manifests and the store of decoded pixels under damage."""

import collections
import csv
import functools
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kerascnn.data import Decoder, Inventory, Photo, RowStore, cache_folder, load_manifest
from kerascnn.data.examine import examine
from tests.data.test_decode import encoded
from tests.faults.corruption import JSON, damaged, examples, outcome

pytestmark = pytest.mark.thorough

EXAMPLES = [200, pytest.param(10_000, marks=pytest.mark.slow)]
NAMES = ["cat/1.jpg", "cat/ü\n2.jpg", 'dog/"3",.jpg', "dog/\udce5.jpg"]


def checked(path):
    """The photos of a manifest, all as they must be."""
    photos = load_manifest(path)
    split_of = {photo.digest: photo.split for photo in photos}
    for photo in photos:
        assert len(photo.digest) == 64 and photo.split == split_of[photo.digest]
        assert (path.parent / photo.path).resolve().is_relative_to(path.parent.resolve())
    return photos


@pytest.mark.parametrize("count", EXAMPLES)
def test_damaged_manifests(count, tmp_path):
    path, seen = tmp_path / "manifest.csv", collections.Counter()
    splits = ("train", "train", "validation", "test")
    photos = [Photo(n, f"{i:064x}", n[:3], s) for i, (n, s) in enumerate(zip(NAMES, splits))]
    Inventory(tmp_path, photos, ["cat", "dog"], []).save(path)
    assert checked(path) == photos

    @examples(count)
    @given(damaged(path.read_bytes()))
    def check(data):
        path.write_bytes(data)
        seen[outcome(checked, path)[0]] += 1

    check()
    assert seen["refused"] and seen["loaded"]


ROWS = st.tuples(
    st.sampled_from(["a/b.jpg", "../a", "/etc/passwd", "a/../../b", "a\0b", ""]) | st.text(),
    st.sampled_from(["0" * 64, "1" * 64, "g" * 64, "0" * 63]),
    st.sampled_from(["cat", ""]) | st.text(max_size=9),
    st.sampled_from(["train", "validation", "test", "Test", ""]),
)


@pytest.mark.parametrize("count", EXAMPLES)
def test_invented_manifests(count, tmp_path):
    path = tmp_path / "manifest.csv"

    @examples(count)
    @given(st.lists(ROWS | st.lists(st.text(), max_size=5), max_size=3))
    def check(rows):
        text = io.StringIO()
        csv.writer(text).writerows([["path", "sha256", "label", "split"], *rows])
        path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
        outcome(checked, path)

    check()


@pytest.mark.parametrize("count", EXAMPLES)
def test_a_damaged_store_takes_new_rows_and_gives_them_back(count, tmp_path):
    """Damage may change or lose rows; nothing else of the store is harmed by it."""
    whole = RowStore(tmp_path / "whole", (3, 5), "uint8")
    rows = np.arange(90, dtype="uint8").reshape(6, 3, 5)
    whole.append("abcdef", rows)
    keys, pixels = ((tmp_path / "whole" / f"{name}.bin").read_bytes() for name in ("keys", "rows"))
    (tmp_path / "store").mkdir()

    @examples(count)
    @given(damaged(keys) | st.just(keys), damaged(pixels) | st.just(pixels))
    def check(keys, pixels):
        for name, data in (("keys", keys), ("rows", pixels)):
            (tmp_path / "store" / f"{name}.bin").unlink(missing_ok=True)
            (tmp_path / "store" / f"{name}.bin").write_bytes(data)
        store = RowStore(tmp_path / "store", (3, 5), "uint8")
        known = store.find("abcdef")
        assert store.read(known[known >= 0]).shape == ((known >= 0).sum(), 3, 5)
        store.append("abcdefgh", np.full((8, 3, 5), 7, "uint8"))
        again = RowStore(tmp_path / "store", (3, 5), "uint8")
        found = again.find("abcdefgh")
        assert (found >= 0).all() and again.read(found)[6:].tolist() == [[[7] * 5] * 3] * 2

    check()


@pytest.mark.parametrize("count", EXAMPLES)
def test_damaged_memory_of_earlier_checks(count, tmp_path):
    """It may be forgotten what was found; what is then looked at again is found again."""
    photos = {name: encoded(Image.new("RGB", (9, 9), name), "PNG") for name in ("red", "blue")}
    photos["bad"] = b"text"
    readers = [(name, functools.partial(photos.get, name)) for name in photos]

    def look():
        return dict(examine(readers, 3, Decoder(8), progress=False))

    look()
    (path,) = cache_folder().glob("checks-*.jsonl")

    @examples(count // 4)
    @given(damaged(path.read_bytes()) | JSON.map(json.dumps).map(str.encode))
    def check(data):
        path.write_bytes(data)
        for name, found in look().items():
            assert found.problems(name) is not None and (name == "bad") <= bool(found.error)

    check()
