"""The command itself: its options, and how it ends."""

import errno
import logging
import os
import sys
from typing import Annotated

import typer

from kerascnn._console import Lines, printable
from kerascnn._errors import InputError

app = typer.Typer(
    name="kerascnn",
    help="Photos in a folder -> a trained, explained, saved Keras model.\n\n"
    "Start with `kerascnn check PHOTOS`, then `kerascnn finetune PHOTOS --output run/`, "
    "open run/report.html, and use `kerascnn predict run/ photo.jpg`.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_NO_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES)  # asking whether it exists says so


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
):
    if version:
        from kerascnn import __version__

        typer.echo(f"kerascnn {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    context.obj = {"quiet": quiet}
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[Lines()])
    logging.getLogger("kerascnn").setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its advice is not for users of ours
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    """Run the command; wrong input ends with one sentence on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # file names need not be text
    try:
        code = app(standalone_mode=False) or 0
        if code == 130:  # so Typer says that Control-C was pressed
            raise KeyboardInterrupt
    except InputError as error:
        _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        _fail(
            "Stopped. What was computed is in the cache; the same command goes on from there.", 130
        )
    except Exception as error:
        shown = getattr(error, "format_message", None)
        if shown:  # a wrong option or a missing argument
            _fail(f"{shown()} Try `kerascnn --help`.", 2)
        if isinstance(error, OSError) and error.errno in _NO_PATH:
            _fail(f"Cannot use {error.filename}: {error.strerror}.", 2)
        first = (str(error).splitlines() or [""])[0]
        _fail(
            f"This is a defect of kerascnn: {type(error).__name__}: {first} "
            "(`kerascnn --debug ...` shows the traceback).",
            1,
        )
    sys.exit(code)


def _fail(message, code):
    if "--debug" in sys.argv and sys.exc_info()[0]:
        import traceback

        traceback.print_exc()
    print(f"kerascnn: {printable(message)}", file=sys.stderr)
    sys.exit(code)
