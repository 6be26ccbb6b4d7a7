"""Notebooks without Jupyter: run their code, and keep their files free of what a run leaves.

    python -m tests.notebooks run FILE         run it, as Jupyter would, without the network
    python -m tests.notebooks strip FILE ...   drop outputs and whatever else an editor has added

A run prints a JSON list with, for each code cell, `text` (what it prints, and the value of its last
line) and `figure` (whether that value is a picture with something in it).
"""

import ast
import contextlib
import io
import json
import socket
import sys
from pathlib import Path

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def cells(path):
    return json.loads(Path(path).read_text("utf-8"))["cells"]


def code_cells(path):
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def stripped(path):
    """The text that the file has without outputs, counts, metadata and ids of an editor."""
    notebook = {
        "cells": [_stripped(cell, f"cell-{i:02}") for i, cell in enumerate(cells(path))],
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _stripped(cell, name):
    kind, lines = cell["cell_type"], "".join(cell["source"]).splitlines(keepends=True)
    code = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return dict(
        sorted({"cell_type": kind, "id": name, "metadata": {}, "source": lines, **code}.items())
    )


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
        return {"text": printed.getvalue(), "figure": any(a.has_data() for a in value.axes)}
    shown = "" if value is None else repr(value)
    return {"text": printed.getvalue() + shown, "figure": False}


def refuse(*args, **kwargs):
    raise OSError("the network is blocked in tests")


if __name__ == "__main__":
    command, *files = sys.argv[1:]
    if command == "strip":
        for file in files:
            Path(file).write_text(stripped(file), "utf-8")
    else:
        socket.socket.connect = socket.getaddrinfo = refuse
        names = {"__name__": "__main__"}
        print(json.dumps([run(cell, names) for cell in code_cells(files[0])]))
