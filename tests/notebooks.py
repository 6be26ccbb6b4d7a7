"""Run the code of a notebook without Jupyter: `python -m tests.notebooks FILE` prints its outputs.

One namespace, cells in order, no network. The output is a JSON list with, for each code cell,
`text` (what it prints, and the value of its last line) and `figure` (whether that is a picture).
"""

import ast
import contextlib
import io
import json
import socket
import sys
from pathlib import Path


def code_cells(path):
    notebook = json.loads(Path(path).read_text("utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(cell):
    """The Python of a cell; a line such as `%matplotlib inline` speaks to Jupyter alone."""
    return "".join(line for line in cell["source"] if not line.startswith("%"))


def run(cell, namespace):
    from matplotlib.figure import Figure

    body = ast.parse(source(cell)).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    value, printed = None, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "cell", "exec"), namespace)
        if last:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
    if isinstance(value, Figure):
        value.savefig(io.BytesIO(), format="png")
        return {"text": printed.getvalue(), "figure": True}
    shown = "" if value is None else repr(value)
    return {"text": printed.getvalue() + shown, "figure": False}


def refuse(*args, **kwargs):
    raise OSError("the network is blocked in tests")


if __name__ == "__main__":
    socket.socket.connect = socket.getaddrinfo = refuse
    names = {"__name__": "__main__"}
    print(json.dumps([run(cell, names) for cell in code_cells(sys.argv[1])]))
