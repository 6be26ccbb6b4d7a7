"""One fine-tuning: its plan, its stages, what each of them gained."""

import contextlib
import functools
import hashlib
import json
import logging
import shutil
import sys
import time
from pathlib import Path

import keras
import numpy as np

from kerascnn import _graph
from kerascnn._errors import NonFiniteError
from kerascnn._random import random_state_kept
from kerascnn._runs import said_simply
from kerascnn.callbacks import Doctor
from kerascnn.data import cache_folder
from kerascnn.doctor import Finding, training
from kerascnn.doctor.runs import of_stage
from kerascnn.transfer import _training
from kerascnn.transfer._classifier import head_of, network_for, with_head
from kerascnn.transfer._compute import chosen_compute, compute_table
from kerascnn.transfer._pretrained import Pretrained
from kerascnn.transfer.choose import MUCH, Plan, compare_stages, plan
from kerascnn.transfer.features import Views
from kerascnn.transfer.probe import accuracy, log_loss
from kerascnn.transfer.recipe import Recipe
from kerascnn.transfer.run import Result

_DISK_SHARE = 0.5  # of the free disk, at most, for cached boundary features
_HIDDEN_RATE, _FULL_RATE = 10.0, 0.1  # times the rate of the partial stage
_log = logging.getLogger("kerascnn")


class Job:
    """What was decided, trained and measured so far; `run` does it all."""

    def __init__(self, data, config, recipe=None, verbose=False, checkpoints=None, watch=()):
        self.data = data
        self.config = config
        self.recipe = recipe or Recipe()
        self.verbose = verbose
        self.checkpoints = checkpoints  # folder, or None
        self.tunes_compute = config.get("compute") == "auto"
        self.watch = list(watch)  # callbacks of every training in place of the doctor
        self.history, self.stages, self.timings, self.tables = [], [], {}, []
        self.watched = []  # findings in training
        self.class_weight = _training.class_weight(config["class_weight"], data.train)

    @contextlib.contextmanager
    def timed(self, name):
        """Add the seconds of a block to `name`, but for what is timed in it by itself."""
        start, before = time.perf_counter(), sum(self.timings.values())
        yield
        inside = sum(self.timings.values()) - before
        took = time.perf_counter() - start - inside
        self.timings[name] = self.timings.get(name, 0.0) + took

    def say(self, text):
        if self.verbose:
            print(text, file=sys.stderr)

    @random_state_kept()
    def run(self, backbone, weights):
        keras.utils.set_random_seed(self.config["seed"])
        with self.timed("build"):
            network = network_for(backbone, weights, self.data)
            pretrained = Pretrained(
                network, self.data, self.config["engine"], self.config["seed"], self.verbose
            )
        self.train(pretrained)
        return self.finish()

    def train(self, pretrained, model=None):
        """All stages, without a look at the test photos.

        Args:
            pretrained: `Pretrained`.
            model: what is trained, made by `with_head`, or None: the pretrained network itself.
        """
        self.pretrained, self.model = pretrained, model
        self.network = pretrained.network
        self.config["weights_digest"] = pretrained.digest
        self.boundary = self.find_boundary()
        self.checkpoints = self.checkpoints and self.own_folder(Path(self.checkpoints))
        self.decide()
        if self.class_weight:
            self.plan.reasons.append("classes of few photos count as much as those of many")
        self.probe()
        if self.plan.strategy == "head" or self.recipe.hidden_units:
            self.head()
        if self.plan.strategy in ("partial", "full") and self.boundary:
            self.tail()
        if self.plan.strategy == "full":
            self.whole()

    def own_folder(self, checkpoints):
        """The folder of this job's checkpoints: nothing else in the folder is touched."""
        job = [self.config, self.data.train.fingerprint(), self.data.validation.fingerprint()]
        name = hashlib.sha256(json.dumps(job, default=str).encode()).hexdigest()[:16]
        return checkpoints / name

    # --- 1: what to do, and a linear classifier ----------------------------------------------

    def find_boundary(self):
        """The layer after which the last stages train; None if the network has no stage before."""
        if self.config["strategy"] in ("probe", "head"):
            return None
        boundaries = self.pretrained.boundaries
        if not boundaries and self.config["strategy"] == "partial":
            _graph.freeze_boundary(self.network)  # says why not
        return boundaries[: self.recipe.num_stages][-1] if boundaries else None

    def decide(self):
        strategy, self.layers = self.config["strategy"], [None]
        if strategy != "auto":
            self.plan = Plan(strategy, None, [f"asked for: {strategy}"])
            self.cached = self.boundary and self.fits_on_disk()
            return
        labels, held = self.data.train.labels, self.data.validation.labels
        median = float(np.median(np.bincount(labels, minlength=len(self.data.class_names))))
        self.cached = median >= MUCH and len(held) and self.boundary and self.fits_on_disk()
        self.layers = [*_graph.stage_ends(self.network)[:-1], None]
        with self.timed("features"):
            for name in ("train", "validation"):
                self.extract(name)
            engine = self.config["engine"]
            stages = compare_stages(self.network, self.data, self.layers, engine=engine)
        self.plan = plan(median, stages, np.bincount(held, minlength=1).max() / max(len(held), 1))
        if self.plan.strategy == "partial" and not self.boundary:
            self.plan.strategy = "full"
            self.plan.reasons.append("the network has no stage to freeze before its last one")
        if self.plan.strategy == "probe" and self.recipe.hidden_units:
            self.plan.strategy = "head"
            self.plan.reasons.append("a hidden layer was asked for")
        self.tables.append(_stage_table(stages))
        self.say(f"Plan: {self.plan.strategy} ({'; '.join(self.plan.reasons)})")

    def fits_on_disk(self):
        """Whether features at the boundary may be cached: they are large."""
        views = 2 if self.config["views"] == "auto" else self.config["views"]
        held = self.data.validation.num_photos + self.data.test.num_photos
        photos = self.data.train.num_photos * views + held
        shape = _graph.output_of(self.network, self.boundary).shape[1:]
        folder = cache_folder()
        with said_simply(folder):
            folder.mkdir(parents=True, exist_ok=True)
            fits = 4 * photos * int(np.prod(shape)) <= _DISK_SHARE * shutil.disk_usage(folder).free
        if not fits:
            _log.warning(
                "Too little disk is free for features at the freeze boundary; "
                "the frozen part is computed in every epoch."
            )
        return fits

    def probe(self):
        wanted = self.config["views"]
        self.views = 1 if wanted == "auto" else wanted
        self.fit_probe(self.views)
        if wanted == "auto" and self.plan.strategy != "probe" and self.data.validation.num_photos:
            plain, loss = self.fitted, self.score()["loss"]
            self.fit_probe(2)
            if self.score()["loss"] < loss:
                self.views = 2
                self.plan.reasons.append("mirrored photos help the linear classifier: used")
            else:
                self.fitted = plain
                self.plan.reasons.append("mirrored photos do not help the linear classifier")
        self.tables += self.precision_check()
        classes, seed = len(self.data.class_names), self.config["seed"]
        if self.model is None:
            self.model = with_head(self.network, self.plan.layer, classes, self.recipe, seed)
        self.complete = not self.recipe.hidden_units
        if self.complete:
            self.model.layers[-1].set_weights([self.fitted.kernel, self.fitted.bias])
        self.guess = self.fitted.predict(self.features("validation"))
        what = "linear classifier on frozen features"
        self.record("probe", what, None, len(self.fitted.trials), self.accuracy(self.guess))

    def fit_probe(self, views):
        with self.timed("features"):
            train = self.features("train", views)
            held = self.features("validation")
        with self.timed("probe"):
            self.fitted = self.pretrained.probe(self.plan.layer, train, held, self.class_weight)

    def score(self):
        return min(self.fitted.trials, key=lambda trial: trial["loss"])

    # --- features ----------------------------------------------------------------------------

    def features(self, name, views=1):
        """Features that the head reads. Only training features may be bfloat16: what is chosen
        and measured is chosen and measured on the float32 network that is saved."""
        precision = self.config["precision"] if name == "train" else "float32"
        return self.extract(name, views, precision)[self.plan.layer]

    def extract(self, name, views=1, precision="float32"):
        """{layer: `Features`}; what the tail will read is computed in the same pass."""
        layers = self.layers if precision == "float32" else [self.plan.layer]
        pooling = ["avg"] * len(layers)
        if self.cached and precision == "float32":
            layers, pooling = [*layers, self.boundary], [*pooling, None]
        return self.pretrained.extract(name, layers, pooling, views, precision)

    def pixels(self, name):
        """Reads photos as float32; row v * N + i is view v of photo i."""
        photos = Views(getattr(self.data, name), self.views, self.config["seed"])
        return lambda rows: photos.images(rows).astype(np.float32)

    # --- 2 and 3: training by gradients ------------------------------------------------------

    def head(self):
        """Train what comes behind the features, from cached features."""
        head = head_of(self.model, self.recipe)
        factor = _HIDDEN_RATE if self.recipe.hidden_units else 1.0  # from random weights, or not
        self.fit("head", head, self.pooled, "classifier, from cached features", factor)

    def pooled(self, name):
        """Reads the features that the head reads."""
        views = self.views if name == "train" else 1
        with self.timed("features"):
            return self.features(name, views).__getitem__

    def tail(self):
        """Train what comes after the freeze boundary, from features cached there."""
        trunk, tail = _graph.split(self.model, self.boundary)
        _graph.freeze_batch_norm(tail)
        if self.cached:
            what = f"layers after {self.boundary}, from cached features"
            self.fit("partial", tail, self.at_boundary, what)
            return
        were = [layer.trainable for layer in trunk.layers]
        for layer in trunk.layers:
            layer.trainable = False
        self.fit("partial", self.model, self.pixels, f"layers after {self.boundary}")
        for layer, trainable in zip(trunk.layers, were):
            layer.trainable = trainable

    def at_boundary(self, name):
        """Reads features of the frozen part alone: what comes after it is being trained."""
        views = self.views if name == "train" else 1
        with self.timed("features"):
            features = self.pretrained.extract(name, [self.boundary], [None], views)
            return features[self.boundary].__getitem__

    def whole(self):
        """Train every layer but batch normalisation, at a tenth of the rate."""
        _graph.freeze_batch_norm(self.model)
        self.fit("full", self.model, self.pixels, "all layers", _FULL_RATE, self.recipe.magnitude)

    def fit(self, stage, model, reader, what, factor=1.0, magnitude=0):
        """Train, and keep the result if the validation photos are classified no worse.

        A head with a hidden layer is kept anyway: nothing smaller was there before it.
        """
        rate, must = factor * self.config["learning_rate"], not self.complete
        batches = _training.Batches(
            reader("train"), self.data.train, self.views, self.config["seed"], self.class_weight,
            self.recipe.batch_size, magnitude,
        )  # fmt: skip
        held = _training.Batches(reader("validation"), self.data.validation)
        before, doctor = model.get_weights(), Doctor()  # without images: nothing is compiled
        checkpoints = self.checkpoints and self.checkpoints / stage
        say = lambda line: self.say(f"{stage}: {line}")  # noqa: E731
        with self.timed(stage):
            try:
                with _training.on_devices(model, self.config.get("distribute")) as trained:
                    rows = _training.fit(
                        trained, batches, held, rate, self.config["epochs"], say, checkpoints,
                        self.watch or [doctor], self.recipe, stage != "head" and self.groups(),
                        functools.partial(self.tuned, stage) if self.tunes_compute else None,
                    )  # fmt: skip
                guess = _training.predict(model, held)
            except NonFiniteError as error:
                if must:
                    raise
                model.set_weights(before)
                say(f"given up. {error}")
                self.watched += of_stage([Finding("loss", "problem", str(error))], stage)
                self.record(stage, f"{what} (not kept: {error})", rate, 0, None)
                return
        self.history += [{"stage": stage, **row} for row in rows]
        self.watched += of_stage([x for x in doctor.diagnosis if x.check in training.CHECKS], stage)
        if must or self.no_worse(guess):
            self.guess, self.complete = guess, True
            self.trained = model, reader
        else:
            model.set_weights(before)
            what += " (not kept: validation accuracy fell)"
        self.record(stage, what, rate, len(rows), self.accuracy(guess))

    def tuned(self, stage, model, batches):
        """A copy of the model that trains as fast as was measured."""
        kept = self.checkpoints and self.checkpoints / f"{stage}_compute.json"
        with self.timed("compute"):
            choice = chosen_compute(model, batches, kept)
        self.say(f"{stage}: {choice.summary()}")
        self.config.setdefault("compute_chosen", {})[stage] = choice.settings()
        self.tables.append(compute_table(stage, choice))
        return choice.apply(model)

    def groups(self):
        """Names of the layers of the head, of the last stage, of the stage before it, ..."""
        names = [layer.name for layer in self.model.layers]
        head = len(names) - len(head_of(self.model, self.recipe).layers) + 1
        lows = [head, *(names.index(end) + 1 for end in self.pretrained.boundaries), 0]
        return [names[low:high] for low, high in zip(lows, [None, *lows])]

    def accuracy(self, guess):
        labels = self.data.validation.labels
        return accuracy(guess, labels) if len(labels) else None

    def no_worse(self, guess):
        return self.accuracy(guess) is None or self.accuracy(guess) >= self.accuracy(self.guess)

    # --- after training ----------------------------------------------------------------------

    def record(self, name, what, rate, epochs, validation_accuracy):
        self.stages.append(
            {
                "name": name,
                "what": what,
                "learning_rate": rate,
                "epochs": epochs,
                "validation_accuracy": validation_accuracy,
                "seconds": self.timings.get(name),
            }
        )
        if validation_accuracy is not None:
            self.say(f"{name}: validation accuracy {validation_accuracy:.1%}")

    def finish(self):
        tested = self.test()
        self.config["engines_used"] = sorted(self.pretrained.engines)
        self.model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return Result(
            model=self.model,
            data=self.data,
            plan=self.plan,
            stages=self.stages,
            history=self.history,
            tables=self.tables,
            timings=self.timings,
            config=self.config,
            validation_probabilities=self.guess,
            test_probabilities=tested,
            watched=self.watched,
        )

    def test(self):
        """Class probabilities of the test photos, which are used here and nowhere else."""
        self.cached = False  # what was trained was undone, or is read at its own boundary
        if hasattr(self, "trained"):
            model, reader = self.trained
            batches = _training.Batches(reader("test"), self.data.test)
            with self.timed("test"):
                return _training.predict(model, batches)
        with self.timed("features"):
            features = self.features("test")
        with self.timed("test"):
            return self.fitted.predict(features)

    def precision_check(self):
        """What bfloat16 features cost: the same head on validation features of both kinds."""
        if self.config["precision"] == "float32" or not self.data.validation.num_photos:
            return []
        labels, rows = self.data.validation.labels, []
        for precision in ("float32", self.config["precision"]):
            held = self.extract("validation", precision=precision)[self.plan.layer]
            guess = self.fitted.predict(held)
            rows.append([precision, 100 * accuracy(guess, labels), log_loss(guess, labels)])
        note = "The linear classifier was trained on bfloat16 features; the saved model is float32."
        return [
            {
                "title": "Features in bfloat16",
                "note": note,
                "columns": ["validation features", "accuracy (%)", "log loss"],
                "rows": rows,
            }
        ]


def _stage_table(stages):
    rows = []
    for row in stages:
        share = row["validation_accuracy"]
        share = None if share is None else round(100 * share, 1)
        rows.append([row["layer"] or "output", row["num_features"], share, row["validation_loss"]])
    return {
        "title": "A linear classifier on each stage",
        "note": "Where the last stage is best, the photos are like those the network has learnt.",
        "columns": ["layer", "features", "validation accuracy (%)", "log loss"],
        "rows": rows,
    }
