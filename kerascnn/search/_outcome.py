"""What a finished search leaves in its folder: tables, pictures, the winner and an ensemble."""

import csv
import json
import shutil
import sys

from kerascnn._errors import InputError
from kerascnn._runs import atomic_path, run_folder, write_json
from kerascnn.ensembles import ensemble
from kerascnn.search._importance import importance
from kerascnn.search.results import ranked, retrain_best, trials
from kerascnn.transfer.finetuning import finetune
from kerascnn.transfer.run import save_model
from kerascnn.visualize.searches import plot_importance, plot_parallel_coordinates

__all__ = ["winner", "write_ensemble", "write_pictures", "write_trials"]


def write_trials(folder):
    """Write trials.csv: a line for each trial, its score, its metrics, its values."""
    rows = trials(folder)
    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    values = list(dict.fromkeys(name for row in rows for name in row["values"]))
    fixed = ["trial", "status", "score", "seconds", "seed", "message"]
    with (
        atomic_path(folder / "trials.csv") as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([*fixed, *metrics, *values])
        for row in rows:
            cells = [row[name] for name in fixed]
            cells += [row["metrics"].get(name) for name in metrics]
            writer.writerow([*cells, *(row["values"].get(name) for name in values)])


def write_pictures(folder):
    """Write parallel.png and importance.png: the shares, or None where there are too few trials."""
    rows = trials(folder)
    with atomic_path(folder / "parallel.png") as partial:
        plot_parallel_coordinates(rows, path=partial)
    try:
        shares = importance(rows)
    except InputError:
        return None
    with atomic_path(folder / "importance.png") as partial:
        plot_importance(shares, partial)
    return shares


def winner(space, folder, verbose):
    """The metrics of best/, the run of the best values: trained if it is not there already.

    best.json says what they are, as `kerascnn finetune --recipe` takes them. The test photos are
    used here alone.
    """
    row = ranked(folder)[0]
    values = row["values"]
    settings = space.settings(values) if hasattr(space, "settings") else values
    settings = json.loads(json.dumps(settings))
    best, kept = folder / "best", folder / "best.json"
    if best.exists() and (not kept.exists() or json.loads(kept.read_text("utf-8")) != settings):
        shutil.rmtree(best)  # of a search that had fewer trials
    write_json(kept, settings)
    if not best.exists() and verbose:
        print(f"Training with the values of trial {row['trial']}.", file=sys.stderr)
    if not best.exists() and hasattr(space, "settings"):
        finetune(space.data, **settings, output=best, verbose=verbose)
    elif not best.exists():
        _train_again(space, folder, best)
    return json.loads((best / "metrics.json").read_text("utf-8"))


def _train_again(space, folder, best):
    """A run folder of a space that has no `finetune`: for `kerascnn predict` and `evaluate`."""
    model, metrics = retrain_best(space, folder)
    data, decoder = space.data, space.data.decoder
    tested = model.evaluate(data.test, verbose=0, return_dict=True) if data.test.num_photos else {}
    labels = {"class_names": data.class_names, "image_size": decoder.image_size}
    labels |= {"channels": decoder.channels, "resize": decoder.resize}
    with run_folder(best) as partial:
        save_model(model, partial / "model.keras", labels)
        write_json(partial / "labels.json", labels)
        data.save_manifest(partial / "manifest.csv")
        validation = {
            f"validation_{name[4:]}": value
            for name, value in metrics.items()
            if name.startswith("val_")
        }
        test = {f"test_{name}": value for name, value in tested.items()}
        write_json(partial / "metrics.json", {"test_accuracy": None} | validation | test)


def write_ensemble(tuner, folder, count):
    """Write ensemble.keras, the vote of the `count` best models, and return its path."""
    models = tuner.get_best_models(count)
    path = folder / "ensemble.keras"
    with atomic_path(path) as partial:
        ensemble(models).save(partial)
    return path
