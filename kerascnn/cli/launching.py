"""Command for several processes: launch."""

from typing import Annotated

import typer

__all__ = ["launch"]


def launch(
    command: Annotated[
        list[str], typer.Argument(help="Script and its arguments.", show_default=False)
    ],
    workers: Annotated[int, typer.Option(help="Processes on this machine.")] = 2,
    machines: Annotated[
        str, typer.Option(help="host:port,host:port of all machines, worker 0's first.")
    ] = "",
    machine: Annotated[int, typer.Option(help="Which of --machines this is, from 0.")] = 0,
    logs: Annotated[str, typer.Option(help="Folder for the output of workers 1, 2, ...")] = "",
):
    """Train one model in several processes, on one machine or on several.

    The script calls kerascnn.distribute.start() first; see its help. If a worker fails, all are
    stopped, and the same command goes on from the last checkpoint.

    Example: kerascnn launch --workers 2 train.py --epochs 10
    """
    from kerascnn import distribute

    places = [place.strip() for place in machines.split(",")] if machines else None
    distribute.launch(command, workers, places, machine, logs or None)
