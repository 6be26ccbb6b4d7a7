"""What a terminal sees: quiet starts, aligned tables, lines on stderr."""

import contextlib
import logging
import os
import sys
import threading
from pathlib import Path


@contextlib.contextmanager
def starting_keras():
    """Start Keras's backend in a thread meanwhile: reading photos and starting it overlap."""

    def work():
        with contextlib.suppress(Exception):  # the import that follows says what is wrong
            import keras

            keras.ops.zeros(1)

    with native_messages_aside():
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield
        thread.join()


@contextlib.contextmanager
def native_messages_aside():
    """Hide what TensorFlow's C++ code prints while it starts, on a level no setting reaches.

    Python's own stderr (progress, errors) goes on. `--debug` shows everything.
    """
    if "--debug" in sys.argv or sys.stderr is not sys.__stderr__:
        yield
        return
    sys.stderr.flush()
    shown = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    with shown, Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 2)
        sys.stderr = shown
        try:
            yield
        finally:
            sys.stderr = sys.__stderr__
            os.dup2(shown.fileno(), 2)


def printable(text):
    r"""Text on one line, what steers a terminal as escapes: file names hold anything.

    >>> printable("blåbær\n\x1b[31m.jpg")
    'blåbær\\n\\x1b[31m.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def described(finding, shown):
    """What was found, how often, and the first files."""
    files = [f"  {printable(path)}" for path in finding.paths[:shown]]
    if len(finding.paths) > shown:
        files.append(f"  ... and {len(finding.paths) - shown} more")
    return "\n".join(
        [f"{len(finding.paths)} {finding.action}: {printable(finding.problem)}", *files]
    )


def table(columns, rows):
    """Aligned text: first column left, numbers right."""
    cells = [[printable(str(cell)) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    numeric = [
        i > 0 and all((row[i] or "0")[:1].isdigit() for row in cells[1:])
        for i in range(len(columns))
    ]
    lines = [
        "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric)).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


class Lines(logging.Handler):
    """Writes to what is stderr now: it is another file while TensorFlow starts."""

    def emit(self, record):
        print(self.format(record), file=sys.stderr)
