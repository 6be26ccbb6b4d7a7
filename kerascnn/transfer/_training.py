"""One stage of training by gradients: its batches, its fit, its history."""

import contextlib
import datetime

import keras
import numpy as np

from kerascnn._random import generator, image_seeds, permutation
from kerascnn._state import set_weights
from kerascnn._steps import releasable
from kerascnn.augment import RandAugment
from kerascnn.callbacks import NaNWatch, Resume
from kerascnn.data.augmented import augmented_pixels
from kerascnn.distribute import mirrored, shard
from kerascnn.optimizers import layer_rates
from kerascnn.transfer.recipe import Recipe

COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")
_PATIENCE = 4  # epochs without a better validation loss
_EVERY = datetime.timedelta(minutes=5)  # between checkpoints, beside those of every epoch
_IMBALANCE = 10  # largest class over smallest, from which classes are weighted


class Batches(keras.utils.PyDataset):
    """Batches of one split: inputs from `read(rows)`, one-hot labels, class weights.

    Order and view are pure functions of (seed, epoch); row v * N + i is view v of photo i. Without
    a seed the photos are read in order, as they are. `fit` sets `epoch`; Keras's own
    `on_epoch_end` also comes before the first epoch. With a `magnitude` the inputs are photos, on
    which RandAugment draws from (seed, epoch, photo).
    """

    def __init__(
        self, read, split, views=1, seed=None, class_weight=None, batch_size=32, magnitude=0
    ):
        super().__init__()
        self._augment = RandAugment(magnitude=magnitude) if magnitude else None
        self._read, self._views, self._seed = read, views, seed
        self._batch_size = batch_size
        self._split = split
        self.num_photos = split.num_photos
        classes = range(len(split.class_names))
        self._targets = np.eye(len(classes), dtype=np.float32)[split.labels]
        self._weights = None
        if class_weight:
            self._weights = np.array([class_weight[i] for i in classes], np.float32)[split.labels]
        self.epoch = 0
        self._rows = None, None  # of an epoch, (epoch, rows)

    @property
    def num_batches(self):
        return -(-self.num_photos // self._batch_size)

    @property
    def shuffle(self):
        return self._seed is not None

    def fingerprint(self):
        """What decides the batches beside what they are read from."""
        weights = None if self._weights is None else sorted({float(w) for w in self._weights})
        own = {"views": self._views, "weights": weights, "batch_size": self._batch_size}
        if self._augment:
            own["magnitude"] = self._augment.magnitude
        return {**self._split.fingerprint(), **own}

    def rows(self, epoch):
        """The rows of an epoch in their order, int64 array (N,)."""
        if self._seed is None:
            return np.arange(self.num_photos)
        order = permutation(self.num_photos, self._seed, "order", epoch)
        views = generator(self._seed, "views", epoch).integers(0, self._views, self.num_photos)
        return views[order] * self.num_photos + order

    def __getitem__(self, index):
        return self.batch(self.epoch, index)

    def batch(self, epoch, index):
        """Batch `index` of epoch `epoch`: (inputs, labels) or (inputs, labels, weights)."""
        known, rows = self._rows
        if epoch != known:
            rows = self.rows(epoch)
            self._rows = epoch, rows
        rows = rows[index * self._batch_size : (index + 1) * self._batch_size]
        photos = rows % self.num_photos
        inputs = self._read(rows)
        if self._augment:
            seeds = image_seeds(self._seed, epoch, photos)
            inputs = augmented_pixels(self._augment, inputs.astype(np.uint8), seeds)
            inputs = inputs.astype(np.float32)
        batch = inputs, self._targets[photos]
        return batch if self._weights is None else (*batch, self._weights[photos])


def fit(
    model, batches, held, rate, epochs, say, checkpoints=None, watch=(), recipe=None, groups=None,
    compute=None,
):  # fmt: skip
    """Compile and fit; afterwards the model has the weights of its best epoch.

    AdamW, one epoch of warm-up to `rate`, cosine decay; stops after four epochs without a lower
    loss on `held`, if that has photos. With a folder of `checkpoints` it continues from there.
    `watch` are further callbacks; `groups` are lists of names of layers, for `recipe.stage_rate`;
    `compute` is a function (compiled model, batches) -> a copy that is trained in its place.

    Returns:
        List of dicts, one per epoch: epoch (from 1), COLUMNS, learning_rate at its end.

    Raises:
        NonFiniteError: loss or weights became NaN or infinite.
    """
    batches = shard(batches)  # on several devices
    steps = batches.num_batches
    warmup = steps if steps > 1 else 0  # its first step has rate 0: of one step nothing would stay
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else rate,
        max(1, steps * epochs - warmup),
        alpha=0.02,
        warmup_target=rate if warmup else None,
        warmup_steps=warmup,
    )
    recipe = recipe or Recipe()
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
    if groups and recipe.stage_rate < 1:
        optimizer = layer_rates(model, optimizer, recipe.stage_rate, groups, verbose=False)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    trained = releasable(compute(model, batches) if compute else model)
    callbacks = [NaNWatch(batches), *watch, _Epochs(batches, epochs, say)]
    if held.num_photos:
        best = keras.callbacks.EarlyStopping(patience=_PATIENCE, restore_best_weights=True)
        callbacks.append(best)
    run = {"x": batches, "callbacks": callbacks}
    if checkpoints:
        resume = Resume(checkpoints, batches, callbacks, every=_EVERY)
        run = {"x": resume.data, "callbacks": [resume], "initial_epoch": resume.initial_epoch}
    logs = trained.fit(
        **run,
        validation_data=shard(held) if held.num_photos else None,
        epochs=epochs,
        shuffle=False,  # the batches own their order
        verbose=0,
    ).history
    if trained is not model:
        model.set_weights(trained.get_weights())
    rows = []
    for number in range(len(logs["loss"])):
        values = {column: logs[column][number] if column in logs else None for column in COLUMNS}
        rate = float(schedule(steps * (number + 1)))
        rows.append({"epoch": number + 1, **values, "learning_rate": rate})
    return rows


def predict(model, batches):
    """Class probabilities of all photos in order, float32 array (N, classes)."""
    parts = [model.predict_on_batch(batches[i][0]) for i in range(batches.num_batches)]
    return np.concatenate([np.empty((0, model.output_shape[-1]), np.float32), *parts])


def class_weight(choice, split):
    """{class: weight} or None, by the `class_weight` argument of `finetune`."""
    if choice == "auto":
        counts = np.bincount(split.labels, minlength=len(split.class_names))
        choice = "balanced" if counts.max() > _IMBALANCE * max(counts.min(), 1) else None
    return split.class_weight() if choice == "balanced" else None


@contextlib.contextmanager
def on_devices(model, distribute):
    """Yield `model`, or for "mirrored" a copy of it on all devices whose weights it gets."""
    with mirrored() if distribute == "mirrored" else contextlib.nullcontext(1) as count:
        copy = model
        if count > 1:
            copy = keras.models.clone_model(model)
            set_weights(copy, model.get_weights())
        yield copy
    if copy is not model:
        model.set_weights(copy.get_weights())


class _Epochs(keras.callbacks.Callback):
    """Tells the batches which epoch it is, and says how it went."""

    def __init__(self, batches, epochs, say):
        super().__init__()
        self._batches, self._epochs, self._say = batches, epochs, say

    def on_epoch_begin(self, epoch, logs=None):
        self._batches.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        held = f", validation {logs['val_accuracy']:.1%}" if "val_accuracy" in logs else ""
        self._say(f"epoch {epoch + 1}/{self._epochs}: accuracy {logs['accuracy']:.1%}{held}")
