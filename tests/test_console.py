"""kerascnn._console: tables line up, the start of Keras is quiet and errors still come through."""

import logging
import os
import subprocess
import sys

from kerascnn._console import Lines, described, printable, table
from kerascnn.data import Finding


def test_a_table_lines_up_text_left_and_numbers_right():
    lines = table(["name", "count"], [["a", 5], ["longer", 12_345]]).splitlines()
    assert lines == ["name    count", "------  -----", "a           5", "longer  12345"]


def test_a_finding_names_the_first_files_and_counts_the_rest():
    text = described(Finding("damaged", "skipped", ["a.jpg", "b.jpg", "c.jpg"]), 2)
    assert text.splitlines() == ["3 skipped: damaged", "  a.jpg", "  b.jpg", "  ... and 1 more"]


def test_lines_go_to_what_stderr_is_now(capsys):
    Lines().emit(logging.makeLogRecord({"msg": "said"}))
    assert capsys.readouterr().err == "said\n"


def test_names_of_files_cannot_steer_a_terminal():
    hostile, shown = "a\nb\x1b[2J\u202e\udce5.jpg", r"a\nb\x1b[2J\u202e\udce5.jpg"
    assert printable(hostile) == shown
    assert described(Finding(f"class {hostile!r}", "kept", [hostile]), 3).endswith(shown)
    assert table(["photo"], [[hostile]]).splitlines()[2:] == [shown]


CODE = """
import os, sys
from kerascnn._console import native_messages_aside
with native_messages_aside():
    os.write(2, b"native chatter")
    print("progress", file=sys.stderr)
print("after", file=sys.stderr)
os.write(2, b"native error")
"""


def said(*arguments):
    command = [sys.executable, "-c", CODE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ).stderr


def test_native_messages_are_hidden_while_keras_starts_and_nothing_else_is():
    assert said() == "progress\nafter\nnative error"


def test_debug_hides_nothing():
    assert "native chatter" in said("--debug")
