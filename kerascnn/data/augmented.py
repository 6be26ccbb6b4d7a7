"""Augmented batches, each a pure function of (seed, epoch, index)."""

import re
import threading

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._random import child_seeds, generator, image_seeds
from kerascnn.data.pipeline import EpochCounter

__all__ = ["Augmented"]

_MIXES_LABELS = (keras.layers.MixUp, keras.layers.CutMix)


class Augmented(EpochCounter):
    """A `Split` whose batches go through layers: made by `split.augment(layer, ...)`.

    Layers of `kerascnn.augment` draw for each photo from (seed, epoch, the photo's number) and work
    on uint8 images in NumPy and OpenCV; set the attribute `workers` to 4, and `fit` makes batches
    in as many threads. Keras's random layers draw from generators with a state, so what they draw
    depends on all they drew before, and on the threads. Here their seeds are set before every
    batch, from (seed, epoch, index), one thread at a time. Either way a batch is the same whenever
    and wherever it is asked for. A Keras layer that is used here must not be part of a model too.

    Args:
        source: `Split`; its seed decides the draws too.
        layers: layers of `kerascnn.augment` first, then any others, which are called on float32
            images (batch, H, W, C), 0-255. `MixUp` and `CutMix` also change the labels. One by one
            or in a list.
        training: bool. False: what the layers do without training, e.g. central crops, for
            `validation_data`.

    Attributes:
        epoch: int >= 0. The epoch that is read now; may be set.

    Raises:
        InputError: something is no layer, a layer mixes labels and the split does not have
            `one_hot=True`, or a layer of `kerascnn.augment` has another `value_range` than 0-255.

    >>> from kerascnn.augment import RandomAffine
    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    >>> split = from_arrays(images, [0, 1] * 20).train
    >>> train = split.augment(RandomAffine(flip="horizontal"), keras.layers.RandomErasing(1.0))
    >>> again = split.augment(RandomAffine(flip="horizontal"), keras.layers.RandomErasing(1.0))
    >>> (train.batch(3, 0)[0] == again.batch(3, 0)[0]).all()
    np.True_
    """

    def __init__(self, source, layers, training=True):
        super().__init__()
        self.source = source
        self.layers = as_layers(layers)
        self.training = training
        self._one_at_a_time = threading.Lock()  # Keras's layers hold their seeds
        for layer in self.layers:
            is_ours = hasattr(layer, "augment_numpy")
            if is_ours and layer.value_range != (0, 255):
                raise InputError(
                    f"{layer.name} takes values {layer.value_range}, and a split's pixels are "
                    "0-255: leave out `value_range`."
                )
            if isinstance(layer, _MIXES_LABELS):
                layer.dtype_policy = "float32"  # as the labels: Keras 3.15 mixes no two dtypes
                if not source.one_hot:
                    raise InputError(
                        f"{layer.name} mixes labels, which must be one-hot: make the data with "
                        "one_hot=True."
                    )

    @property
    def num_batches(self):
        """Number of batches in an epoch."""
        return self.source.num_batches

    def __getitem__(self, index):
        super().__getitem__(index)
        return self.batch(self.epoch, index)

    def numbers(self, epoch, index):
        """The photos' numbers in batch `index` of epoch `epoch`, as `Split.numbers`."""
        return self.source.numbers(epoch, index)

    def batch(self, epoch, index, rows=slice(None)):
        """Batch `index` of epoch `epoch`: (images, labels) as of the split, augmented.

        `rows` are those that are wanted of it; Keras's layers draw for the batch as a whole.
        """
        if not all(hasattr(layer, "augment_numpy") for layer in self.layers):
            images, labels = self._made(epoch, index, self.numbers(epoch, index))
            return images[rows], labels[rows]
        return self._made(epoch, index, self.numbers(epoch, index)[rows])

    def _made(self, epoch, index, chosen):
        images, labels = self.source.images(chosen), self.source.targets(chosen)
        seeds = image_seeds(self.source.seed, epoch, chosen)
        draw = generator(self.source.seed, "augment", int(epoch), int(index))
        for number, layer in enumerate(self.layers):
            if self.training and hasattr(layer, "augment_numpy"):  # of kerascnn.augment
                images = augmented_pixels(layer, images, child_seeds(seeds, number))
            else:
                with self._one_at_a_time:
                    images, labels = _called(layer, images, labels, draw, self.training)
        images = np.asarray(images).astype(np.float32)  # mixed precision or not
        return images, keras.ops.convert_to_numpy(labels)

    def fingerprint(self):
        """What decides the batches, as a dict of plain values."""
        layers = [[type(layer).__name__, options(layer.get_config())] for layer in self.layers]
        return {**self.source.fingerprint(), "augment": layers, "training": self.training}

    def manifest(self):
        """The photos, as `Split.manifest`."""
        return self.source.manifest()


def as_layers(layers, draws_for_each=False):
    """A layer, layers, or a list of them in a list; with `draws_for_each`, of ours alone.

    >>> as_layers("light")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: Expected layers of kerascnn.augment or Keras, such as ...
    """
    layers = keras.tree.flatten(layers)
    for layer in layers:
        if not isinstance(layer, keras.layers.Layer):
            raise InputError(
                "Expected layers of kerascnn.augment or Keras, such as "
                f'kerascnn.augment.preset("medium"). Received: {layer!r}.'
            )
        if draws_for_each and not hasattr(layer, "augment_numpy"):
            raise InputError(
                "Expected layers of kerascnn.augment, which draw for each image. "
                f"Received: {type(layer).__name__}."
            )
    return layers


def augmented_pixels(layer, images, seeds):
    """What a layer of kerascnn.augment makes of images, by the faster engine that takes them."""
    if images.dtype == np.uint8 and layer.value_range == (0, 255):
        return layer.augment_numpy(images, seeds)
    return keras.ops.convert_to_numpy(layer.augment(images, seeds))  # after one of Keras's layers


def _called(layer, images, labels, draw, training):
    images = keras.ops.cast(images, "float32")
    if not layer.built:
        layer(images, training=training)  # makes its seeds
    for variable in layer.variables:
        if variable.name == "seed_generator_state":
            variable.assign(np.array([draw.integers(2**31), 0]))
    if isinstance(layer, _MIXES_LABELS):
        mixed = layer({"images": images, "labels": labels}, training=training)
        return keras.ops.convert_to_numpy(mixed["images"]), mixed["labels"]
    return keras.ops.convert_to_numpy(layer(images, training=training)), labels


def options(config):
    """A layer's config, of layers within it too, without seeds, lambdas' code, numbers in names.

    >>> options({"name": "dense_7", "units": 3, "layer": {"seed": 1}})
    {'name': 'dense', 'units': 3, 'layer': {}}
    """
    if isinstance(config, list | tuple):
        return [options(part) for part in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "__lambda__":
        return "lambda"  # its code holds the number of its line in the user's script
    found = {name: options(part) for name, part in config.items() if name != "seed"}
    if isinstance(found.get("name"), str):
        found["name"] = re.sub(r"_\d+$", "", found["name"])
    return found
