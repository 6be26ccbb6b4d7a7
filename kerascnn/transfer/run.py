"""A finished run: its folder, its report, and what is done with it afterwards."""

import collections
import concurrent.futures
import dataclasses
import datetime
import json
import os
import zipfile
from pathlib import Path

import keras
import numpy as np

import kerascnn
from kerascnn import _archive, report
from kerascnn._errors import InputError
from kerascnn._runs import atomic_path, finished, run_folder, write_json
from kerascnn.data import Decoder, Finding, ImageData, Split, load_manifest
from kerascnn.data.decode import listed
from kerascnn.data.examine import examine, file_reader
from kerascnn.data.folders import list_files, refuse_layout
from kerascnn.data.inventory import usable_photos, without_contradictions
from kerascnn.data.pipeline import StoredPixels
from kerascnn.doctor.runs import judge_run
from kerascnn.transfer import _card
from kerascnn.transfer._environment import machine, versions
from kerascnn.transfer._mistakes import pictures
from kerascnn.transfer._page import finding_row, page
from kerascnn.transfer._record import Record, prediction_rows
from kerascnn.transfer._scores import scores
from kerascnn.transfer.backbones import list_backbones
from kerascnn.transfer.choose import Plan
from kerascnn.transfer.probe import accuracy
from kerascnn.weights.reading import not_finite

__all__ = ["SEEN", "Result", "Run", "load_run"]

SEEN = "known to this run from training or validation, which makes the figures too good"
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
        watched: list of `kc.doctor.Finding`s that were made while it trained.
        diagnosis: `kc.doctor.Diagnosis`, of these, the curves and the figures.
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
    watched: list = dataclasses.field(default_factory=list)

    @property
    def class_names(self):
        return self.data.class_names

    @property
    def metrics(self):
        labels, guess = self.data.validation.labels, self.validation_probabilities
        tested = scores(self.test_probabilities, self.data.test.labels, self.class_names)
        return {
            **{f"test_{key}": value for key, value in tested.items() if key != "per_class"},
            "validation_accuracy": accuracy(guess, labels) if len(labels) else None,
            "strategy": self.plan.strategy,
            "stages": self.stages,
            "seconds": self.timings,
            "num_photos": {
                name: getattr(self.data, name).num_photos
                for name in ("train", "validation", "test")
            },
            "per_class": tested["per_class"],
        }

    @property
    def diagnosis(self):
        photos = [(photo.digest, photo.split) for photo in self.data.inventory.photos]
        classes = len(self.class_names)
        return judge_run(self.history, self.metrics, photos, classes, self.watched)

    def save(self, folder):
        """Write the run folder: it appears whole, or not at all.

        `model.keras` (labels inside), `labels.json`, `config.json` (what repeats the run),
        `manifest.csv` (photos and their split), `history.csv`, `metrics.json`,
        `predictions.csv` (of the test photos), `report.json` (what only the report shows),
        `doctor.json` (the diagnosis), `report.html`, `model_card.md`.

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
        self.data.save_manifest(folder / "manifest.csv")
        record = self.record()
        record.write(folder)
        report.write(folder / "report.html", page(record, finished(folder)))
        _card.write(folder / "model_card.md", record)

    def settings(self):
        """Everything needed to repeat the run, as a dict."""
        decoder, weights = self.data.decoder, self.config["weights"]
        return {
            **self.config,
            "weights": weights and _place(weights),
            "photos": _absolute(self.data.inventory.root),
            "image_size": list(decoder.image_size),
            "channels": decoder.channels,
            "resize": decoder.resize,
            "plan": dataclasses.asdict(self.plan),
            "versions": versions(),
            "machine": machine(),
        }

    def record(self):
        """What the report is made of, as plain values."""
        predictions = prediction_rows(self.data.test, self.test_probabilities)
        return Record(
            class_names=self.class_names,
            config=self.settings(),
            metrics=self.metrics,
            history=self.history,
            predictions=predictions,
            splits=self.data.inventory.counts(),
            details={
                "created": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
                "findings": [finding_row(finding) for finding in self.data.findings],
                "tables": self.tables,
                "pictures": pictures(self.model, self.data.test, predictions),
            },
            diagnosis=self.diagnosis.as_dicts(),
        )

    def report(self, folder="run"):
        """The dict that `kc.report.write` takes; `folder` is where the page says the run is."""
        return page(self.record(), Path(folder).absolute())


def _absolute(path):
    """The absolute path of what is there; a name stays as it is."""
    return str(Path(path).absolute() if Path(path).exists() else path)


def _place(weights):
    """The absolute path of a weights file; a name stays as it is, whatever is called like it."""
    named = weights in {name for row in list_backbones() for name in row.weights}
    return weights if named or not Path(weights).is_file() else _absolute(weights)


def save_model(model, path, labels):
    """Save a model with `labels` (a dict) as labels.json inside its archive; whole or not at all.

    An attribute of a model does not survive saving; a file in the archive does, and Keras ignores
    it.
    """
    with atomic_path(path) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_LABELS, json.dumps(labels))  # ASCII: any name can be written


class Run:
    """A saved run, ready to classify photos. Made by `load_run`.

    Attributes:
        model: `keras.Model`. class_names: list of str.
        decoder: `Decoder`, the one the training photos went through.
    """

    def __init__(self, model, labels, manifest=None):
        self.model = model
        self._manifest = manifest
        self.class_names = labels["class_names"]
        self.decoder = Decoder(labels["image_size"], labels["channels"], labels["resize"])

    def predict(self, paths, batch_size=32):
        """Class probabilities of photos.

        Args:
            paths: list of str or path, image files; or one of them.
            batch_size: int >= 1.

        Returns:
            float32 array (N, classes).

        Raises:
            InputError: a file is missing or no image, or `paths` are no paths; nothing is
                predicted then.
        """
        try:
            paths = listed(paths)
        except InputError as error:
            raise InputError(f"{error} For arrays use run.model.predict(images).") from None
        outputs = [np.empty((0, len(self.class_names)), np.float32)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(paths), batch_size):
                images = list(pool.map(self.decoder.read, paths[start : start + batch_size]))
                outputs.append(self.model.predict_on_batch(np.stack(images).astype(np.float32)))
        return np.concatenate(outputs)

    def evaluate(self, directory, progress=True):
        """Accuracy and per-class figures on a folder of class folders.

        Args:
            directory: str or path of class folders, named as (some of) the classes of the run; or
                of train / validation / test folders, of which the most held-out one is used.
            progress: bool.

        Returns:
            dict: accuracy, interval (95 %, Wilson), balanced_accuracy, macro_f1, log_loss,
            per_class (recall and F1 are None without photos, precision if it is never predicted),
            num_photos, findings (list of `Finding`: photos that were left out, photos that the run
            has seen, which make the figures too good, ...). What a run has seen is in the
            manifest.csv beside its model; without that file nothing is said.

        Raises:
            InputError: `directory` is no path, the folder cannot be used, or has a class the run
                does not know.
        """
        if not isinstance(directory, str | os.PathLike):
            raise InputError(
                "`directory` must be the path of a folder of class folders. "
                f"Received: {type(directory).__name__}."
            )
        split, findings = self._labelled(Path(directory), progress)
        guesses = [self.model.predict_on_batch(split[i][0]) for i in range(split.num_batches)]
        figures = scores(np.concatenate(guesses), split.labels, self.class_names)
        return {**figures, "num_photos": split.num_photos, "findings": findings}

    def _labelled(self, root, progress):
        """The photos of a folder as a `Split` with the run's classes, and the findings."""
        noticed = collections.defaultdict(list)
        files = list_files(root, noticed)
        readers = [(file, file_reader(root / file[0])) for file in files]
        photos = usable_photos(examine(readers, len(files), self.decoder, progress), noticed)
        photos = without_contradictions(photos, noticed)
        if not photos:
            refuse_layout(root)
            raise InputError(f"None of the {len(files)} files in {root} is a usable photo.")
        given = {photo.split for photo in photos}
        part = next(part for part in ("test", "validation", "train", None) if part in given)
        photos = [photo for photo in photos if photo.split == part]
        unknown = sorted({photo.label for photo in photos} - set(self.class_names))
        if unknown:
            raise InputError(
                f"{root} has classes this model does not know: {', '.join(unknown)}. "
                f"It knows: {', '.join(self.class_names)}."
            )
        if seen := self._seen(photos):
            noticed[SEEN, "kept"] += seen
        read = StoredPixels(self.decoder, root)
        findings = [Finding(*problem, paths) for problem, paths in noticed.items()]
        return Split(read, photos, self.class_names, self.decoder), findings

    def _seen(self, photos):
        """The paths of those that this run was trained or chosen with."""
        if self._manifest is None:
            return []
        listed = load_manifest(self._manifest)
        known = {photo.digest for photo in listed if photo.split != "test"}
        return [photo.path for photo in photos if photo.digest in known]


def load_run(path):
    """Open a run folder, or its `model.keras` alone, wherever it was moved.

    Args:
        path: str or path.

    Returns:
        `Run`.

    Raises:
        InputError: there is no model, it cannot be opened (see `kerascnn.load_model`), or it
            holds no labels that fit it, or no finite weights.
    """
    file = _archive.model_file(path)
    model = kerascnn.load_model(file)
    with zipfile.ZipFile(file) as archive:
        if _LABELS not in archive.namelist():
            raise InputError(
                f"{file} holds no labels, so it was not made by kerascnn finetune. "
                "Open it with kerascnn.load_model."
            )
        text = archive.read(_LABELS)
    if bad := not_finite(model):
        raise InputError(
            f"{file} cannot predict: {bad} holds NaN or infinity. "
            "Train again with a lower learning rate."
        )
    try:
        manifest = file.with_name("manifest.csv")
        return Run(model, _checked_labels(text, model), manifest if manifest.exists() else None)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"The labels in {file} are damaged or of another model. Copy the file again."
        ) from error


def _checked_labels(text, model):
    """labels.json as a dict that fits the model, or an error of some kind."""
    labels = json.loads(text)
    names = labels["class_names"]
    listed = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not listed or len(set(names)) < len(names):
        raise TypeError("class_names must be a list of different strs")
    shape = (*labels["image_size"], labels["channels"])
    fits = all(size in (None, given) for size, given in zip(model.input_shape, (None, *shape)))
    if not fits or model.output_shape != (None, len(names)):
        raise ValueError(f"{shape} -> {len(names)} classes")
    return labels
