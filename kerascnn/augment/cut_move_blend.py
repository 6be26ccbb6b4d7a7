"""An object elsewhere in its image: cut out, moved, the hole closed, the edges blended."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError, whole
from kerascnn.augment._draws import Draws
from kerascnn.augment._warp import shift_matrices, warp
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["CutMoveBlend"]

# Widths in pixels of the Gaussians that close the hole, and their weights: so steep that a wider
# one counts only where the narrower ones see no background.
_WIDTHS = ((3, 1.0), (10, 1e-3), (40, 1e-6), (160, 1e-9))
_NONE = 1e-30  # less background than this is none


@keras.saving.register_keras_serializable(package="kerascnn")
class CutMoveBlend(ImageAugmentation):
    """Move the object that a mask marks to a random place of its image.

    For images in which the place of a thing says nothing about it, as of a tumour within tissue:
    segment, move, resample the background, blend. The object is cut out together with a rim of
    `feather` pixels. The hole is filled with the colours around it (a normalised convolution of the
    background) and with the texture of the place the object moves to. There it is laid on, all of
    it within the image, with a rim that fades.

    Images without a marked pixel, or without background, stay as they are. All that is marked in
    an image moves together.

    Source: the notes' example of an augmentation made for one domain (medical images), which gives
    the four steps and no formula. The hole's colours: Knutsson and Westin 1993, "Normalized and
    Differential Convolution", CVPR, with a sum of Gaussians as applicability.

    Differs from the other augmentations: inputs and outputs are dicts, `augment` takes masks, and
    there is no fast engine: `augment_numpy` calls `augment`.

    Args:
        feather: int >= 1, in pixels. The width of the rim that fades.
        value_range, seed: see `ImageAugmentation`.

    Call arguments:
        inputs: {"images": (N, H, W, C), "masks": (N, H, W, 1)}, or one image (H, W, C) and its mask
            (H, W, 1). Mask pixels above 0 are the object; any dtype.
        training: bool. Without training inputs are returned as they are.

    Output shape:
        A dict of the same shapes and dtypes; the masks have moved with the objects.

    Raises:
        InputError: `feather` is not an int >= 1, or masks do not fit the images.

    >>> image, mask = np.full((1, 16, 16, 1), 50.0), np.zeros((1, 16, 16, 1))
    >>> image[:, 2:5, 3:6] = mask[:, 2:5, 3:6] = 200
    >>> moved = CutMoveBlend(feather=1, seed=0)({"images": image, "masks": mask})
    >>> float(keras.ops.sum(moved["masks"])) == 9 * 200
    True
    """

    needs_size = True

    def __init__(self, feather=3, **kwargs):
        super().__init__(**kwargs)
        self.feather = whole(feather, "feather", 1)

    def draw(self, draws, height, width):
        return {"place": draws.uniform(count=2)}  # among those where it fits: top, left

    def call(self, inputs, training=True):
        if not training:
            return inputs
        single = len(inputs["images"].shape) == 3
        seeds = self._next_seeds(1 if single else ops.shape(inputs["images"])[0])
        return self.augment(inputs["images"], seeds[0] if single else seeds, inputs["masks"])

    def augment(self, images, seeds, masks):
        """The images and masks as their seeds say: a pure function, on every backend.

        Args:
            images: (N, H, W, C), or one image (H, W, C).
            seeds: uint32 (N, 2), or (2,) for one image: see `kerascnn.augment.seeds`.
            masks: (N, H, W, 1), or (H, W, 1).

        Returns:
            {"images": ..., "masks": ...}, of the same shapes and dtypes.
        """
        images, seeds, masks = map(ops.convert_to_tensor, (images, seeds, masks))
        self._check_size(images)
        _check_masks(images, masks)
        if len(images.shape) == 3:
            moved = self.augment(images[None], seeds[None], masks[None])
            return {name: values[0] for name, values in moved.items()}
        place = self.draw(Draws(seeds, ops), *map(float, images.shape[1:3]))["place"]
        marks = ops.cast(masks, "float32")
        rim = _spread(ops.cast(marks > 0, "float32"), self.feather)
        shift, movable = _shift(marks, rim, place)
        return {
            "images": self._in_levels(
                images, lambda x: ops.where(movable, self.transform(x, rim, shift), x)
            ),
            "masks": ops.cast(_moved(marks, shift, "constant"), masks.dtype),
        }

    def augment_numpy(self, images, seeds, masks):
        """`augment`, with arrays for tensors."""
        moved = self.augment(images, seeds, masks)
        return {name: ops.convert_to_numpy(values) for name, values in moved.items()}

    def transform(self, images, rim, shift):
        """float32 images (N, H, W, C); `rim` (N, H, W, 1) is above 0 up to `feather` pixels around
        the object; (x, y) to move by, (N, 2).
        """
        near = ops.cast(rim > 0, "float32")
        colors, texture = _resampled(images, 1 - near, shift)
        hole = ops.clip(_spread(near, self.feather), 0, 1)
        ground = images + hole * (colors + texture - images)
        visible = _moved(ops.minimum(2 * rim, 1.0), shift, "constant")
        return ground + visible * (_moved(images, shift, "nearest") - ground)

    def compute_output_spec(self, inputs, training=True):
        return {name: keras.KerasTensor(x.shape, x.dtype) for name, x in inputs.items()}

    def get_config(self):
        return {**super().get_config(), "feather": self.feather}


def _shift(marks, rim, place):
    """How far each object moves, (x, y) float32 (N, 2), and bool (N, 1, 1, 1): whether it can."""
    marked = marks[..., 0] > 0
    ways = []
    for axis, share in ((1, place[:, 1]), (2, place[:, 0])):  # columns, rows
        line = ops.cast(ops.any(marked, axis=axis), "int32")
        first, after = ops.argmax(line, axis=1), ops.argmax(ops.flip(line, axis=1), axis=1)
        free = ops.cast(first + after, "float32")  # pixels before and behind the object
        target = ops.minimum(ops.floor(share * (free + 1)), free)
        ways.append(target - ops.cast(first, "float32"))
    movable = ops.any(marked, axis=(1, 2)) & ops.any(rim == 0, axis=(1, 2, 3))
    shift = ops.where(movable[:, None], ops.stack(ways, axis=-1), 0.0)
    return shift, movable[:, None, None, None]


def _resampled(images, background, shift):
    """What may have been behind the objects: colours (N, H, W, C), and texture around 0."""
    seen = ops.concatenate([images * background, background], axis=-1)
    total = 0.0
    for width, weight in _WIDTHS:
        total = total + weight * _filtered(seen, _gaussian, width)
    colors = total[..., :-1] / ops.maximum(total[..., -1:], _NONE)
    texture = ops.concatenate([background * (images - colors), background], axis=-1)
    ahead, behind = _moved(texture, -shift, "constant"), _moved(texture, shift, "constant")
    return colors, ahead[..., :-1] + (1 - ahead[..., -1:]) * behind[..., :-1]


def _spread(images, radius):
    """Blurred by a triangle that reaches `radius` pixels; 0 outside the image."""
    return _filtered(images, _triangle, radius + 1)


def _filtered(images, matrix_of, width):
    """Rows and columns times matrices (size, size)."""
    rows, columns = (matrix_of(size, width).astype(np.float32) for size in images.shape[1:3])
    return ops.einsum("jw,niwc->nijc", columns, ops.einsum("ih,nhwc->niwc", rows, images))


def _triangle(size, width):
    return np.maximum(1 - _away(size) / width, 0) / width


def _gaussian(size, width):
    weights = np.exp(-0.5 * (_away(size) / width) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _away(size):
    return np.abs(np.arange(size)[:, None] - np.arange(size))


def _moved(images, shift, fill_mode):
    """Images whose content has moved by whole pixels (x, y), float32 (N, 2)."""
    return warp(images, shift_matrices(shift, ops), fill_mode, 0.0)


def _check_masks(images, masks):
    if len(images.shape) not in (3, 4) or tuple(masks.shape) != (*images.shape[:-1], 1):
        raise InputError(
            "CutMoveBlend takes images (N, H, W, C) and masks (N, H, W, 1), or one of each. "
            f"Received: images {tuple(images.shape)}, masks {tuple(masks.shape)}."
        )
