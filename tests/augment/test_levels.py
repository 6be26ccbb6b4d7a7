"""Tables of grey levels against Pillow."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from sklearn.datasets import load_sample_images

from kerascnn.augment._levels import TABLES, map_levels, map_levels_kernel

CASES = [
    ("Identity", 0, lambda photo, value: photo),
    ("Invert", 0, lambda photo, value: ImageOps.invert(photo)),
    *(("Solarize", level, ImageOps.solarize) for level in (0, 100, 256)),
    *(("Posterize", bits, ImageOps.posterize) for bits in (1, 5, 8)),
    *(("Brightness", f, lambda p, f: ImageEnhance.Brightness(p).enhance(f)) for f in (0.1, 1.9)),
    *(("Contrast", f, lambda p, f: ImageEnhance.Contrast(p).enhance(f)) for f in (0.1, 1.9)),
    ("AutoContrast", 0, lambda photo, value: ImageOps.autocontrast(photo)),
    ("Equalize", 0, lambda photo, value: ImageOps.equalize(photo)),
]
ROUNDED = ("Brightness", "Contrast", "AutoContrast")  # Pillow cuts off, or rounds on the way


@pytest.fixture(scope="module")
def images():
    """A photo, a dull part of it, few levels, one level, two pixels of another: uint8 (5, ...)."""
    photo = load_sample_images().images[0][100:164, 200:280]
    one = np.full_like(photo, 77)
    two = one.copy()
    two[0, :2] = 200
    return np.stack([photo, photo // 4 + 90, photo // 64 * 60, one, two])


def of_batch(name, images, value):
    numbers = np.full(len(images), list(TABLES).index(name), "int32")
    values = np.full(len(images), value, "float32")
    return keras.ops.convert_to_numpy(map_levels(images.astype("float32"), numbers, values))


@pytest.mark.parametrize(("name", "value", "pillow"), CASES)
def test_tables_are_pillows(name, value, pillow, images):
    changed = of_batch(name, images, value)
    for image, ours in zip(images, changed, strict=True):
        expected = np.asarray(pillow(Image.fromarray(image), value)).astype("float32")
        np.testing.assert_allclose(ours, expected, atol=1 if name in ROUNDED else 0)
        fast = map_levels_kernel(image, name, value)
        np.testing.assert_allclose(fast, ours, atol=1 if name == "Contrast" else 0)
        assert fast.dtype == np.uint8


@pytest.mark.parametrize("name", TABLES)
def test_one_channel_is_a_grey_photo(name, images):
    grey = np.ascontiguousarray(images[..., 1])
    value = 5 if name == "Posterize" else 1.5
    for image, ours in zip(grey, of_batch(name, grey[..., None], value), strict=True):
        case = next(case for case in CASES if case[0] == name)
        expected = np.asarray(case[2](Image.fromarray(image), value)).astype("float32")
        np.testing.assert_allclose(ours[..., 0], expected, atol=1 if name in ROUNDED else 0)
        fast = map_levels_kernel(image[..., None], name, value).reshape(image.shape)
        np.testing.assert_allclose(fast, ours[..., 0], atol=1 if name == "Contrast" else 0)


def test_each_image_has_its_own_table(images):
    numbers = np.array([list(TABLES).index(n) for n in ("Invert", "Equalize", "Solarize")])
    values = np.array([0, 0, 100], "float32")
    mixed = map_levels(images[:3].astype("float32"), numbers.astype("int32"), values)
    for i, (name, value) in enumerate((("Invert", 0), ("Equalize", 0), ("Solarize", 100))):
        np.testing.assert_array_equal(mixed[i], map_levels_kernel(images[i], name, value))
