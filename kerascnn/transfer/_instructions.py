"""What was asked of a run, and lines that use it and go on from it, ready to be pasted."""

import shlex
from pathlib import Path

from kerascnn.transfer.backbones import list_backbones
from kerascnn.transfer.recipe import Recipe

_STRONGER = {"probe": "partial", "head": "partial", "partial": "full"}


def asked(record, folder):
    """What was asked, in sentences, and as a command where one says it all."""
    config, names = record.config, record.class_names
    height, width = config["image_size"]
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    colour = "colour" if config["channels"] == 3 else "grey"
    strategy = config["strategy"]
    chosen = "strategy auto: the photos decide" if strategy == "auto" else f"strategy {strategy}"
    # How the photos were split, by shares, groups or a manifest, is in the run's manifest alone.
    splits = {"manifest": folder} if record.splits else {}
    return {
        "sentences": [
            f"Tell {len(names)} classes apart: {shown}.",
            f"Start from {start(config)}, on {colour} photos of "
            f"{width} x {height} pixels ({config['resize']}).",
            f"Train by {chosen}; at most {config['epochs']} epochs a stage, learning rate up to "
            f"{config['learning_rate']:g}, seed {config['seed']}.",
        ],
        "command": _command(config, folder, **splits),
    }


def start(config):
    """What the training started from."""
    if config["weights"]:
        return f"{config['backbone']} with the weights {Path(config['weights']).name}"
    return f"{config['backbone']} with {'random' if _row(config) else 'its own'} weights"


def use(record, folder):
    """How to classify photos, how to continue: parts of the report's section "use"."""
    config, run = record.config, shlex.quote(str(folder))
    parts = [
        {
            "title": "Classify photos",
            "note": "Preprocessing is inside the model; photos are read as for the training.",
            "code": f"kerascnn predict {run} photo.jpg\nkerascnn evaluate {run} labelled_photos/\n"
            f"kerascnn export {run} --to onnx",
        },
        {
            "title": "The same in Python",
            "note": "run.model is a plain Keras model, from raw photos to probabilities.",
            "code": _PREDICT.format(run=str(folder)),
        },
    ]
    if command := _next_command(record, folder):
        note = "The same photos in the same splits. A run that was stopped goes on when the same "
        note += "command is given again; features come from the cache."
        parts.append({"title": "Train more", "note": note, "code": command})
    if Path(config["photos"]).is_dir():
        note = "Any Keras callback or optimiser can be used; batch normalisation stays frozen."
        code = _FIT.format(run=str(folder), data=_data_arguments(config, folder))
        parts.append({"title": "Train on in Python", "note": note, "code": code})
    return parts


_PREDICT = """\
import kerascnn as kc

run = kc.transfer.load_run({run!r})
probabilities = run.predict(["photo.jpg"])  # (1, classes)
print(run.class_names[probabilities[0].argmax()])"""

_FIT = """\
import keras
import kerascnn as kc

data = kc.data.from_directory({data})
model = kc.load_model({run!r})
kc.transfer.freeze_batch_norm(model)
model.compile(
    keras.optimizers.AdamW(1e-5), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
model.fit(data.train, validation_data=data.validation, epochs=3, shuffle=False)
model.save("further.keras")"""


def _data_arguments(config, folder):
    """The arguments of `from_directory` for the photos of the run, those that are no default."""
    given = [repr(config["photos"]), repr(tuple(config["image_size"]))]
    for name, default in (("channels", 3), ("resize", "stretch")):
        if config[name] != default:
            given.append(f"{name}={config[name]!r}")
    return ", ".join([*given, f"manifest={str(folder)!r}"])


def _command(config, folder, **changes):
    """`kerascnn finetune ...` with the options that are no default; None if no command says it."""
    row = _row(config)
    height, width = config["image_size"]
    if not _typable(config, row):
        return None
    weights, first = config["weights"] or "none", (row.weights or ("none",))[0]
    options = {  # option: (value, its default)
        "backbone": (config["backbone"], "MobileNetV2"),
        "weights": (weights, first),
        "image-size": (height, row.image_size),
        "strategy": (config["strategy"], "auto"),
        "epochs": (config["epochs"], 12),
        "learning-rate": (config["learning_rate"], 3e-4),
        "resize": (config["resize"], "stretch"),
        "seed": (config["seed"], 0),
        "engine": (config["engine"], "auto"),
        "precision": (config["precision"], "float32"),
        "distribute": (config.get("distribute", "none"), "none"),
        "compute": (config.get("compute", "default"), "default"),
        "manifest": (None, None),
        "output": (str(folder), "run"),
    }
    options |= {name.replace("_", "-"): (value, None) for name, value in changes.items()}
    said = [f"--{n} {shlex.quote(str(value))}" for n, (value, d) in options.items() if value != d]
    said += ["--reproducible"] * config["reproducible"]
    return " \\\n    ".join([f"kerascnn finetune {shlex.quote(config['photos'])}", *said])


def _typable(config, row):
    """Whether the command line has an option for everything that was asked."""
    if row is None or not Path(config["photos"]).is_dir():
        return False
    height, width = config["image_size"]
    plain = config["views"] == config["class_weight"] == "auto"
    plain &= Recipe(**config.get("recipe", {})) == Recipe()
    return plain and height == width and config["channels"] == row.channels


def _next_command(record, folder):
    """The next stronger strategy on the same photos and splits, or more epochs of the last one."""
    config, done = record.config, record.metrics["strategy"]
    changes = {"manifest": folder, "output": Path(folder).with_name(f"{Path(folder).name}-more")}
    if done in _STRONGER:
        changes["strategy"] = _STRONGER[done]
    else:
        changes |= {"strategy": done, "epochs": 2 * config["epochs"]}
    return _command(config, folder, **changes)


def _row(config):
    """The backbone as `kerascnn models` knows it; None of a network that was passed."""
    return next((row for row in list_backbones() if row.name == config["backbone"]), None)
