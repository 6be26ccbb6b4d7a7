"""Bad photos are named and counted, good ones kept, and nothing in the user's folder changes."""

import dataclasses
import hashlib
import io
import itertools
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from kerascnn import InputError
from kerascnn.data import Decoder, inspect_directory, load_manifest
from tests.data.test_alignment import picture

SMALL = Decoder(8)


def inspect(root, decoder=SMALL, **options):
    return inspect_directory(root, decoder, **options)


def found(inventory):
    """{(problem, action): paths} of the findings."""
    return {(f.problem, f.action): f.paths for f in inventory.findings}


def snapshot(root):
    """Everything of a folder that a careless program could change."""
    tree = {}
    for path in sorted(root.rglob("*")):
        stat = path.lstat()
        data = path.read_bytes() if path.is_file() and stat.st_size < 1e6 else b""
        tree[path] = (hashlib.sha256(data).digest(), stat.st_mtime_ns, stat.st_mode)
    return tree


# --- what is wrong is named, the rest goes on ------------------------------------------------


def half(image_format):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype="uint8")
    Image.fromarray(noise).save(file, image_format)
    return file.getvalue()[:2000]


def png_claiming(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1) + b"IDATx" + bytes(4)


def flip_bits(data):
    return data[:30] + bytes(byte ^ 0xFF for byte in data[30:90]) + data[90:]


def write(root, name, data):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)


def copy(root, old, *new):
    for name in new:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / old, root / name)


def animated(root, make):
    frames = [Image.new("P", (4, 4), i) for i in range(3)]
    frames[0].putpalette(range(30))
    frames[0].save(root / "cat/a.gif", save_all=True, append_images=frames[1:])


def rotated(root, make):
    exif = Image.Exif()
    exif[0x0112] = 6
    make(root / "cat" / "a.jpg", "JPEG", exif=exif)


def sparse(root, make):
    write(root, "cat/a.jpg", b"")
    os.truncate(root / "cat/a.jpg", 300_000_000)


# name: (what is done to a good folder, photos left of 8, findings as regular expressions)
CASES = {
    "nothing": (lambda root, make: None, 8, {}),
    "damaged": (
        lambda root, make: write(root, "cat/a.png", flip_bits(half("PNG"))),
        8,
        {("damaged|not an image", "skipped"): [r"cat/a.png \((damaged: .+|not an image)\)"]},
    ),
    "half a JPEG": (
        lambda root, make: write(root, "cat/a.jpg", half("JPEG")),
        8,
        {("damaged", "skipped"): [r"cat/a.jpg \(damaged: image file is truncated.*\)"]},
    ),
    "half a PNG": (
        lambda root, make: write(root, "cat/a.png", half("PNG")),
        8,
        {("damaged", "skipped"): [r"cat/a.png \(damaged: .*truncated.*\)"]},
    ),
    "zero bytes": (
        lambda root, make: (write(root, "cat/a.jpg", b""), write(root, "dog/b.jpg", b"")),
        8,
        {
            ("empty file", "skipped"): [
                r"cat/a.jpg \(empty file\)",
                r"dog/b.jpg \(empty file\)",
            ]
        },
    ),
    "no image": (
        lambda root, make: write(root, "cat/a.jpg", b"not a photo"),
        8,
        {("not an image", "skipped"): [r"cat/a.jpg \(not an image\)"]},
    ),
    "too many pixels": (
        lambda root, make: write(root, "cat/a.png", png_claiming(60_000, 60_000)),
        8,
        {("huge", "skipped"): [r"cat/a.png \(huge: .*100,000,000.*\)"]},
    ),
    "too many bytes": (
        sparse,
        8,
        {("huge", "skipped"): [r"cat/a.jpg \(huge: 300,000,000 bytes\)"]},
    ),
    "animated": (
        animated,
        9,
        {
            ("animated", "kept"): ["cat/a.gif"],
            (r"not RGB \(P\), converted", "kept"): ["cat/a.gif"],
        },
    ),
    "wrong ending": (
        lambda root, make: make(root / "cat" / "a.JPG"),
        9,
        {("file name does not fit its format", "kept"): [r"cat/a.JPG \(is PNG\)"]},
    ),
    "no ending": (lambda root, make: make(root / "cat" / "a"), 9, {}),
    "CMYK": (
        lambda root, make: make(root / "cat" / "a.tif", "TIFF", mode="CMYK"),
        9,
        {(r"not RGB \(CMYK\), converted", "kept"): ["cat/a.tif"]},
    ),
    "16 bits": (
        lambda root, make: Image.fromarray(np.uint16([[0, 65535]])).save(root / "cat" / "a.png"),
        9,
        {(r"not RGB \(I;16\), converted", "kept"): ["cat/a.png"]},
    ),
    "palette and alpha": (
        lambda root, make: make(root / "cat" / "a.png", mode="P", transparency=bytes(range(256))),
        9,
        {(r"not RGB \(P\), converted", "kept"): ["cat/a.png"]},
    ),
    "alpha": (
        lambda root, make: make(root / "cat" / "a.png", mode="RGBA"),
        9,
        {(r"not RGB \(RGBA\), converted", "kept"): ["cat/a.png"]},
    ),
    "rotated by EXIF": (rotated, 9, {("rotated by EXIF", "kept"): ["cat/a.jpg"]}),
    "one pixel wide": (lambda root, make: make(root / "cat" / "a.png", size=(90, 1)), 9, {}),
    "40,000 pixels wide": (
        lambda root, make: make(root / "cat" / "a.jpg", "JPEG", size=(60, 40_000)),
        9,
        {},
    ),
    "40,000 pixels wide and too many": (
        lambda root, make: write(root, "cat/a.png", png_claiming(40_000, 3_000)),
        8,
        {("huge", "skipped"): [r"cat/a.png \(huge: 40000 x 3000 pixels, .* 100,000,000\)"]},
    ),
    "the same photo in two classes": (
        lambda root, make: copy(root, "cat/0.png", "dog/a.png", "cat/b.png"),
        7,
        {
            ("same photo in two classes", "skipped"): ["cat/0.png", "cat/b.png", "dog/a.png"],
        },
    ),
    "the same photo twice": (
        lambda root, make: copy(root, "cat/0.png", "cat/a.png"),
        9,
        {("same photo twice in a class", "kept"): ["cat/0.png", "cat/a.png"]},
    ),
    "a class of two": (
        lambda root, make: (make(root / "cow" / "0.png"), make(root / "cow" / "1.png")),
        10,
        {("class 'cow' has fewer than 3 photos", "kept"): ["cow/0.png", "cow/1.png"]},
    ),
    "a link to nowhere": (
        lambda root, make: (root / "cat" / "a.jpg").symlink_to("none"),
        8,
        {("unreadable", "skipped"): [r"cat/a.jpg \(unreadable: No such file or directory\)"]},
    ),
    "a folder too many": (
        lambda root, make: make(root / "cat" / "more" / "a.png"),
        8,
        {("folder inside a class folder", "skipped"): ["cat/more"]},
    ),
    "a loose photo": (
        lambda root, make: make(root / "a.png"),
        8,
        {("photo outside the class folders", "skipped"): ["a.png"]},
    ),
    "an empty class": (
        lambda root, make: (root / "cow").mkdir(),
        8,
        {("empty class folder", "skipped"): ["cow"]},
    ),
    "system files": (
        lambda root, make: [write(root, f"cat/{n}", b"x") for n in (".DS_Store", "Thumbs.db")],
        8,
        {},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_named_and_the_rest_goes_on(name, make_folder, make_photo):
    spoil, left, expected = CASES[name]
    root = make_folder({"cat": 4, "dog": 4})
    spoil(root, make_photo)
    before = snapshot(root)
    for look in ("first", "cached"):
        inventory = inspect(root)
        assert len(inventory.photos) == left, look
        assert len(inventory.findings) == len(expected), inventory.findings
        for (problem, action), paths in expected.items():
            (finding,) = (f for f in inventory.findings if re.fullmatch(problem, f.problem))
            assert finding.action == action and len(finding.paths) == len(paths)
            for path, pattern in zip(finding.paths, paths):
                assert re.fullmatch(pattern, path), path
    assert snapshot(root) == before


def test_an_unreadable_file(make_folder, without_root, tmp_path, monkeypatch):
    root = make_folder({"cat": 4, "dog": 4})
    monkeypatch.setenv("KERASCNN_CACHE", str(tmp_path / "public"))
    (tmp_path / "public").mkdir()
    (tmp_path / "public").chmod(0o777)
    inspect(make_folder({"a": 1, "b": 1}, tmp_path / "warm up"))  # all imports are done
    (root / "cat" / "0.png").chmod(0o000)
    shutil.rmtree(tmp_path / "public"), (tmp_path / "public").mkdir()
    (tmp_path / "public").chmod(0o777)
    with without_root(root):
        inventory = inspect(root)
    assert len(inventory.photos) == 7
    assert found(inventory) == {
        ("unreadable", "skipped"): ["cat/0.png (unreadable: Permission denied)"]
    }


def test_copies_that_are_not_equal_stay_on_one_side_and_are_named(make_folder):
    root = make_folder({})
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for i in range(20):
            image = picture(100 * len(label) + i + 50 * (label == "dog"), 96)
            image.save(root / label / f"{i}.jpg")
            if i < 8:
                ImageOps.mirror(image).save(root / label / f"{i}.png")
    for seed in range(5):
        inventory = inspect(root, Decoder(48), seed=seed)
        split_of = {photo.path: photo.split for photo in inventory.photos}
        for label, i in itertools.product(("cat", "dog"), range(8)):
            assert split_of[f"{label}/{i}.jpg"] == split_of[f"{label}/{i}.png"]
        paths = found(inventory)["looks the same as another photo of its class", "kept"]
        assert len(paths) == 32 and "cat/3.jpg (like cat/3.png)" in paths
        assert len(inventory.similar) == 16
    apart = inspect(root, Decoder(48), group_similar=False)
    assert len(apart.findings) == 1 and apart.similar == []  # "not RGB", nothing else
    split_of = {photo.path: photo.split for photo in apart.photos}
    assert any(split_of[f"cat/{i}.jpg"] != split_of[f"cat/{i}.png"] for i in range(8))
    apart.save(root.parent / "apart.csv")
    again = inspect(root, Decoder(48), manifest=root.parent / "apart.csv")  # which stays as it is
    assert again.photos == apart.photos and again.findings == apart.findings
    assert again.together == again.similar == inventory.similar


def test_what_is_not_used_is_listed_once_with_its_reason(make_folder):
    root = make_folder({"cat": 4, "dog": 4})
    write(root, "cat/a (1).jpg", b"")
    write(root, "dog/b.png", b"text")
    copy(root, "cat/0.png", "dog/c.png")
    (root / "cow").mkdir()
    assert sorted(inspect(root).quarantine) == [
        ("cat/0.png", "same photo in two classes"),
        ("cat/a (1).jpg", "empty file"),
        ("cow", "empty class folder"),
        ("dog/b.png", "not an image"),
        ("dog/c.png", "same photo in two classes"),
    ]


def test_splits_folders_leaks_and_classes_of_one_split(make_folder, make_photo):
    counts = {"train/cat": 9, "train/dog": 9, "val/cat": 3, "val/dog": 3, "test/cat": 4}
    root = make_folder(counts | {"test/dog": 4, "test/cow": 2})
    copy(root, "test/cat/0.png", "train/cat/leak.png", "val/cat/leak.png")
    copy(root, "test/dog/0.png", "train/cat/contradiction.png")
    inventory = inspect(root)
    assert inventory.class_names == ["cat", "dog"]
    assert inventory.counts() == {
        "train": {"cat": 9, "dog": 9},
        "validation": {"cat": 3, "dog": 3},
        "test": {"cat": 4, "dog": 3},
    }
    assert found(inventory) == {
        ("same photo in two classes", "skipped"): ["test/dog/0.png", "train/cat/contradiction.png"],
        ("also in a held-out split", "skipped"): ["train/cat/leak.png", "val/cat/leak.png"],
        ("class 'cow' has fewer than 3 photos", "kept"): ["test/cow/0.png", "test/cow/1.png"],
        ("class 'cow' has no training photo", "skipped"): ["test/cow/0.png", "test/cow/1.png"],
    }


@pytest.mark.parametrize(
    ("given", "taken"), [("test", "validation"), ("val", "test"), ("val test", None)]
)
def test_a_split_without_folder_is_taken_from_training(given, taken, make_folder):
    folders = ["train", *given.split()]
    root = make_folder({f"{split}/{label}": 20 for split in folders for label in ("cat", "dog")})
    counts = inspect(root).counts()
    for split in ("train", "validation", "test"):
        expected = {None: 20, "train": 20, taken: 2}.get(split, 20) - 2 * bool(
            taken and split == "train"
        )
        assert counts[split] == {"cat": expected, "dog": expected}


HOSTILE = [
    "line\nbreak.png", "carriage\rreturn.png", "tab\t.png", 'quo"te.png', "apo'strophe.png",
    "comma,semi;colon.png", "-rf.png", " space .png", "%s{0}$(x).png", "<b>&amp;.png",
    "ünïcödé 猫 🐈.png", "\x1b[2J.png", "\udcff\udcfe.png", "y" * 240 + ".png", "back\\slash.png",
]  # fmt: skip


def test_hostile_names(make_folder, make_photo, tmp_path):
    root = make_folder({"cat": 3, "a\nb, \"c'": 3})
    for name in HOSTILE:
        make_photo(root / "cat" / name)
        write(root, f"cat/bad {name[-200:]}", b"x")
    inventory = inspect(root)
    assert {photo.path for photo in inventory.photos} >= {f"cat/{name}" for name in HOSTILE}
    assert len(inventory.photos) == 6 + len(HOSTILE)
    assert len(found(inventory)["not an image", "skipped"]) == len(HOSTILE)
    inventory.save(tmp_path / "manifest.csv")
    assert load_manifest(tmp_path / "manifest.csv") == inventory.photos
    again = inspect(root, manifest=tmp_path / "manifest.csv", seed=5)
    assert again.photos == inventory.photos and again.findings == []


def test_on_error_raise_names_the_first(make_folder):
    root = make_folder({"cat": 3, "dog": 3})
    write(root, "dog/1.jpg", b"")
    write(root, "dog/2.jpg", b"text")
    with pytest.raises(InputError) as caught:
        inspect(root, on_error="raise")
    assert str(caught.value) == (
        "'dog/1.jpg' cannot be used: empty file. Mend or remove it, or pass "
        'on_error="skip" to go on without it.'
    )


def test_wrong_arguments_are_refused_before_anything_is_read(make_folder, monkeypatch):
    root = make_folder({"cat": 3, "dog": 3})
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(InputError, match="Unknown on_error 'stop'.*skip, raise"):
        inspect(root, on_error="stop")
    with pytest.raises(InputError, match="three shares"):
        inspect(root, splits=(0.5, 0.2, 0.2))
    with pytest.raises(InputError, match="image_size must be an int .* Received: None"):
        inspect(root, Decoder())


# --- looked at once --------------------------------------------------------------------------


@pytest.fixture
def decoded(monkeypatch):
    """How many files were decoded, as a list that grows."""
    calls, decode = [], Decoder.decode
    monkeypatch.setattr(
        Decoder, "decode", lambda self, data: calls.append(len(data)) or decode(self, data)
    )
    return calls


def test_a_second_look_decodes_nothing(make_folder, make_photo, decoded, tmp_path):
    root = make_folder({"cat": 40, "dog": 40})  # more than one window
    write(root, "dog/bad.jpg", half("JPEG"))
    make_photo(root / "dog" / "wrong.gif")
    first = inspect(root)
    assert len(decoded) == 82 and len(first.photos) == 81
    assert inspect(root) == first and len(decoded) == 82

    for i in range(10):
        make_photo(root / "cat" / f"new{i}.png")
    more = inspect(root)
    assert len(decoded) == 92 and len(more.photos) == 91
    before = {photo.path: photo.split for photo in first.photos}
    moved = [p.path for p in more.photos if p.path in before and before[p.path] != p.split]
    assert len(moved) <= 20

    shutil.move(root, tmp_path / "elsewhere")  # found by what they hold, not by their names
    assert inspect(tmp_path / "elsewhere").photos == more.photos and len(decoded) == 92
    inspect(tmp_path / "elsewhere", Decoder(9))
    assert len(decoded) == 92 + 92
    shutil.rmtree(tmp_path / "cache")
    assert inspect(tmp_path / "elsewhere").photos == more.photos and len(decoded) == 3 * 92


def test_the_order_of_the_listing_does_not_matter(make_folder, monkeypatch):
    root = make_folder({"cat": 12, "dog": 12, "cow": 2})
    copy(root, "cat/0.png", "cat/a.png", "dog/z.png")
    first, iterdir = inspect(root), pathlib.Path.iterdir
    for seed in range(3):

        def shuffled(path, seed=seed):
            entries = sorted(iterdir(path))
            np.random.default_rng(seed).shuffle(entries)
            return iter(entries)

        monkeypatch.setattr(pathlib.Path, "iterdir", shuffled)
        assert inspect(root) == first


def test_seeds_split_differently(make_folder):
    root = make_folder({"cat": 20, "dog": 20})
    splits = {tuple(photo.split for photo in inspect(root, seed=seed).photos) for seed in range(5)}
    assert len(splits) == 5
    assert inspect(root, splits=(1, 0, 0)).counts()["train"] == {"cat": 20, "dog": 20}


def test_neither_keras_nor_tensorflow_is_imported(make_folder):
    code = (
        "import sys; from kerascnn.data import inspect_directory\n"
        "print(len(inspect_directory(sys.argv[1]).photos))\n"
        "print([name for name in ('keras', 'tensorflow', 'jax') if name in sys.modules])"
    )
    root = make_folder({"cat": 3, "dog": 3})
    run = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True)
    assert run.stdout == "6\n[]\n" and run.stderr == ""


def test_real_photos(shared_data):
    root = shared_data("data/clothing/test")
    inventory = inspect(root, Decoder(32))
    counts = {folder.name: len(list(folder.iterdir())) for folder in root.iterdir()}
    total = sum(len(finding.paths) for finding in inventory.findings if finding.action == "skipped")
    assert len(inventory.photos) + total == sum(counts.values()) == 372
    assert inventory.class_names == sorted(counts)


# --- manifests -------------------------------------------------------------------------------


@pytest.fixture
def kept(make_folder, tmp_path):
    """A folder, its inventory, and its manifest."""
    root = make_folder({"cat": 10, "dog": 10})
    inventory = inspect(root)
    inventory.save(tmp_path / "run" / "manifest.csv")
    return root, inventory, tmp_path / "run" / "manifest.csv"


def test_a_manifest_fixes_photos_and_splits(kept, make_photo):
    root, inventory, manifest = kept
    make_photo(root / "cat" / "new.png")
    write(root, "dog/bad.png", b"")
    for given in (manifest, manifest.parent, str(manifest)):
        again = inspect(root, manifest=given, seed=99, splits=(0.5, 0.25, 0.25))
        assert again == dataclasses.replace(inventory, findings=[])


def test_a_manifest_is_plain_csv(kept):
    lines = kept[2].read_text().splitlines()
    assert lines[0] == '"path","sha256","label","split"' and len(lines) == 21
    digest = hashlib.sha256((kept[0] / "cat/0.png").read_bytes()).hexdigest()
    assert lines[1].startswith(f'"cat/0.png","{digest}","cat","')


def test_a_manifest_that_does_not_fit(kept, make_photo):
    root, _, manifest = kept
    (root / "cat" / "3.png").unlink()
    make_photo(root / "dog" / "1.png")
    with pytest.raises(InputError) as caught:
        inspect(root, manifest=manifest)
    assert str(caught.value) == (
        f"2 of the 20 photos in {manifest} are missing, unreadable or changed, first "
        "'cat/3.png'. Restore them, or make a new manifest."
    )
    with pytest.raises(InputError, match="There is no folder"):
        inspect(root / "none", manifest=manifest)


ROW = f"cat/0.png,{'0' * 64},cat,train\n"
HEADER = "path,sha256,label,split\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is no manifest: its first line must be path,sha256,label,split."),
        ("name,label\n", "is no manifest: its first line must be path,sha256,label,split."),
        (HEADER + ROW + "cat/1.png\n", "is damaged at row 3: 'cat/1.png'."),
        (HEADER + ROW[:40] + "\n", f"is damaged at row 2: {ROW[:40]!r}."),
        (HEADER + ROW.replace("train", "dev"), "is damaged at row 2: "),
        (HEADER + ROW.replace("0" * 64, "0" * 63), "is damaged at row 2: "),
        (HEADER + ROW + ROW.replace("train", "test"), "has the same photo in two splits, at row 3"),
    ],
)
def test_a_damaged_manifest(text, sentence, tmp_path):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        load_manifest(tmp_path / "m.csv")
    assert str(caught.value).startswith(f"{tmp_path / 'm.csv'} {sentence}")


def test_what_is_no_manifest_at_all(tmp_path, make_photo):
    with pytest.raises(InputError, match="^Cannot read the manifest .*none.csv: No such file or d"):
        load_manifest(tmp_path / "none.csv")
    with pytest.raises(InputError, match="Cannot read the manifest .*manifest.csv: No such file"):
        load_manifest(tmp_path)
    with pytest.raises(InputError, match="is no manifest"):
        load_manifest(make_photo(tmp_path / "a.png"))
    (tmp_path / "b.csv").write_text(HEADER + "x" * 200_000)
    with pytest.raises(InputError, match="Cannot read the manifest .*b.csv: field larger than"):
        load_manifest(tmp_path / "b.csv")


def test_a_manifest_of_one_class(kept):
    root, inventory, manifest = kept
    photos = [photo for photo in inventory.photos if photo.label == "cat"]
    dataclasses.replace(inventory, photos=photos).save(manifest)
    with pytest.raises(InputError, match=r"has 1 usable class \(cat\); at least two are needed"):
        inspect(root, manifest=manifest)


def test_photos_of_one_group_stay_on_one_side_also_those_that_look_the_same(tmp_path):
    """Scenes of three photos; the first of scene 1 looks like the first of scene 0."""
    rng = np.random.default_rng(0)
    for label, scene, number in itertools.product(("cat", "dog"), range(12), range(3)):
        twins = np.random.default_rng([1 + (label == "cat"), 1 + scene // 2])
        draw = rng if number else twins
        small = Image.fromarray(draw.integers(256, size=(12, 12, 3), dtype="uint8"))
        file = tmp_path / label / f"scene{scene}_{number}.png"
        file.parent.mkdir(exist_ok=True)
        small.resize((72 + scene, 72), Image.Resampling.BICUBIC).save(file)

    def scene_of(path):
        return path.rpartition("_")[0]

    for seed in range(4):
        inventory = inspect(tmp_path, Decoder(48), seed=seed, groups=scene_of)
        split_of = {}
        for photo in inventory.photos:
            label, name = scene_of(photo.path).split("/")
            pair = label, int(name.removeprefix("scene")) // 2
            split_of.setdefault(pair, set()).add(photo.split)
        assert set(map(len, split_of.values())) == {1}
        assert set().union(*split_of.values()) == {"train", "validation", "test"}
    inventory.save(tmp_path / "split.csv")
    again = inspect(tmp_path, Decoder(48), manifest=tmp_path / "split.csv", groups=scene_of)
    assert [p.split for p in again.photos] == [p.split for p in inventory.photos]
    assert again.together == inventory.together and len(again.together) == 12
    with pytest.raises(InputError, match="`groups` fails for the photo 'cat/scene0_0.png': KeyErr"):
        inspect(tmp_path, groups={}.__getitem__)
    with pytest.raises(InputError, match="scene0_0.png': TypeError: unhashable type: 'list'"):
        inspect(tmp_path, groups=lambda path: path.split("_"))
    with pytest.raises(InputError, match="`groups` must be a function from a photo's path"):
        inspect(tmp_path, groups="scene")
