"""A page that is written again is the page that the run wrote."""

import shutil

import pytest

from kerascnn import InputError
from kerascnn.transfer import write_report


def test_written_again_it_is_the_same_to_the_byte(saved, tmp_path):
    path = write_report(saved, tmp_path / "again.html")
    assert path.read_bytes() == (saved / "report.html").read_bytes()
    before = {file: file.read_bytes() for file in saved.iterdir()}
    assert write_report(saved) == saved / "report.html"
    assert {file: file.read_bytes() for file in saved.iterdir()} == before


def test_after_a_move_its_lines_name_the_new_place(saved, tmp_path):
    moved = tmp_path / "else where"
    shutil.copytree(saved, moved)
    assert f"kerascnn predict {saved} " in (moved / "report.html").read_text("utf-8")
    write_report(moved)
    text = (moved / "report.html").read_text("utf-8")
    assert f"kerascnn predict &#39;{moved}&#39; " in text and str(saved) not in text


def test_a_card_is_made_once_and_then_its_author_s(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run")
    card = tmp_path / "run/model_card.md"
    made = card.read_text("utf-8")
    card.unlink()
    write_report(tmp_path / "run")
    assert card.read_text("utf-8") == made
    card.write_text("Mine.")
    write_report(tmp_path / "run")
    assert card.read_text() == "Mine."


def test_a_folder_of_another_kind_is_refused_and_untouched(tmp_path):
    (tmp_path / "photo.jpg").write_text("x")
    with pytest.raises(InputError, match="is no run folder"):
        write_report(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["photo.jpg"]
