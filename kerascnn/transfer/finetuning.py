"""Photos -> a classifier: linear probe, then the last stage, then the whole network, as planned."""

import contextlib
import dataclasses
import logging
import shutil
import time
import warnings

import keras
import numpy as np

from kerascnn import _graph
from kerascnn._errors import InputError, one_of
from kerascnn._random import generator, permutation
from kerascnn._runs import run_folder
from kerascnn.data import cache_folder, view
from kerascnn.transfer.backbones import backbone as build_backbone
from kerascnn.transfer.choose import Plan, compare_stages, plan
from kerascnn.transfer.features import FeatureExtractor
from kerascnn.transfer.probe import accuracy, fit_probe, log_loss
from kerascnn.transfer.run import Result

__all__ = ["finetune"]

STRATEGIES = ("auto", "probe", "partial", "full")
_LABEL_SMOOTHING = 0.1  # Szegedy et al. 2016, arXiv:1512.00567, Sec. 7
_PATIENCE = 4  # epochs without a better validation loss
_IMBALANCE = 10  # largest class over smallest, from which classes are weighted
_DISK_SHARE = 0.5  # of the free disk, at most, for cached boundary features
_log = logging.getLogger("kerascnn")


def finetune(
    data,
    backbone="MobileNetV2",
    strategy="auto",
    *,
    weights="imagenet",
    epochs=12,
    learning_rate=3e-4,
    views="auto",
    class_weight="auto",
    engine="auto",
    precision="float32",
    seed=0,
    output=None,
    verbose=True,
):
    """Adapt a pretrained network to a folder of photos.

    Stages, each from where the one before ended, each kept only if the validation photos are
    classified no worse:

    1. "probe": logistic regression on cached features; its penalty is chosen on validation.
    2. "partial": the last stage of the network, from features cached at the freeze boundary, with
       AdamW, one epoch of warm-up, cosine decay, label smoothing 0.1, the best epoch's weights.
    3. "full": the whole network, at a tenth of the rate.

    Batch normalisation stays frozen, to the bit. "auto" chooses how far to go by lecture note 3's
    table (`kc.transfer.plan`). Test photos are used once, at the end.

    Args:
        data: `ImageData`, e.g. `kc.data.from_directory("photos/", 224)`.
        backbone: name (`kc.transfer.list_backbones()`), or a flat functional `keras.Model` from raw
            photos 0-255 to features (N, F).
        strategy: "auto", "probe", "partial" or "full".
        weights: "imagenet", None or the path of a weights file; for a named backbone.
        epochs: int >= 1, of each training stage.
        learning_rate: float > 0. Peak rate of the partial stage.
        views: "auto" (mirrored photos are added if the probe's validation loss falls), or
            int >= 1: that many augmented views, see `kc.data.view`.
        class_weight: "auto" ("balanced" if the largest class has over 10 times the photos of the
            smallest), "balanced", or None.
        engine, precision: what runs the frozen part; see `kc.transfer.extract_features`.
        seed: int. Order of the photos and choice of views.
        output: path of a run folder to write (see `Result.save`), or None.
        verbose: bool. Progress on stderr.

    Returns:
        `Result`; `result.model` is a plain `keras.Model` from raw photos to probabilities, with
        preprocessing inside, which opens without kerascnn if the backbone is of Keras.

    Raises:
        InputError: an argument cannot be used; the message says which and what is possible.

    >>> data = kc.data.from_directory("photos/", 224)  # doctest: +SKIP
    >>> result = finetune(data, backbone="MobileNetV2")  # doctest: +SKIP
    >>> result.model.predict(uint8_photos)  # doctest: +SKIP
    """
    one_of(strategy, STRATEGIES, "strategy")
    if epochs < 1 or learning_rate <= 0:
        raise InputError(
            f"epochs must be >= 1 and learning_rate > 0. Received: {epochs}, {learning_rate}."
        )
    if views != "auto" and (not isinstance(views, int) or views < 1):
        raise InputError(f"views must be 'auto' or an int >= 1. Received: {views!r}.")
    config = {
        "strategy": strategy, "epochs": epochs, "learning_rate": learning_rate, "views": views,
        "class_weight": class_weight, "engine": engine, "precision": precision, "seed": seed,
        "backbone": backbone if isinstance(backbone, str) else backbone.name,
        "weights": str(weights) if weights else None,
    }  # fmt: skip
    job = _Job(data, config, verbose)
    if output is None:
        return job.run(backbone, weights)
    with run_folder(output) as folder:  # refused now rather than after the training
        result = job.run(backbone, weights)
        result.write(folder)
    return result


def _network(backbone, weights, data):
    if isinstance(backbone, keras.Model):
        network = backbone
    else:
        height, width, channels = data.image_shape
        network = build_backbone(backbone, weights, image_size=(height, width), channels=channels)
    if network.input_shape[1:] != data.image_shape or len(network.output_shape) != 2:
        raise InputError(
            f"The backbone must lead from photos {data.image_shape} to features (N, F). "
            f"Received: {network.input_shape[1:]} to {network.output_shape}."
        )
    return network


class _Job:
    """One fine-tuning: what was decided, trained and measured so far."""

    def __init__(self, data, config, verbose):
        self.data = data
        self.config = config
        self.verbose = verbose
        self.options = {"seed": config["seed"], "progress": verbose}
        self.extractors = {}
        self.strategy = config["strategy"]
        self.history, self.stages, self.timings, self.tables = [], [], {}, []
        self.class_weight = _class_weight(config["class_weight"], data.train)

    @contextlib.contextmanager
    def timed(self, name):
        start = time.perf_counter()
        yield
        self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - start

    def say(self, text):
        if self.verbose:
            _log.info(text)

    def run(self, backbone, weights):
        keras.utils.set_random_seed(self.config["seed"])
        with self.timed("build"):
            self.network = _network(backbone, weights, self.data)
        self.decide()
        self.probe()
        if self.plan.strategy in ("partial", "full"):
            self.tail()
        if self.plan.strategy == "full":
            self.whole()
        return self.finish()

    # --- 1: what to do, and a linear classifier ----------------------------------------------

    def decide(self):
        if self.strategy != "auto":
            self.plan = Plan(self.strategy, None, [f"asked for: {self.strategy}"])
            return
        with self.timed("features"):
            stages = compare_stages(
                self.network, self.data, engine=self.config["engine"], progress=self.verbose
            )
        counts = np.bincount(self.data.train.labels, minlength=len(self.data.class_names))
        held = np.bincount(self.data.validation.labels, minlength=1)
        self.plan = plan(float(np.median(counts)), stages, held.max() / max(held.sum(), 1))
        self.tables.append(_stage_table(stages))
        self.say(f"Plan: {self.plan.strategy} ({'; '.join(self.plan.reasons)})")

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
        self.model = _with_head(self.network, self.plan.layer, self.fitted)
        self.guess = self.fitted.predict(self.features("validation"))
        what = "linear classifier on frozen features"
        self.record("probe", what, None, len(self.fitted.trials), self.accuracy(self.guess))

    def fit_probe(self, views):
        with self.timed("features"):
            train = self.features("train", views)
            held = self.features("validation")
        with self.timed("probe"):
            labels = np.tile(self.data.train.labels, views)
            held = (held, self.data.validation.labels)
            classes = len(self.data.class_names)
            self.fitted = fit_probe(train, labels, held, classes, self.class_weight)

    def features(self, name, views=1):
        """Features that the head reads. Only training features may be bfloat16: what is chosen
        and measured is chosen and measured on the float32 network that is saved."""
        precision = self.config["precision"] if name == "train" else "float32"
        return self.extract(getattr(self.data, name), precision, views)

    def extract(self, split, precision, views=1):
        layer, extractors = self.plan.layer, self.extractors
        if not split.num_photos:
            tensor = self.network.output if layer is None else _graph.output_of(self.network, layer)
            return np.empty((0, tensor.shape[-1]), np.float32)
        if precision not in extractors:
            engine = self.config["engine"]
            extractors[precision] = FeatureExtractor(
                self.network, layer, engine=engine, precision=precision
            )
        return np.asarray(extractors[precision](split, views=views, **self.options))

    def score(self):
        return min(self.fitted.trials, key=lambda trial: trial["loss"])

    # --- 2 and 3: training by gradients ------------------------------------------------------

    def tail(self):
        """Train what comes after the freeze boundary, from features cached there."""
        boundary = _graph.freeze_boundary(self.model)
        trunk, tail = _graph.split(self.model, boundary)
        _graph.freeze_batch_norm(tail)
        if self.too_large(trunk):
            warnings.warn(
                "Too little disk is free for features at the freeze boundary; "
                "the frozen part is computed in every epoch.",
                stacklevel=2,
            )
            trunk.trainable = False
            self.train("partial", self.model, self.pixels, f"layers after {boundary}")
            trunk.trainable = True
            return
        extractor = FeatureExtractor(trunk, pooling=None, engine=self.config["engine"])
        cached = {}

        def read(name, rows):
            if name not in cached:
                views = self.views if name == "train" else 1
                with self.timed("features"):
                    split = getattr(self.data, name)
                    cached[name] = extractor(split, views=views, **self.options)
            return cached[name][rows]

        self.train("partial", tail, read, f"layers after {boundary}, from cached features")

    def too_large(self, trunk):
        photos = self.data.train.num_photos * self.views + self.data.validation.num_photos
        size = 4 * photos * int(np.prod(trunk.output_shape[1:]))
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        return size > _DISK_SHARE * shutil.disk_usage(folder).free

    def whole(self):
        """Train every layer but batch normalisation, at a tenth of the rate."""
        _graph.freeze_batch_norm(self.model)
        self.train("full", self.model, self.pixels, "all layers", 0.1)

    def pixels(self, name, rows):
        """Photos as float32; row v * N + i is view v of photo i."""
        split = getattr(self.data, name)
        images = split.images(rows % split.num_photos)
        for number in np.unique(rows // split.num_photos):
            chosen = np.flatnonzero(rows // split.num_photos == number)
            keys = [split.digests[rows[i] % split.num_photos] for i in chosen]
            images[chosen] = view(images[chosen], keys, int(number), self.config["seed"])
        return images.astype(np.float32)

    def train(self, stage, model, read, what, factor=1.0):
        batches = _Batches(
            read, self.data, "train", self.views, self.config["seed"], self.class_weight
        )
        held = _Batches(read, self.data, "validation")
        before = model.get_weights()
        batches[0], held.num_photos and held[0]  # features are cached before the clock starts
        with self.timed(stage):
            rate = factor * self.config["learning_rate"]
            rows = _fit(model, batches, held, rate, self.config["epochs"], self.say, stage)
        self.history += rows
        guess = self.predict(model, held)
        kept = self.no_worse(guess)
        if kept:
            self.guess = guess
            self.test_model = model, read
        else:
            model.set_weights(before)
            what += " (not kept: validation accuracy fell)"
        self.record(stage, what, rate, len(rows), self.accuracy(guess))

    def accuracy(self, guess):
        labels = self.data.validation.labels
        return accuracy(guess, labels) if len(labels) else None

    def no_worse(self, guess):
        return self.accuracy(guess) is None or self.accuracy(guess) >= self.accuracy(self.guess)

    def predict(self, model, batches):
        if not batches.num_photos:
            return np.empty((0, len(self.data.class_names)), np.float32)
        return np.concatenate([model.predict_on_batch(batches[i][0]) for i in range(len(batches))])

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
        with self.timed("test"):
            if hasattr(self, "test_model"):
                model, read = self.test_model
                tested = self.predict(model, _Batches(read, self.data, "test"))
            else:
                tested = self.fitted.predict(self.features("test"))
        self.config["weights_digest"] = _graph.weights_digest(self.network)
        self.model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return Result(
            model=self.model,
            data=self.data,
            plan=self.plan,
            stages=self.stages,
            history=self.history,
            tables=self.tables + self.precision_check(),
            timings=self.timings,
            config=self.config,
            validation_probabilities=self.guess,
            test_probabilities=tested,
        )

    def precision_check(self):
        """What bfloat16 features cost: the same head on validation features of both kinds."""
        if self.config["precision"] == "float32" or not self.data.validation.num_photos:
            return []
        labels, rows = self.data.validation.labels, []
        for precision in ("float32", self.config["precision"]):
            held = self.extract(self.data.validation, precision)
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


class _Batches(keras.utils.PyDataset):
    """Batches of one split: inputs from `read(name, rows)`, one-hot labels, class weights.

    Order and view are pure functions of (seed, epoch); held-out splits are read in order, view 0.
    """

    def __init__(self, read, data, name, views=1, seed=None, class_weight=None, batch_size=32):
        super().__init__()
        self._read, self._name = read, name
        split = getattr(data, name)
        self.num_photos = split.num_photos
        self._targets = np.eye(len(data.class_names), dtype=np.float32)[split.labels]
        self._weights = None
        if class_weight:
            table = np.array([class_weight[i] for i in range(len(data.class_names))], np.float32)
            self._weights = table[split.labels]
        self._views, self._seed, self._batch_size = views, seed, batch_size
        self.epoch = 0

    def __len__(self):
        return -(-self.num_photos // self._batch_size)

    def on_epoch_end(self):
        self.epoch += 1

    def __getitem__(self, index):
        order, views = np.arange(self.num_photos), 0
        if self._seed is not None:
            order = permutation(self.num_photos, self._seed, "order", self.epoch)
        chosen = order[index * self._batch_size : (index + 1) * self._batch_size]
        if self._views > 1:
            draw = generator(self._seed, "views", self.epoch)
            views = draw.integers(0, self._views, self.num_photos)[chosen]
        inputs = self._read(self._name, views * self.num_photos + chosen)
        if self._weights is None:
            return inputs, self._targets[chosen]
        return inputs, self._targets[chosen], self._weights[chosen]


def _fit(model, batches, held, rate, epochs, say, stage):
    """Compile and fit; the history as rows. The weights of the best epoch stay."""
    steps = len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps * (epochs - 1)), alpha=0.02, warmup_target=rate, warmup_steps=steps
    )
    model.compile(
        keras.optimizers.AdamW(schedule),
        keras.losses.CategoricalCrossentropy(label_smoothing=_LABEL_SMOOTHING),
        metrics=["accuracy"],
    )
    callbacks = [_EpochLine(say, stage, epochs)]
    if held.num_photos:
        callbacks.append(
            keras.callbacks.EarlyStopping(patience=_PATIENCE, restore_best_weights=True)
        )
    logs = model.fit(
        batches,
        validation_data=held if held.num_photos else None,
        epochs=epochs,
        shuffle=False,  # the batches own their order
        callbacks=callbacks,
        verbose=0,
    ).history
    columns = ("loss", "accuracy", "val_loss", "val_accuracy")
    return [
        {"stage": stage, "epoch": epoch + 1, **{c: logs[c][epoch] if c in logs else None for c in columns},
         "learning_rate": float(schedule(steps * (epoch + 1)))}
        for epoch in range(len(logs["loss"]))
    ]  # fmt: skip


class _EpochLine(keras.callbacks.Callback):
    def __init__(self, say, stage, epochs):
        super().__init__()
        self._say, self._stage, self._epochs = say, stage, epochs

    def on_epoch_end(self, epoch, logs=None):
        held = f", validation {logs['val_accuracy']:.1%}" if "val_accuracy" in logs else ""
        accuracy_ = f"accuracy {logs['accuracy']:.1%}{held}"
        self._say(f"{self._stage}: epoch {epoch + 1}/{self._epochs}, {accuracy_}")


def _class_weight(choice, split):
    if choice == "auto":
        counts = np.bincount(split.labels, minlength=len(split.class_names))
        choice = "balanced" if counts.max() > _IMBALANCE * max(counts.min(), 1) else None
    one_of(choice, ("balanced", None), "class_weight")
    return split.class_weight() if choice == "balanced" else None


def _with_head(network, layer, probe):
    """One flat model from photos to probabilities; the head starts as the linear classifier."""
    x = network.output if layer is None else _graph.output_of(network, layer)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    head = keras.layers.Dense(
        len(probe.bias), activation="softmax", dtype="float32", name="predictions"
    )
    model = keras.Model(network.inputs[0], head(x), name=f"{network.name}_classifier")
    head.set_weights([probe.kernel, probe.bias])
    return model


def _stage_table(stages):
    rows = [
        [
            row["layer"] or "output",
            row["num_features"],
            None
            if row["validation_accuracy"] is None
            else round(100 * row["validation_accuracy"], 1),
            row["validation_loss"],
        ]
        for row in stages
    ]
    return {
        "title": "A linear classifier on each stage",
        "note": "Where the last stage is best, the photos are like those the network was trained on.",
        "columns": ["layer", "features", "validation accuracy (%)", "log loss"],
        "rows": rows,
    }
