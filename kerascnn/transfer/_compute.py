"""How a stage of training is computed: measured once, kept beside its checkpoints."""

import dataclasses
import json

from kerascnn._runs import write_json
from kerascnn.compute import ComputeChoice, tune_compute

_SECONDS = 30  # of measuring, for a stage


def chosen_compute(model, batches, kept=None):
    """How `model`, compiled, trains fastest on `batches`.

    With a path `kept` the choice stays what it is there: a training that was stopped goes on in the
    same precision, or its weights would be others.
    """
    if kept and kept.exists():
        return ComputeChoice(**json.loads(kept.read_text("utf-8")))
    choice = tune_compute(model, batches, seconds=_SECONDS)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, dataclasses.asdict(choice))
    return choice


def compute_table(stage, choice):
    """The report's table of what was measured and chosen."""
    columns, rows = choice.table()
    return {
        "title": f"How the stage {stage!r} was computed",
        "note": "Images a second of training steps, measured before the stage; ratio to Keras's "
        "defaults. The saved model is float32.",
        "columns": columns,
        "rows": rows,
    }
