"""A space of fine-tunings: what of a pretrained network is trained, and with what."""

import dataclasses
import hashlib
from pathlib import Path

import keras
import keras_tuner

from kerascnn import _graph
from kerascnn._errors import InputError, one_of
from kerascnn.data import ImageData
from kerascnn.search import scales
from kerascnn.transfer import Recipe
from kerascnn.transfer._classifier import copy_of, network_for, with_head
from kerascnn.transfer._job import Job
from kerascnn.transfer._options import check_engine, check_training
from kerascnn.transfer._pretrained import Pretrained
from kerascnn.transfer.finetuning import finetune
from kerascnn.transfer.probe import log_loss
from kerascnn.transfer.recipe import checked_recipe

__all__ = ["FineTuning"]

_DEPTHS = ("head", "partial", "full")
_RECIPE = [field.name for field in dataclasses.fields(Recipe)]


class FineTuning(keras_tuner.HyperModel):
    """A space of fine-tunings; each trial is what `kc.transfer.finetune` does, without the test.

    | hyperparameter | values, the first tried in brackets |
    |---|---|
    | `backbone` | where several are given (the first) |
    | `depth` | `depths` ("partial"): `finetune`'s strategy |
    | `views` | "auto", "1", "2", "4" ("auto"): augmented views of each photo |
    | `learning_rate` | 0.0003 times or divided by 10, log (0.0003) |
    | `weight_decay` | 0.004 times or divided by 10, log (0.004) |
    | `batch_size` | 32, 64, 128 (32) |
    | `label_smoothing` | 0 to 0.2 (0.1) |
    | `dropout` | 0 to 0.5 (0) |
    | `hidden_units` | 0, 128, 512 (0: none) |
    | `num_stages` | 1, 2 (1); not with "head" |
    | `stage_rate` | 0.1 to 1, log (1); not with "head" |
    | `magnitude` | 0, 5, 10, 15 (0); with "full" only |

    So the first trial of a `Tuner` is `finetune(data, backbone, "partial")`. A "head" trial trains
    the classifier alone, from cached features, and takes seconds; a "partial" one trains from
    features that are cached at the freeze boundary. The network, its features and the linear
    classifiers are kept from trial to trial. Test photos are not touched.

    A trial's score belongs to the model that `finetune` would keep: the last stage that classifies
    the validation photos no worse, as it was in the epoch of its lowest validation loss. Within
    Hyperband a longer trial trains anew, so that its score is of its values and seed alone.

    Args:
        data: `ImageData`.
        backbone: name (`kc.transfer.list_backbones()`), list of names, or a flat `keras.Model` from
            raw photos to features.
        weights: "imagenet", None, path of a weights file, or {name: one of these}.
        depths: some of "head", "partial", "full".
        epochs: int >= 1, of each training stage at most.
        seed: int. Order of the photos, views, dropout, start of a hidden layer.
        engine: str, see `kc.transfer.extract_features`.

    Attributes:
        history: list of dicts, the epochs of the last trial: stage, epoch, loss, accuracy,
            val_loss, val_accuracy, learning_rate.

    Raises:
        InputError: an argument cannot be used.

    >>> import numpy as np
    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 32, 32, 3), dtype="uint8")
    >>> space = FineTuning(from_arrays(images, [0, 1] * 20), ["MobileNetV2", "ResNet50"])
    >>> hp = keras_tuner.HyperParameters()
    >>> space.declare_hyperparameters(hp)
    >>> hp["backbone"], hp["depth"], "magnitude" in hp
    ('MobileNetV2', 'partial', False)
    """

    def __init__(
        self, data, backbone="MobileNetV2", *, weights="imagenet", depths=("head", "partial"),
        epochs=12, seed=0, engine="auto",
    ):  # fmt: skip
        super().__init__()
        if not isinstance(data, ImageData):
            raise InputError(
                "A search needs ImageData (from_directory, from_tfds, from_arrays). "
                f"Received: {type(data).__name__}."
            )
        if not data.validation.num_photos:
            raise InputError("A search needs validation photos: trials are compared on them.")
        self.backbones = list(backbone) if isinstance(backbone, list | tuple) else [backbone]
        self.depths = [depths] if isinstance(depths, str) else list(depths)
        for depth in self.depths:
            one_of(depth, _DEPTHS, "depth")
        if not self.depths or not self.backbones:
            raise InputError("depths and backbone must name at least one each.")
        check_training("auto", epochs, 1e-3, seed)
        check_engine(engine, "float32")
        self.data, self.weights = data, weights
        self.epochs, self.seed = int(epochs), int(seed)
        self.engine = engine
        self.history = []
        self._kept = None  # (number of the backbone, `Pretrained`): of the trial before

    def __getstate__(self):
        return {**self.__dict__, "_kept": None}  # another process computes or reads it itself

    def with_data(self, data):
        """The same space on other data."""
        return FineTuning(
            data, self.backbones, weights=self.weights, depths=self.depths, epochs=self.epochs,
            seed=self.seed, engine=self.engine,
        )  # fmt: skip

    def fingerprint(self):
        """What decides a trial beside its hyperparameters, as a dict of plain values."""
        return {
            "space": "FineTuning",
            "backbones": [_told(backbone, self._weights(backbone)) for backbone in self.backbones],
            "depths": self.depths,
            "epochs": self.epochs,
            "seed": self.seed,
            "engine": self.engine,
            "train": self.data.train.fingerprint(),
            "validation": self.data.validation.fingerprint(),
        }

    def declare_hyperparameters(self, hp):
        """The whole space, without a network."""
        if len(self.backbones) > 1:
            hp.Choice("backbone", self.backbones)
        default = "partial" if "partial" in self.depths else self.depths[0]
        hp.Choice("depth", self.depths, default=default)
        hp.Choice("views", ["auto", "1", "2", "4"])
        scales.learning_rate(hp, around=3e-4, factor=10)
        scales.weight_decay(hp, factor=10)
        scales.batch_size(hp)
        hp.Float("label_smoothing", 0.0, 0.2, default=0.1)
        scales.dropout(hp)
        hp.Choice("hidden_units", [0, 128, 512])
        with hp.conditional_scope("depth", ["partial", "full"]):
            hp.Choice("num_stages", [1, 2])
            hp.Float("stage_rate", 0.1, 1.0, sampling="log", default=1.0)
        with hp.conditional_scope("depth", ["full"]):
            hp.Choice("magnitude", [0, 5, 10, 15])

    def settings(self, values):
        """What `finetune` takes beside the data, of the values of a trial: `finetune(data, **it)`.

        Args:
            values: dict hyperparameter -> value, those that are active.

        Returns:
            dict; of plain values where the backbone is a name. The recipe is a dict too.

        >>> import numpy as np
        >>> from kerascnn.data import from_arrays
        >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
        >>> space = FineTuning(from_arrays(images, [0, 1] * 20))
        >>> settings = space.settings({"depth": "head", "dropout": 0.2, "views": "2"})
        >>> settings["strategy"], settings["views"], settings["recipe"]
        ('head', 2, {'dropout': 0.2})
        """
        backbone, views = values.get("backbone", self.backbones[0]), values.get("views", "auto")
        weights = self._weights(backbone)
        default = "partial" if "partial" in self.depths else self.depths[0]
        return {
            "backbone": backbone,
            "strategy": values.get("depth", default),
            "weights": str(Path(weights).absolute()) if _is_file(weights) else weights,
            "epochs": values.get("tuner/epochs", self.epochs),
            "learning_rate": values.get("learning_rate", 3e-4),
            "views": views if views == "auto" else int(views),
            "seed": self.seed,
            "engine": self.engine,
            "recipe": {name: values[name] for name in _RECIPE if name in values},
        }

    def finetune(self, values, output=None):
        """The fine-tuning of these values, with the test photos used once: a `Result`.

        Args:
            values: as for `settings`. output: path of a run folder to write, or None.
        """
        return finetune(self.data, **self.settings(values), output=output)

    def build(self, hp):
        """The compiled network and its head of these hyperparameters, not yet trained."""
        self.declare_hyperparameters(hp)
        settings = self.settings(_active(hp))
        pretrained = self._pretrained(settings["backbone"])
        keras.utils.set_random_seed(self.seed)  # whether the network was kept or made now
        network = pretrained.network
        if settings["strategy"] != "head":  # which trains nothing of it
            network = copy_of(network)
        recipe = checked_recipe(settings["recipe"], settings["strategy"])
        model = with_head(network, None, len(self.data.class_names), recipe, self.seed)
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, callbacks=(), epochs=None, initial_epoch=0, **kwargs):
        """Train a model that `build` made: dict of "val_accuracy" and "val_loss".

        Args:
            hp: `keras_tuner.HyperParameters`, those of `build`.
            callbacks: are told the epochs of all stages, numbered on, with `model` as their model.
            epochs: int, instead of the space's.
            initial_epoch: int. Above 0 the weights that a shorter trial left in `model` are undone.
            args, kwargs: not used; what a `Tuner` passes to every `fit`.
        """
        if initial_epoch:
            for variable, start in zip(model.variables, self.build(hp).variables):
                variable.assign(start)
        settings = self.settings(_active(hp))
        settings |= {"class_weight": "auto", "precision": "float32"}
        settings["epochs"] = epochs or settings["epochs"]
        recipe = checked_recipe(settings["recipe"], settings["strategy"])
        told = keras.callbacks.CallbackList(list(callbacks), model=model)
        job = Job(self.data, settings, recipe, watch=[_Forwarding(told)])
        told.on_train_begin()
        job.train(self._pretrained(settings["backbone"]), model)
        told.on_train_end()
        self.history = job.history
        loss = log_loss(job.guess, self.data.validation.labels)
        return {"val_accuracy": job.accuracy(job.guess), "val_loss": loss}

    def _weights(self, backbone):
        """The weights of a backbone that is a name."""
        if not isinstance(self.weights, dict):
            return self.weights
        return self.weights[one_of(backbone, self.weights, "backbone with weights:")]

    def _pretrained(self, backbone):
        """The `Pretrained` of a backbone; one is kept, for the next trial of the same."""
        number = self.backbones.index(backbone)
        if self._kept is None or self._kept[0] != number:
            self._kept = None  # frees its memory first
            keras.utils.set_random_seed(self.seed)
            network = network_for(backbone, self._weights(backbone), self.data)
            self._kept = number, Pretrained(network, self.data, self.engine, self.seed)
        return self._kept[1]


class _Forwarding(keras.callbacks.Callback):
    """Tells the epochs of several trainings as those of one."""

    def __init__(self, told):
        super().__init__()
        self._told, self._epoch = told, 0

    def on_epoch_begin(self, epoch, logs=None):
        self._told.on_epoch_begin(self._epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._told.on_epoch_end(self._epoch, logs)
        self._epoch += 1
        if self._told.model.stop_training:  # a callback wants it
            self.model.stop_training = True


def _active(hp):
    """{name: value} of the hyperparameters that are active, and of what a tuner adds."""
    extra = {name: value for name, value in hp.values.items() if name.startswith("tuner/")}
    return extra | {p.name: hp.values[p.name] for p in hp.space if hp.is_active(p)}


def _told(backbone, weights):
    """What a backbone is, as plain values."""
    if isinstance(backbone, keras.Model):
        return [backbone.name, _graph.weights_digest(backbone)]
    if not _is_file(weights):
        return [backbone, weights]
    with Path(weights).open("rb") as file:
        return [backbone, hashlib.file_digest(file, "sha256").hexdigest()]


def _is_file(weights):
    return weights is not None and Path(weights).is_file()
