"""What is read from a run folder is what was written; a damaged one is refused in a sentence."""

import json
import shutil

import pytest

from kerascnn import InputError
from kerascnn.transfer._record import read_record


def test_the_folder_holds_the_whole_record(partial, saved):
    read, made = read_record(saved), partial.record()
    assert read.details.pop("created") and made.details.pop("created")
    assert json.loads(json.dumps(vars(made))) == vars(read)
    assert read.predictions and read.history and read.splits["test"]["circle"] == 2


def test_an_older_folder_lacks_some(saved, tmp_path):
    for name in ("config.json", "metrics.json"):
        shutil.copy(saved / name, tmp_path)
    record = read_record(tmp_path)
    assert record.class_names == ["circle", "square", "triangle"]
    assert (record.history, record.predictions, record.splits, record.details) == ([], [], None, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "{"),
        ("config.json", "{}"),
        ("metrics.json", "no JSON"),
        ("metrics.json", "[]"),
        ("labels.json", "[]"),
        ("labels.json", "{}"),
        ("report.json", '{"created": '),
        ("history.csv", "stage,epoch\nhead,one\n"),
        ("predictions.csv", "path,true\na,b\n"),
        ("predictions.csv", "path,true,predicted,probability\na,b,c,much\n"),
        ("predictions.csv", "path,true,predicted,probability\na,circle,ring,0.5\n"),
    ],
)
def test_damage_is_said_in_one_sentence(saved, tmp_path, name, text):
    shutil.copytree(saved, tmp_path / "run")
    (tmp_path / "run" / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name} is damaged. Copy the run folder again\.$"):
        read_record(tmp_path / "run")


def test_what_is_no_run_is_said(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(InputError, match="is no run folder: it has no config.json. Pass a"):
            read_record(path)
