"""Files are read in order, decoded once, and what is remembered of them may be damaged."""

import multiprocessing
import os
import shutil
import sys
import types

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


def test_little_memory_says_nothing_about_a_photo(files, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "resize", lambda *a, **k: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(
            InputError, match="Too little memory is free to decode 1: end other pro"
        ):
            look(files)
    assert [bool(found.error) for _, found in look(files)] == [i % 10 == 0 for i in range(150)]


# --- room on the disk ------------------------------------------------------------------------

ROW = 8 * 8 * 3  # bytes of a decoded photo


@pytest.fixture
def disk(monkeypatch):
    """`disk(free)` sets the free bytes of every disk; returns the folders that were asked about."""

    def set_free(free):
        asked = []
        usage = types.SimpleNamespace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage)
        return asked

    return set_free


def stored():
    return len(RowStore(cache_folder() / SMALL.key, SMALL.shape, "uint8"))


def test_what_the_disk_has_no_room_for_is_refused_before_anything_is_written(files, disk, tmp_path):
    asked = disk(143 * ROW - 1)
    with pytest.raises(InputError) as caught:  # 7 of the first 64 are bad: known by then
        look(files)
    assert str(caught.value) == (
        f"143 photos decoded to 8 x 8 x 3 would take 27.5kB in {cache_folder() / SMALL.key}, where "
        "27.5kB are free. Free some space, let KERASCNN_CACHE name a folder on another disk, or "
        "choose a smaller image_size."
    )
    assert not cache_folder().exists() and asked == [tmp_path]  # the nearest that is there
    disk(143 * ROW)
    assert len(look(files)) == 150 and stored() == 135


def test_what_is_stored_needs_no_room(files, disk, make_photo, tmp_path):
    first = look(files)
    asked = disk(0)
    assert look(files) == first and asked == []
    new = make_photo(tmp_path / "new.png")
    more = [("new", file_reader(new)), *files, ("copy", file_reader(new))]
    with pytest.raises(InputError, match="^1 photo decoded to 8 x 8 x 3 would take 192B"):
        look(more)
    disk(ROW)
    assert len(look(more)) == 152 and stored() == 136


def test_the_rest_of_a_run_that_was_stopped_needs_room_for_itself_only(files, disk):
    stream = examine(files, len(files), SMALL, progress=False)
    next(stream)
    stream.close()
    assert stored() == 57
    disk(78 * ROW - 1)
    with pytest.raises(InputError, match="^8. photos decoded"):  # 78, and bad ones not seen yet
        look(files)
    disk(86 * ROW)
    look(files)
    assert stored() == 135


def test_pixels_that_are_stored_need_no_room_when_they_are_checked_again(files, disk, monkeypatch):
    first = look(files)
    monkeypatch.setattr("PIL.__version__", "99.0")
    disk(0)
    assert look(files) == first


def test_the_size_is_said_on_a_terminal_before_it_is_written(files, monkeypatch, capfd):
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((100, 30)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    stream = examine(files, len(files), SMALL)
    next(stream)
    said = f"Decoding up to 143 photos once: 27.5kB in {cache_folder() / SMALL.key}\n"
    assert said in capfd.readouterr().err
    assert len(list(stream)) == 149 and "Decoding" not in capfd.readouterr().err  # said once
    assert len(list(examine(files, len(files), SMALL))) == 150
    out, err = capfd.readouterr()
    assert "150/150" in err and "Decoding" not in err and out == ""


def test_a_progress_bar_only_where_it_is_wanted(files, capfd):
    look(files)
    assert capfd.readouterr() == ("", "")
    list(examine(files, len(files), SMALL))  # no terminal here
    assert capfd.readouterr() == ("", "")
