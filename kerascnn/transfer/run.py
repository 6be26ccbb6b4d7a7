"""A finished run: its folder, its report, and what is done with it afterwards."""

import base64
import csv
import dataclasses
import datetime
import io
import json
import platform
import zipfile
from importlib import metadata
from pathlib import Path

import keras
import numpy as np

import kerascnn
from kerascnn import report
from kerascnn._errors import InputError
from kerascnn._runs import atomic_path, run_folder, write_json
from kerascnn.data import Decoder, ImageData, decode_file, from_directory
from kerascnn.transfer.choose import Plan
from kerascnn.transfer.probe import accuracy

__all__ = ["Result", "Run", "load_run"]

_HISTORY = ("stage", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
_MISTAKES = 12
_LABELS = "labels.json"  # inside the .keras archive and beside it


@dataclasses.dataclass
class Result:
    """What `finetune` made.

    Attributes:
        model: `keras.Model` from raw photos (N, H, W, C), 0-255, to probabilities (N, classes).
        data: the `ImageData` it was trained on.
        plan: `Plan`: strategy, layer, reasons.
        stages: list of dicts, one per stage: name, what, learning_rate, epochs,
            validation_accuracy, seconds.
        history: list of dicts, one per epoch of gradient training.
        tables, timings, config: for the report and the run folder.
        validation_probabilities, test_probabilities: float32 arrays (N, classes).
        metrics: dict, computed from the above: test_accuracy (None without test photos), ...
    """

    model: keras.Model
    data: ImageData
    plan: Plan
    stages: list
    history: list
    tables: list
    timings: dict
    config: dict
    validation_probabilities: np.ndarray
    test_probabilities: np.ndarray

    @property
    def class_names(self):
        return self.data.class_names

    @property
    def metrics(self):
        validation = self.data.validation.labels
        scores = _scores(self.test_probabilities, self.data.test.labels, self.class_names)
        return {
            **{f"test_{key}": value for key, value in scores.items() if key != "per_class"},
            "validation_accuracy": _known_accuracy(self.validation_probabilities, validation),
            "strategy": self.plan.strategy,
            "stages": self.stages,
            "seconds": self.timings,
            "num_photos": {
                name: getattr(self.data, name).num_photos
                for name in ("train", "validation", "test")
            },
            "per_class": scores["per_class"],
        }

    def save(self, folder):
        """Write the run folder: it appears whole, or not at all.

        `model.keras` (labels inside), `labels.json`, `config.json` (what repeats the run),
        `manifest.csv` (photos and their split), `history.csv`, `metrics.json`,
        `predictions.csv` (of the test photos), `report.html`.

        Args:
            folder: str or path that does not exist yet, or is empty.

        Raises:
            InputError: the folder holds something, or cannot be written.
        """
        with run_folder(folder) as partial:
            self.write(partial)

    def write(self, folder):
        """Write the files of a run folder into an existing folder."""
        decoder = self.data.decoder
        labels = {
            "class_names": self.class_names,
            "image_size": decoder.image_size,
            "channels": decoder.channels,
            "resize": decoder.resize,
        }
        save_model(self.model, folder / "model.keras", labels)
        write_json(folder / _LABELS, labels)
        write_json(folder / "config.json", self.settings())
        write_json(folder / "metrics.json", self.metrics)
        self.data.save_manifest(folder / "manifest.csv")
        _write_csv(folder / "history.csv", _HISTORY, self.history)
        _write_csv(folder / "predictions.csv", *self._predictions())
        report.write(folder / "report.html", self.report())

    def settings(self):
        """Everything needed to repeat the run, as a dict."""
        decoder = self.data.decoder
        return {
            **self.config,
            "photos": str(self.data.inventory.root),
            "image_size": decoder.image_size,
            "channels": decoder.channels,
            "resize": decoder.resize,
            "plan": dataclasses.asdict(self.plan),
            "versions": versions(),
        }

    def _predictions(self):
        """Columns and rows of the test photos' predictions."""
        best = self.test_probabilities.argmax(axis=1)
        split = self.data.test
        rows = [
            {
                "path": split.paths[i],
                "true": self.class_names[split.labels[i]],
                "predicted": self.class_names[best[i]],
                "probability": round(float(self.test_probabilities[i, best[i]]), 6),
            }
            for i in range(split.num_photos)
        ]
        return ("path", "true", "predicted", "probability"), rows

    def report(self):
        """The dict that `kc.report.write` takes."""
        metrics, test = self.metrics, self.data.test
        total = sum(metrics["num_photos"].values())
        return {
            "title": f"{Path(self.data.inventory.root).name}: {len(self.class_names)} classes",
            "created": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
            "subtitle": f"{self.config['backbone']}, strategy {self.plan.strategy}, {total:,} photos",
            "summary": _tiles(metrics),
            "plan": {**dataclasses.asdict(self.plan), "stages": self.stages},
            "tables": self.tables,
            "history": self.history or None,
            "class_names": self.class_names,
            "confusion": _confusion(self.test_probabilities, test.labels, len(self.class_names)),
            "per_class": metrics["per_class"],
            "mistakes": self._mistakes(),
            "findings": [_finding_row(finding) for finding in self.data.findings],
            "splits": self.data.inventory.counts(),
            "timings": self.timings,
            "settings": {key: value for key, value in self.settings().items() if key != "versions"},
            "versions": versions(),
        }

    def _mistakes(self):
        """The test photos that were misclassified with the highest probability."""
        guess, test = self.test_probabilities, self.data.test
        best = guess.argmax(axis=1)
        wrong = np.flatnonzero(best != test.labels)
        wrong = wrong[np.argsort(-guess[wrong, best[wrong]])][:_MISTAKES]
        images = test.images(wrong) if len(wrong) else []
        return [
            {
                "path": test.paths[i],
                "thumbnail": _thumbnail(image),
                "true": self.class_names[test.labels[i]],
                "predicted": self.class_names[best[i]],
                "probability": float(guess[i, best[i]]),
            }
            for i, image in zip(wrong, images)
        ]


def save_model(model, path, labels):
    """Save a model with `labels` (a dict) as labels.json inside its archive; whole or not at all.

    An attribute of a model does not survive saving; a file in the archive does, and Keras ignores
    it.
    """
    with atomic_path(path) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_LABELS, json.dumps(labels, ensure_ascii=False))


class Run:
    """A saved run, ready to classify photos. Made by `load_run`.

    Attributes:
        model: `keras.Model`. class_names: list of str.
        decoder: `Decoder`, the one the training photos went through.
    """

    def __init__(self, model, labels):
        self.model = model
        self.class_names = labels["class_names"]
        self.decoder = Decoder(labels["image_size"], labels["channels"], labels["resize"])

    def predict(self, paths, batch_size=32):
        """Class probabilities of photos.

        Args:
            paths: list of str or path, image files.
            batch_size: int >= 1.

        Returns:
            float32 array (N, classes).

        Raises:
            InputError: a file is missing or no image; nothing is predicted then.
        """
        outputs = [np.empty((0, len(self.class_names)), np.float32)]
        for start in range(0, len(paths), batch_size):
            d = self.decoder
            images = [
                decode_file(path, d.image_size, d.channels, d.resize)
                for path in paths[start : start + batch_size]
            ]
            outputs.append(self.model.predict_on_batch(np.stack(images).astype(np.float32)))
        return np.concatenate(outputs)

    def evaluate(self, directory, progress=True):
        """Accuracy and per-class figures on a folder of class folders.

        Args:
            directory: str or path of class folders, named as (some of) the classes of the run; or
                of train / validation / test folders, of which the most held-out one is used.
            progress: bool.

        Returns:
            dict: accuracy, interval (95 %, Wilson), balanced_accuracy, macro_f1, log_loss, num_photos,
            per_class.

        Raises:
            InputError: the folder cannot be used, or has a class the run does not know.
        """
        d = self.decoder
        data = from_directory(
            directory,
            d.image_size,
            channels=d.channels,
            resize=d.resize,
            splits=(1, 0, 0),
            progress=progress,
        )
        unknown = sorted(set(data.class_names) - set(self.class_names))
        if unknown:
            raise InputError(
                f"{directory} has classes this model does not know: {', '.join(unknown)}. "
                f"It knows: {', '.join(self.class_names)}."
            )
        split = next(s for s in (data.test, data.validation, data.train) if s.num_photos)
        numbers = np.array([self.class_names.index(name) for name in split.class_names])
        guesses = [self.model.predict_on_batch(split[i][0]) for i in range(split.num_batches)]
        scores = _scores(np.concatenate(guesses), numbers[split.labels], self.class_names)
        return {**scores, "num_photos": split.num_photos}


def load_run(path):
    """Open a run folder, or its `model.keras` alone, wherever it was moved.

    Args:
        path: str or path.

    Returns:
        `Run`.

    Raises:
        InputError: there is no model, or it holds no labels.
    """
    model = kerascnn.load_model(path)
    file = Path(path) / "model.keras" if Path(path).is_dir() else Path(path)
    try:
        with zipfile.ZipFile(file) as archive:
            labels = json.loads(archive.read(_LABELS))
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{file} holds no labels, so it was not made by kerascnn finetune. "
            "Use keras.models.load_model for it."
        ) from error
    return Run(model, labels)


def versions():
    """{package: version} of what results depend on."""
    names = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn", "jax", "openvino")
    found = {"kerascnn": kerascnn.__version__, "python": platform.python_version()}
    found["backend"] = keras.backend.backend()
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


# --- numbers ---------------------------------------------------------------------------------


def _scores(probabilities, labels, class_names):
    """Accuracy, its interval, and per-class figures; all None without photos."""
    if not len(labels):
        keys = ("accuracy", "interval", "balanced_accuracy", "macro_f1", "log_loss", "per_class")
        return dict.fromkeys(keys)
    from kerascnn.transfer.probe import log_loss

    rows = _per_class(_confusion(probabilities, labels, len(class_names)), class_names)
    present = [row for row in rows if row["support"]]
    share = accuracy(probabilities, labels)
    return {
        "accuracy": share,
        "interval": wilson_interval(share, len(labels)),
        "balanced_accuracy": float(np.mean([row["recall"] for row in present])),
        "macro_f1": float(np.mean([row["f1"] for row in present])),
        "log_loss": log_loss(probabilities, labels),
        "per_class": rows,
    }


def wilson_interval(share, count, z=1.959964):
    """95 % interval of a share observed in `count` photos (Wilson 1927), [low, high].

    >>> [round(x, 3) for x in wilson_interval(0.5, 100)]
    [0.404, 0.596]
    """
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return [float(centre - half), float(centre + half)]


def _known_accuracy(probabilities, labels):
    return accuracy(probabilities, labels) if len(labels) else None


def _confusion(probabilities, labels, num_classes):
    """Counts, list of lists: rows are true classes, columns predicted; None without photos."""
    if not len(labels):
        return None
    table = np.zeros((num_classes, num_classes), int)
    np.add.at(table, (labels, probabilities.argmax(axis=1)), 1)
    return table.tolist()


def _per_class(confusion, class_names):
    table = np.array(confusion)
    hits, support, guessed = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    recall, precision = hits / np.maximum(support, 1), hits / np.maximum(guessed, 1)
    f1 = 2 * hits / np.maximum(support + guessed, 1)
    return [
        {"name": name, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for name, p, r, f, n in zip(class_names, precision, recall, f1, support)
    ]


# --- pieces of the report --------------------------------------------------------------------


def _tiles(metrics):
    tiles = []
    if metrics["test_accuracy"] is not None:
        low, high = metrics["test_interval"]
        count = metrics["num_photos"]["test"]
        note = f"{count:,} photos, 95 % interval {100 * low:.1f}-{100 * high:.1f}"
        tiles.append(("Test accuracy", report.percent(metrics["test_accuracy"]), note))
        tiles.append(
            ("Balanced accuracy", report.percent(metrics["test_balanced_accuracy"]), "mean recall")
        )
    count = metrics["num_photos"]["validation"]
    if metrics["validation_accuracy"] is not None:
        value = report.percent(metrics["validation_accuracy"])
        tiles.append(("Validation accuracy", value, f"{count:,} photos, used for choices"))
    tiles.append(("Time", report.seconds(sum(metrics["seconds"].values())), "all stages"))
    return tiles


def _finding_row(finding):
    return {
        "problem": finding.problem,
        "action": finding.action,
        "count": len(finding.paths),
        "examples": finding.paths[:5],
    }


def _thumbnail(image, side=160):
    from PIL import Image

    picture = Image.fromarray(image.squeeze())
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()


def _write_csv(path, columns, rows):
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
