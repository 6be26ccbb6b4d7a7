"""A folder with known faults: each is found, counted and written; nothing in it changes."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from kerascnn import InputError
from kerascnn.data import Decoder, inspect_directory
from kerascnn.transfer import check_photos
from kerascnn.transfer.checking import check_inventory
from tests.transfer.conftest import SHAPES, draw_photos, tiny_network


@pytest.fixture
def textured(tmp_path):
    """Thirty photos of each of three shapes, on a ground that makes each photo its own."""
    folder = draw_photos(tmp_path / "photos", dict.fromkeys(SHAPES, 30))
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        draw = np.random.default_rng(number)
        noise = Image.fromarray(draw.integers(90, size=(20, 24, 3), dtype="uint8"))
        image = Image.open(path).resize((96, 80))
        pixels = np.asarray(image, int) - np.asarray(noise.resize((96, 80)), int)
        Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(path)
    return folder


@pytest.fixture
def faulty(textured):
    """... and one of everything."""
    (textured / "circle/empty.png").touch()
    for target, turn in (("circle/copy.jpg", ImageOps.mirror), ("square/copy.jpg", ImageOps.flip)):
        source = textured / target.replace("copy.jpg", "004.png")
        with Image.open(source) as image:
            turn(image).save(textured / target, quality=80)
    shutil.copy(textured / "circle/005.png", textured / "triangle/005b.png")
    with Image.open(textured / "circle/006.png") as image:
        ImageOps.mirror(image).save(textured / "square/wrong.png")
    return textured


def snapshot(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_faults_are_found_and_nothing_changes(faulty, tmp_path):
    before = snapshot(faulty)
    result = check_photos(faulty, 64, progress=False)
    assert snapshot(faulty) == before
    pairs = [{photo.path for photo in group} for group in result.similar]
    assert sorted(map(sorted, pairs)) == [
        ["circle/004.png", "circle/copy.jpg"], ["circle/006.png", "square/wrong.png"],
    ]  # fmt: skip
    assert [len({photo.split for photo in group}) for group in result.similar] == [1, 1]
    assert result.inventory.quarantine == [
        ("circle/empty.png", "empty file"),
        ("circle/005.png", "same photo in two classes"),
        ("triangle/005b.png", "same photo in two classes"),
    ]
    assert result.suspicious is None and result.feature_shift is None
    assert result.imbalance() == 32 / 30 and result.differences() == []
    result.save(tmp_path / "check")
    result.save(tmp_path / "check")  # again, over it
    names = sorted(path.name for path in (tmp_path / "check").iterdir())
    assert names == ["check.html", "check.json", "quarantine.csv"]
    with (tmp_path / "check/quarantine.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [list(row) for row in result.inventory.quarantine]
    written = json.loads((tmp_path / "check/check.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(result.as_dict()))
    assert written["near_duplicates"][0][0].keys() == {"path", "label", "split"}
    assert written["counts"]["train"]["circle"] == result.inventory.counts()["train"]["circle"]


def test_the_first_fault_stops_it_where_that_is_asked(faulty):
    with pytest.raises(InputError, match="'circle/empty.png' cannot be used: empty file"):
        check_photos(faulty, 64, on_error="raise", progress=False)


def test_wrong_labels_are_found_by_features(textured):
    moved = {f"square/moved{i}.png" for i in range(4)}
    for i, path in enumerate(sorted(moved)):
        shutil.move(textured / f"circle/{i:03d}.png", textured / path)
    network = tiny_network()
    result = check_photos(textured, network=network, progress=False)
    assert result.decoder == Decoder((32, 32), 3)
    found = {row["photo"].path: row["suggested"] for row in result.suspicious}
    assert [found.get(path) for path in moved].count("circle") >= 3  # the network is a random one
    assert len(found) <= 8 and all(0 <= row["score"] < 0.5 for row in result.suspicious)
    scores = [row["score"] for row in result.suspicious]
    assert scores == sorted(scores)
    assert result.as_dict()["suspicious_labels"][0].keys() == {
        "path", "label", "split", "suggested", "score",
    }  # fmt: skip
    again = check_photos(textured, network=network, progress=False)
    assert again.as_dict() == result.as_dict()


def test_splits_that_differ_are_named(textured, tmp_path):
    root = tmp_path / "split"
    for path in sorted(textured.rglob("*.png")):
        number = int(path.stem)
        part = "train" if number < 18 else "validation" if number < 24 else "test"
        if part == "test" and path.parent.name == "circle" and number < 30:
            continue
        target = root / part / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            (ImageOps.invert(image) if part == "test" else image).save(target)
    result = check_photos(root, network=tiny_network(), progress=False)
    assert result.class_shift.keys() == result.feature_shift.keys() == {"validation", "test"}
    assert result.class_shift["validation"]["p_value"] == 1
    assert result.class_shift["test"]["total_variation"] == pytest.approx(1 / 3)
    assert result.feature_shift["validation"]["p_value"] > 0.01
    assert result.feature_shift["test"]["auc"] > 0.85
    (said,) = (text for text in result.differences() if "features" in text)
    assert said.startswith("test: features tell its photos apart (AUC 0.9")


def test_small_folders_and_one_split(tmp_path):
    root = draw_photos(tmp_path / "photos", {"circle": 2, "square": 2})
    result = check_photos(root, network=tiny_network(), progress=False)
    assert result.class_shift == result.feature_shift == {} and result.differences() == []
    result.save(tmp_path / "check")


def test_a_network_for_other_photos_is_refused(textured):
    decoder = Decoder(48)
    inventory = inspect_directory(textured, decoder, progress=False)
    with pytest.raises(
        InputError, match=r"reads photos \(32, 32, 3\), but these are \(48, 48, 3\)"
    ):
        check_inventory(inventory, decoder, tiny_network(), progress=False)
