"""A process that takes part in a search: it gets a function on its stdin, and calls it."""

import os
import sys
import threading
from pathlib import Path

from kerascnn._console import starting_keras
from kerascnn._errors import InputError


def main():
    """Run what the parent sent; wrong input is one line on stderr and exit code 2."""
    pipe = _own_stdin()
    with starting_keras():
        import cloudpickle
        import grpc

        from kerascnn._random import reproducible

        search, repeats = cloudpickle.load(pipe)
        threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    if repeats:
        reproducible(0)
    try:
        search()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except grpc.RpcError as error:
        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise
        print("The chief of the search has gone: start it again, then this.", file=sys.stderr)
        sys.exit(2)


def _own_stdin():
    """The parent's pipe, where no process that the search starts can read from it."""
    pipe = os.fdopen(os.dup(0), "rb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return pipe


def _end_with(pipe):
    """A parent that is gone, however it went, has closed its end: nothing is left behind."""
    pipe.read(1)
    os._exit(1)


if __name__ == "__main__":
    main()
