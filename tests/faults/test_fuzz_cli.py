"""Any arguments: exit code 0 or 2, one sentence, and no file changed or half-written."""

import collections
import contextlib
import io
import sys

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from kerascnn import cli
from tests.faults.corruption import examples
from tests.transfer.conftest import draw_photos

pytestmark = pytest.mark.thorough

EXAMPLES = [120, pytest.param(3000, marks=pytest.mark.slow)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Photos of one class, so that nothing is trained, a bad one, and a run that is none."""
    draw_photos(tmp_path / "photos", {"circle": 4})
    (tmp_path / "photos/circle/bad\n.jpg").write_text("text")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/model.keras").write_bytes(b"PK\5\6" + bytes(18))
    (tmp_path / "photo.png").write_bytes((tmp_path / "photos/circle/000.png").read_bytes())
    (tmp_path / "text.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


HARD = ["", " ", "/none/a", "~none", "-", "--", "a\0b", "a\nb", "\ud800", "\udce5", "x" * 5000]
TEXT = st.sampled_from([*HARD, "\x1b[2J", "\u202e"]) | st.text(
    st.characters(exclude_characters="/~."),
    max_size=12,  # "/" as photos would look at all files
)
ODD_NUMBERS = ["0", "-1", "nan", "inf", "-inf", "1e999", "9" * 400, "0x10", "1_0", "\u0663"]
NUMBERS = st.integers().map(str) | st.floats().map(str) | st.sampled_from(["8", *ODD_NUMBERS])
PLACES = st.sampled_from(["photos", "photos", "run", "photo.png", "text.txt", "none", "text.txt/a"])
NAMES = ["none", "imagenet", "LeNet5", "MobileNetV2", "auto", "probe", "pad", "openvino", "a.h5"]
VALUES = st.sampled_from([PLACES, TEXT, NUMBERS, st.sampled_from(NAMES)]).flatmap(lambda v: v)
COMMANDS = typer.main.get_command(cli.app).commands


@st.composite
def arguments(draw):
    """A command line: a command, places, and options of it with values of any kind."""
    command = draw(st.sampled_from(sorted(set(COMMANDS) - {"demo"})))  # it could succeed
    words = [command]
    for option in COMMANDS[command].params:
        if not option.opts[0].startswith("-"):
            words += [draw(PLACES if draw(st.integers(0, 4)) else TEXT)]
        elif draw(st.integers(0, 3)) == 0:
            words += [draw(st.sampled_from(option.opts))]
            words += [] if option.is_flag else [draw(VALUES)]
    return draw(st.permutations(words)) if draw(st.integers(0, 9)) == 0 else words


def run(words):
    """(exit code, stdout, stderr) of `kerascnn` with these words."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr(sys, "argv", ["kerascnn", *words])
            cli.main()
        out.flush(), err.flush()
    return ended.value.code, *(stream.buffer.getvalue().decode() for stream in (out, err))


def contents(folder):
    """{path: what it holds} of all files below."""
    files = (path for path in folder.rglob("*") if path.is_file() and "cache" not in path.parts)
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize("count", EXAMPLES)
def test_any_arguments(place, count):
    before, seen = contents(place), collections.Counter()

    @examples(count)
    @given(arguments())
    def check(words):
        code, out, err = run(words)
        seen[code] += 1
        assert code in (0, 2) and "defect" not in err
        assert "Traceback" not in err or "--debug" in words
        if code == 2 and err and "--debug" not in words:
            *said, last = err.splitlines()
            assert last.startswith("kerascnn: ") and all(line[:8] == "skipped:" for line in said)
        after = contents(place)
        assert before.items() <= after.items() and not list(place.rglob("*.partial*"))
        for path in set(after) - set(before):
            assert code == 0
            path.unlink()

    check()
    assert seen[0] and seen[2]
