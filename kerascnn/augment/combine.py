"""Layers of layers: one after the other, now and then, one of several."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError
from kerascnn._random import child_seeds
from kerascnn.augment._checks import bounded
from kerascnn.augment._draws import Draws
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["OneOf", "RandomApply", "Sequence"]


@keras.saving.register_keras_serializable(package="kerascnn")
class Sequence(ImageAugmentation):
    """Layers one after the other, each with draws of its own.

    uint8 images are rounded after each layer, in both engines. Crops may be among the layers.

    Args:
        layers: list of layers of `kerascnn.augment`. Their own seeds have no effect. A layer of
            Keras draws for a whole batch: put it beside, `split.augment(ours, keras_layer)`.
        value_range: (low, high) of the images. The layers keep (0, 255): they see such values.
        seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: `layers` holds something else, or a layer with a `value_range` of its own.

    >>> from kerascnn.augment import AdditiveNoise, ColorJitter
    >>> both = Sequence([ColorJitter(), AdditiveNoise()], seed=0)
    >>> both(np.zeros((2, 8, 8, 3), "uint8")).shape == (2, 8, 8, 3)
    True
    """

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        self.layers = [_checked(layer) for layer in layers]

    def build(self, input_shape):
        for layer in self.layers:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def _augment(self, images, seeds):
        if self.value_range == (0, 255):
            return self._combined(images, seeds)
        return self._in_levels(images, lambda x: self._combined(x, seeds))

    def _combined(self, images, seeds):
        for number, layer in enumerate(self.layers):
            images = layer.augment(images, child_seeds(seeds, number, ops))
        return images

    def _augment_numpy(self, images, seeds):
        for number, layer in enumerate(self.layers):
            images = layer.augment_numpy(images, child_seeds(seeds, number, np))
        return images

    def at_rest(self, images):
        if self.value_range == (0, 255):
            return self._combined_at_rest(images)
        return self._in_levels(images, self._combined_at_rest)

    def _combined_at_rest(self, images):
        for layer in self.layers:
            images = layer.at_rest(images)
        return images

    def compute_output_shape(self, input_shape):
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**super().get_config(), "layers": layers}

    @classmethod
    def from_config(cls, config):
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        return cls(**{**config, "layers": layers})


@keras.saving.register_keras_serializable(package="kerascnn")
class RandomApply(Sequence):
    """Layers one after the other for some of the images, drawn one by one; the others stay.

    `augment_numpy` runs them on the chosen images alone. `augment` evaluates them on the whole
    batch and selects, as graphs want it: no faster at a low rate.

    Args:
        layers: a layer of `kerascnn.augment` or a list of them, none of which changes the size.
        rate: float from 0 to 1, the probability of each image.
        value_range, seed, call arguments, shapes: see `Sequence`.

    Raises:
        InputError: as for `Sequence`; or a layer changes the size.

    >>> from kerascnn.augment import ColorJitter
    >>> seldom = RandomApply(ColorJitter(0.5), rate=0.1, seed=0)
    >>> images = np.full((100, 2, 2, 3), 100, "uint8")
    >>> changed = keras.ops.convert_to_numpy(seldom(images, training=True))
    >>> 0 < (changed != images).any(axis=(1, 2, 3)).sum() < 25
    np.True_
    """

    def __init__(self, layers, rate=0.5, **kwargs):
        super().__init__([layers] if isinstance(layers, keras.layers.Layer) else layers, **kwargs)
        self.rate = bounded("rate", rate, 0, 1)
        _check_sizes_stay(self)

    def _combined(self, images, seeds):
        chosen = Draws(seeds, ops).chance(self.rate)[:, None, None, None]
        return ops.where(chosen, super()._combined(images, seeds), images)

    def _augment_numpy(self, images, seeds):
        chosen = Draws(seeds, np).chance(self.rate)
        changed = images.copy()
        if chosen.any():
            changed[chosen] = super()._augment_numpy(images[chosen], seeds[chosen])
        return changed

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(package="kerascnn")
class OneOf(Sequence):
    """One of several layers for each image.

    `augment_numpy` runs a layer on the images that drew it. `augment` evaluates every layer on the
    whole batch and selects, as graphs want it: it costs as much as a `Sequence` of all.

    Args:
        layers: list of layers of `kerascnn.augment`, none of which changes the size. For images
            that stay, add `Sequence([])`.
        weights: list of floats >= 0, how often each is chosen relative to the others. None: all
            alike.
        value_range, seed, call arguments, shapes: see `Sequence`.

    Raises:
        InputError: as for `Sequence`; a layer changes the size; `weights` are not one number for
            each layer, or all 0.

    >>> from kerascnn.augment import AdditiveNoise, ColorJitter
    >>> either = OneOf([ColorJitter(), AdditiveNoise()], weights=[3, 1], seed=0)
    >>> either(np.zeros((2, 8, 8, 3), "uint8")).shape == (2, 8, 8, 3)
    True
    """

    def __init__(self, layers, weights=None, **kwargs):
        super().__init__(layers, **kwargs)
        self.weights_of_layers = _checked_weights(weights, len(self.layers))
        _check_sizes_stay(self)

    def _combined(self, images, seeds):
        chosen = self._choices(seeds, ops)[:, None, None, None]
        result = images
        for number, layer in enumerate(self.layers):
            changed = layer.augment(images, child_seeds(seeds, number, ops))
            result = ops.where(chosen == number, changed, result)
        return result

    def _augment_numpy(self, images, seeds):
        chosen = self._choices(seeds, np)
        changed = images.copy()
        for number in np.unique(chosen):
            own = chosen == number
            own_seeds = child_seeds(seeds[own], number, np)
            changed[own] = self.layers[number].augment_numpy(images[own], own_seeds)
        return changed

    def _choices(self, seeds, xp):
        """int (N,), the number of each image's layer."""
        shares = np.array(self.weights_of_layers or [1] * len(self.layers), np.float32)
        ends = np.cumsum(shares / shares.sum())[:-1]
        return xp.sum(Draws(seeds, xp).uniform()[:, None] >= ends[None], axis=1)

    def get_config(self):
        return {**super().get_config(), "weights": self.weights_of_layers}


def _checked(layer):
    if not isinstance(layer, ImageAugmentation):
        raise InputError(
            "layers must be layers of kerascnn.augment, which draw for each image. Received: "
            f"{layer!r}. Put a layer of Keras beside them: split.augment(ours, keras_layer)."
        )
    if layer.value_range != (0, 255):
        raise InputError(
            f"The layers within must keep value_range=(0, 255); {layer.name} has "
            f"{layer.value_range}. Give the range to the outermost layer alone."
        )
    return layer


def _checked_weights(weights, count):
    if weights is None and count:
        return None
    weights = [float(bounded("weights", weight)) for weight in weights or ()]
    if len(weights) != count or not sum(weights):
        raise InputError(
            f"weights must be one number >= 0 for each of the {count} layers, not all 0. "
            f"Received: {weights}."
        )
    return weights


def _check_sizes_stay(combined):
    shape = (None, 997, 1009, 3)  # large and unequal: no crop leaves it
    for layer in combined.layers:
        if tuple(layer.compute_output_shape(shape)) != shape:
            raise InputError(
                f"{type(combined).__name__} would leave images of different sizes: {layer.name} "
                "changes the size. Put it into a Sequence, before or after."
            )
