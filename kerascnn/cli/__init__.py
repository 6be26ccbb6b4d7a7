"""The command `kerascnn`. A command imports what it needs when it runs, so `--help` is quick."""

from kerascnn.cli._app import app, main
from kerascnn.cli.exporting import export
from kerascnn.cli.launching import launch
from kerascnn.cli.networks import models
from kerascnn.cli.photos import check, extract
from kerascnn.cli.runs import doctor, evaluate, predict, report
from kerascnn.cli.searching import tune
from kerascnn.cli.training import demo, finetune

__all__ = ["app", "main"]

# In the order of `--help`.
for _command in (
    check,
    finetune,
    tune,
    extract,
    evaluate,
    predict,
    doctor,
    report,
    export,
    models,
    demo,
):
    app.command()(_command)
# What follows the script is the script's own.
_rest = {"allow_interspersed_args": False, "ignore_unknown_options": True}
app.command(context_settings=_rest)(launch)
