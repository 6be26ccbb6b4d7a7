"""Files are read in order, decoded once, and what is remembered of them may be damaged."""

import multiprocessing
import shutil

import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError
from kerascnn.data import Decoder, RowStore, cache_folder
from kerascnn.data.examine import Examined, examine, file_reader

SMALL = Decoder(8)


@pytest.fixture
def files(tmp_path, make_photo):
    """Readers of 150 photos, every tenth of them bad."""
    paths = [make_photo(tmp_path / f"{i}.png") for i in range(150)]
    for path in paths[::10]:
        path.write_bytes(path.read_bytes()[:60])
    return [(i, file_reader(path)) for i, path in enumerate(paths)]


def look(files, decoder=SMALL):
    return list(examine(files, len(files), decoder, progress=False))


def test_results_come_in_order_and_pixels_are_kept(files, tmp_path):
    results = look(files)
    assert [name for name, _ in results] == list(range(150))
    assert [bool(found.error) for _, found in results] == [i % 10 == 0 for i in range(150)]
    store = RowStore(cache_folder() / SMALL.key, SMALL.shape, "uint8")
    assert len(store) == 135
    for i in (1, 77, 149):
        digest = results[i][1].digest
        truth = Image.open(tmp_path / f"{i}.png").resize((8, 8), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(store.read(store.find([digest]))[0], np.asarray(truth))


def test_files_are_read_as_they_are_asked_for():
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield len(asked), lambda: b""

    stream = examine(endless(), 0, SMALL, progress=False)
    assert [next(stream)[0] for _ in range(3)] == [1, 2, 3]
    assert len(asked) <= 64
    stream.close()


@pytest.mark.parametrize("harm", ["cut", "garbage", "binary", "other JSON", "gone", "empty"])
def test_a_damaged_memory_is_only_forgotten(harm, files):
    first = look(files)
    (checks,) = cache_folder().glob("checks-*.jsonl")
    text = checks.read_bytes()
    harmed = {
        "cut": text[: len(text) // 2],
        "garbage": text.replace(b"[", b"{"),
        "binary": bytes(range(256)) + text,
        "other JSON": b'5\nnull\n"x"\n[1]\n[[], [], []]\n{}\n' + text,
        "empty": b"",
    }
    checks.unlink() if harm == "gone" else checks.write_bytes(harmed[harm])
    assert look(files) == first
    assert look(files) == first


def test_what_is_remembered_but_has_no_pixels_is_decoded_again(files):
    first = look(files)
    shutil.rmtree(cache_folder() / SMALL.key)
    assert look(files) == first
    assert len(RowStore(cache_folder() / SMALL.key, SMALL.shape, "uint8")) == 135


def test_what_another_pillow_could_not_read_is_tried_again(files, monkeypatch):
    look(files)
    monkeypatch.setattr("PIL.__version__", "99.0")
    calls, decode = [], Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda self, data: calls.append(1) or decode(self, data))
    look(files)
    assert len(calls) == 150


def _look_at(folder):
    paths = sorted(folder.glob("*.png"))
    return [found.digest for _, found in look([(p, file_reader(p)) for p in paths])]


def test_two_processes_look_at_once(files, tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(_look_at, [tmp_path, tmp_path])
    assert first == second == _look_at(tmp_path)
    assert len(RowStore(cache_folder() / SMALL.key, SMALL.shape, "uint8")) == 135


def test_readers_that_fail():
    def refuse():
        raise InputError("huge: 3 bytes")

    def vanish():
        raise FileNotFoundError(2, "No such file or directory")

    errors = [found.error for _, found in look([(0, refuse), (1, vanish)])]
    assert errors == ["huge: 3 bytes", "unreadable: No such file or directory"]


def test_problems_in_words():
    assert Examined("d", ("format PNG",)).problems("a.PNG") == []
    assert Examined("d", ("format JPEG",)).problems("a") == []
    assert Examined(None, error="huge: 5 bytes").problems("a") == [("huge", "a (huge: 5 bytes)")]
    notes = ("format GIF", "animated", "rotated by EXIF", "mode P", "size 3x4", "bytes 5")
    assert Examined("d", notes).problems("a.jpg") == [
        ("file name does not fit its format", "a.jpg (is GIF)"),
        ("animated", "a.jpg"),
        ("rotated by EXIF", "a.jpg"),
        ("not RGB (P), converted", "a.jpg"),
    ]


def test_a_progress_bar_only_where_it_is_wanted(files, capfd):
    look(files)
    assert capfd.readouterr() == ("", "")
    list(examine(files, len(files), SMALL))  # no terminal here
    assert capfd.readouterr() == ("", "")
