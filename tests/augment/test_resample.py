"""Crops are resized as Pillow does it."""

import keras
import numpy as np
import pytest
from PIL import Image

from kerascnn.augment._resample import crop_resize, crop_resize_kernel

IMAGE = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype="uint8")
BOXES = [(0, 0, 40, 60), (3.25, 7.5, 30, 20), (0, 0, 5, 6), (10.5, 1, 29.5, 58.75)]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("size", [(16, 24), (7, 60), (80, 90)])
def test_a_part_is_resized_as_by_pillow(box, size):
    top, left, height, width = box
    corners = (left, top, left + width, top + height)
    bands = [
        Image.fromarray(band).resize(size[::-1], Image.Resampling.BILINEAR, corners)
        for band in np.moveaxis(IMAGE, -1, 0).astype("float32")
    ]
    expected = np.stack(bands, -1)
    images = keras.ops.cast(IMAGE[None], "float32")
    ours = crop_resize(images, np.array([box], "float32"), size)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours)[0], expected, atol=0.01)
    assert np.abs(crop_resize_kernel(IMAGE, box, size) - expected).max() <= 1


def test_each_image_has_a_box_of_its_own():
    images = np.stack([IMAGE, IMAGE[::-1]]).astype("float32")
    boxes = np.array([(0, 0, 40, 60), (5, 5, 20, 20)], "float32")
    both = keras.ops.convert_to_numpy(crop_resize(images, boxes, (8, 9)))
    for i in range(2):
        alone = crop_resize(images[i : i + 1], boxes[i : i + 1], (8, 9))
        np.testing.assert_allclose(both[i], keras.ops.convert_to_numpy(alone)[0], atol=1e-3)


def test_a_whole_image_of_its_size_stays():
    image = keras.ops.cast(IMAGE[None], "float32")
    same = crop_resize(image, np.array([(0, 0, 40, 60)], "float32"), (40, 60))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(same)[0], IMAGE, atol=1e-3)
    grey = crop_resize_kernel(IMAGE[..., :1], (0, 0, 40, 60), (40, 60))
    np.testing.assert_array_equal(grey.reshape(40, 60), IMAGE[..., 0])
