"""What all augmentation layers share: seeds for each image, dtypes, value ranges, two engines."""

import numbers

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError
from kerascnn._random import child_seeds
from kerascnn.augment._draws import Draws

__all__ = ["ImageAugmentation"]


class ImageAugmentation(keras.layers.Layer):
    """Base of the layers that change each image at random, in training only.

    Each image has its own draw, which is a pure function of the image's seed. `call` takes seeds
    from a generator with a state, as Keras's layers do; `augment` is told them, so that a pipeline
    can make any image of any epoch in any thread: see `kerascnn.augment.seeds`.

    There are two engines. `augment` is written in `keras.ops`: it runs on every backend, in graphs
    and under XLA, and is the reference. `augment_numpy`, which `Split.augment` uses, calls
    `kernel` on one uint8 image after the other (NumPy and OpenCV), many times faster on a CPU. The
    same seeds give the same draws in both; equal pixels are promised within one engine, and a
    difference of at most two grey levels on 99 % of the pixels between them.

    A layer of your own defines `draw` and `transform`, and `kernel` if it should be fast:

    >>> class Darken(ImageAugmentation):
    ...     def draw(self, draws, height, width):
    ...         return {"factor": draws.uniform(0.5, 1)}
    ...
    ...     def transform(self, images, factor):
    ...         return images * factor[:, None, None, None]
    >>> images = np.full((2, 4, 4, 3), 200, "uint8")
    >>> darker = Darken(seed=1)(images, training=True)
    >>> darker.shape == (2, 4, 4, 3), darker.dtype == "uint8"
    (True, True)

    Args:
        value_range: (low, high), the values of black and white.
        seed: int or None. Decides what `call` draws; equal ints repeat a run.

    Call arguments:
        images: tensor or array (N, H, W, C), or one image (H, W, C).
        training: bool. Without training images are returned as they are (crops: the central one).

    Input shape:
        uint8 or float, with values in `value_range`; C is 1 or 3 unless a layer says otherwise.
        Height and width may be unknown while a graph is traced, except for noise, blocks, clouds,
        fog, snow, superpixels and `CutMoveBlend`.

    Output shape:
        The same shape (unless a layer crops), dtype and range. Integers are rounded.

    Raises:
        InputError: `value_range` is not two rising numbers, images have another rank, or a size
            that must be known is not.
    """

    def __init__(self, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        low, high = value_range
        if not low < high:
            raise InputError(
                f"value_range must be (low, high) with low < high. Received: {value_range}."
            )
        self.value_range = tuple(value_range)
        # Keras refuses NumPy's ints.
        self.seed = int(seed) if isinstance(seed, numbers.Integral) else seed
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    # --- what a layer defines -----------------------------------------------------------------

    def draw(self, draws, height, width):
        """What is drawn for images of this size: {name: array (N, ...)}, made by `draws`."""
        raise NotImplementedError

    def transform(self, images, **drawn):
        """float32 (N, H, W, C), 0-255 -> the same; what is outside 0-255 is cut off later."""
        raise NotImplementedError

    needs_size = False  # whether `transform` must know height and width when it is traced
    kernel = None  # (uint8 (H, W, C), **drawn of one image) -> uint8

    def at_rest(self, images):
        """What becomes of images (N, H, W, C) without training."""
        return images

    # --- what a user calls --------------------------------------------------------------------

    def call(self, images, training=True):
        if not training:
            return _batched(self.at_rest, images)
        return _batched(lambda x: self.augment(x, self._next_seeds(ops.shape(x)[0])), images)

    def augment(self, images, seeds):
        """The images as their seeds say: a pure function, on every backend.

        Args:
            images: uint8 or float tensor or array (N, H, W, C), or one image (H, W, C).
            seeds: uint32 (N, 2), or (2,) for one image: see `kerascnn.augment.seeds`.

        Returns:
            Tensor (N, H, W, C), or (H, W, C), of the same dtype and range.
        """
        images, seeds = ops.convert_to_tensor(images), ops.convert_to_tensor(seeds)
        self._check_size(images)
        if len(images.shape) == 3:
            return self.augment(images[None], seeds[None])[0]
        _check_rank(images)
        return self._augment(images, seeds)

    def augment_numpy(self, images, seeds):
        """The same in NumPy, on uint8 images with values 0-255.

        Args:
            images: uint8 array (N, H, W, C).
            seeds: uint32 array (N, 2).

        Returns:
            uint8 array (N, H, W, C).
        """
        _check_rank(images)
        if images.dtype != np.uint8 or self.value_range != (0, 255):
            raise InputError(
                f"augment_numpy takes uint8 images with values 0-255. Received: {images.dtype}, "
                f"value_range={self.value_range}. Use augment."
            )
        return self._augment_numpy(images, seeds)

    # --- how it is done -----------------------------------------------------------------------

    def _check_size(self, images):
        if self.needs_size and None in images.shape[-3:]:
            raise InputError(
                f"{type(self).__name__} takes images of a known size, such as (N, 224, 224, 3): "
                f"resize or crop them before. Received: {tuple(images.shape)}."
            )

    def _next_seeds(self, count):
        return _seeds_of_call(self.seed_generator.next(), count)

    def _augment(self, images, seeds):
        height, width = (_float(side) for side in ops.shape(images)[1:3])
        drawn = self.draw(Draws(seeds, ops), height, width)
        return self._in_levels(images, lambda x: self.transform(x, **drawn))

    def _in_levels(self, images, change):
        """`change` of float32 images 0-255, in the dtype and range of `images`."""
        low, high = self.value_range
        scale = 255 / (high - low)
        x = ops.cast(images, "float32")
        x = x if self.value_range == (0, 255) else (x - low) * scale
        x = ops.clip(change(x), 0, 255)
        x = x if self.value_range == (0, 255) else x / scale + low
        dtype = keras.backend.standardize_dtype(images.dtype)
        return ops.cast(x if "float" in dtype else ops.round(x), dtype)

    def _augment_numpy(self, images, seeds):
        if self.kernel is None:
            return ops.convert_to_numpy(self.augment(images, seeds))
        drawn = self.draw(Draws(seeds, np), *map(float, images.shape[1:3]))
        changed = np.empty(self.compute_output_shape(images.shape), np.uint8)
        for i, image in enumerate(images):
            own = {name: values[i] for name, values in drawn.items()}
            changed[i] = self.kernel(image, **own).reshape(changed.shape[1:])
        return changed

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, images, training=True):
        shape = tuple(images.shape)
        whole = shape if len(shape) == 4 else (None, *shape)
        whole = self.compute_output_shape(whole)
        return keras.KerasTensor(whole if len(shape) == 4 else whole[1:], images.dtype)

    def get_config(self):
        return {**super().get_config(), "value_range": self.value_range, "seed": self.seed}


def _batched(function, images):
    return function(images[None])[0] if len(images.shape) == 3 else function(images)


def _seeds_of_call(generator, count):
    """uint32 (N, 2) of the two numbers of a seed generator."""
    numbers = ops.cast(ops.arange(count), "uint32")
    pair = ops.cast(generator, "uint32")
    start = ops.stack([pair[0] + 0 * numbers, pair[1] + 0 * numbers], axis=-1)
    return ops.stack([start[:, 0], child_seeds(start, 0, ops)[:, 0] + numbers], axis=-1)


def _check_rank(images):
    if len(images.shape) != 4:
        raise InputError(
            "images must have the shape (N, H, W, C), or (H, W, C) for one. "
            f"Received: {tuple(images.shape)}."
        )


def _float(side):
    return float(side) if isinstance(side, int) else ops.cast(side, "float32")
