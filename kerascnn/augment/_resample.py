"""A part of each image, resized with antialiasing: on every backend and by Pillow."""

import keras
import numpy as np
from keras import ops
from PIL import Image

from kerascnn.augment.image_augmentation import ImageAugmentation


class ResizedCrop(ImageAugmentation):
    """Base of crops that end up in one `size`, (height, width).

    A layer defines `draw`, which gives "box", float32 (N, 4), (top, left, height, width) in pixels,
    and `scale_at_rest`: how much of the image a pixel of the central crop covers without training.
    """

    def scale_at_rest(self, height, width):
        """Pixels of images of this size, float32 tensors, in one of the crop."""
        raise NotImplementedError

    def transform(self, images, box):
        return crop_resize(images, box, self.size)

    def kernel(self, image, box):
        return crop_resize_kernel(image, box, self.size)

    def at_rest(self, images):
        height, width = (ops.convert_to_tensor(s, "float32") for s in ops.shape(images)[1:3])
        tall, broad = (self.scale_at_rest(height, width) * side for side in self.size)
        box = ops.stack([(height - tall) / 2, (width - broad) / 2, tall, broad])
        boxes = box[None] + ops.zeros((ops.shape(images)[0], 1))
        resized = crop_resize(ops.cast(images, "float32"), boxes, self.size)
        dtype = keras.backend.standardize_dtype(images.dtype)
        return ops.cast(resized if "float" in dtype else ops.round(resized), dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-3], *self.size, input_shape[-1])


def crop_resize(images, boxes, size):
    """A rectangle of each image, resized by a triangle filter that grows with the reduction.

    What `PIL.Image.resize(size, BILINEAR, box)` does, without its rounding between the two passes.

    Args:
        images: float32 (N, H, W, C). boxes: float32 (N, 4), (top, left, height, width) in pixels.
        size: (height, width).
    """
    height, width = ops.shape(images)[1:3]
    rows = _weights(boxes[:, 0], boxes[:, 2], height, size[0])
    columns = _weights(boxes[:, 1], boxes[:, 3], width, size[1])
    reduced = ops.einsum("nih,nhwc->niwc", rows, images)
    return ops.einsum("njw,niwc->nijc", columns, reduced)


def crop_resize_kernel(image, box, size):
    """The same for one uint8 image."""
    top, left, height, width = map(float, box)
    corners = left, top, min(left + width, image.shape[1]), min(top + height, image.shape[0])
    planes = image[..., 0] if image.shape[-1] == 1 else image
    resized = Image.fromarray(planes).resize(size[::-1], Image.Resampling.BILINEAR, corners)
    return np.asarray(resized)


def _weights(start, length, before, after):
    """Shares of `before` pixels in `after` ones: float32 (N, after, before), rows sum to 1."""
    scale = ops.reshape(length, (-1, 1, 1)) / after
    centre = ops.reshape(start, (-1, 1, 1))
    centre = centre + (np.arange(after, dtype=np.float32)[None, :, None] + 0.5) * scale
    place = ops.reshape(ops.arange(before, dtype="float32"), (1, 1, -1)) + 0.5
    weights = ops.maximum(1 - ops.abs(place - centre) / ops.maximum(scale, 1.0), 0.0)
    return weights / ops.sum(weights, axis=-1, keepdims=True)
