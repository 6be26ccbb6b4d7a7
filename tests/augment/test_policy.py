"""Operations of the policies against Pillow, and their ranges against the papers."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_images

from kerascnn.augment import AutoAugment, RandAugment, TrivialAugment, seeds
from kerascnn.augment._policy import (
    FOURTEEN,
    NAMES,
    NUMBERS,
    apply_operation,
    apply_operation_kernel,
    values_of,
)


def affine(*matrix):
    bilinear = Image.Resampling.BILINEAR
    grey = {"fillcolor": (128, 128, 128)}
    return lambda p: p.transform(p.size, Image.Transform.AFFINE, matrix, bilinear, **grey)


def turned(degrees):
    return lambda p: p.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=(128, 128, 128))


CASES = [
    *(("Color", f, lambda p, f=f: ImageEnhance.Color(p).enhance(f)) for f in (0.1, 1.9)),
    *(("Sharpness", f, lambda p, f=f: ImageEnhance.Sharpness(p).enhance(f)) for f in (0.1, 1.9)),
    *(("ShearX", v, affine(1, v, 0, 0, 1, 0)) for v in (0.3, -0.99)),
    *(("ShearY", v, affine(1, 0, 0, v, 1, 0)) for v in (0.3, -0.99)),
    *(("TranslateX", v, affine(1, 0, v, 0, 1, 0)) for v in (17, -20.5)),
    *(("TranslateY", v, affine(1, 0, 0, 0, 1, v)) for v in (17, -20.5)),
    *(("Rotate", v, turned(v)) for v in (30, -135)),
]


@pytest.mark.parametrize("policy", [RandAugment(), TrivialAugment(), AutoAugment()])
def test_what_is_beyond_black_and_white_is_cut_off(policy):
    """A cubic resize leaves such values; they are no places in tables of 256."""
    images = np.full((8, 4, 4, 3), 100, "float32")
    images[:, 0, 0], images[:, -1, -1] = -6, 262
    keys = seeds(0, 0, range(8))
    inside = policy.augment(images.clip(0, 255), keys)
    np.testing.assert_array_equal(policy.augment(images, keys), inside)


@pytest.fixture(scope="module")
def photo():
    return np.ascontiguousarray(load_sample_images().images[0][100:196, 200:328])


def of_batch(images, names, values):
    numbers = np.array([NUMBERS[name] for name in names], "int32")
    images = np.asarray(images, "float32")
    return keras.ops.convert_to_numpy(apply_operation(images, numbers, np.float32(values)))


@pytest.mark.parametrize(("name", "value", "pillow"), CASES)
def test_operations_are_pillows(name, value, pillow, photo):
    expected = np.asarray(pillow(Image.fromarray(photo))).astype("float32")
    fast = apply_operation_kernel(photo, name, float(value))
    assert fast.dtype == np.uint8
    for ours in (of_batch([photo], [name], [value])[0], fast):
        far = np.abs(ours - expected).max(axis=-1) > 1
        # Where the photo ends Pillow repeats its last half pixel, and we blend it with the grey.
        assert far.mean() < (0.025 if name in NAMES[NUMBERS["ShearX"] :] else 1e-9)


def test_a_batch_of_all_is_each_one_alone(photo):
    values = [v for _, v, _ in CASES] + [4, 100]
    names = [name for name, _, _ in CASES] + ["Posterize", "Solarize"]
    together = of_batch([photo] * len(names), names, values)
    for name, value, ours in zip(names, values, together, strict=True):
        fast = apply_operation_kernel(photo, name, float(value))
        assert (np.abs(ours - fast) > 1).mean() < 1e-3, name


def test_there_are_the_fourteen_of_the_paper():
    assert len(FOURTEEN) == 14
    assert {NAMES[i] for i in FOURTEEN} == set(NAMES) - {"Invert"}


@pytest.mark.parametrize(
    ("name", "narrow", "wide"),  # at the strongest, of images 331 pixels wide and 662 high
    [
        ("ShearX", 0.3, 0.99),
        ("TranslateX", 150, 32),
        ("TranslateY", 300, 32),
        ("Rotate", 30, 135),
        ("Posterize", 4, 2),
        ("Solarize", 0, 0),
        ("Color", 1.9, 1.99),
        ("Sharpness", 1.9, 1.99),
    ],
)
def test_the_strongest_values_are_the_papers(name, narrow, wide):
    number, positive = np.array([[NUMBERS[name]]], "int32"), np.array([[True]])
    for expected, is_wide in ((narrow, False), (wide, True)):
        one = np.float32(1)
        value = values_of(number, one, positive, (331.0, 662.0), np, wide=is_wide)
        assert value.item() == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_at_magnitude_zero_nothing_happens(name, photo):
    if name in ("Invert", "AutoContrast", "Equalize"):
        return
    number = np.array([[NUMBERS[name]]], "int32")
    for positive in (True, False):
        value = values_of(number, np.float32(0), np.array([[positive]]), (128.0, 96.0), np)
        fast = apply_operation_kernel(photo, name, value.item())
        np.testing.assert_allclose(fast, photo, atol=1)


def test_signs_go_both_ways():
    number = np.array([[NUMBERS["Rotate"], NUMBERS["Color"], NUMBERS["Posterize"]]], "int32")
    value = values_of(number, np.float32(0.5), np.zeros((1, 3), bool), (9.0, 9.0), np)
    np.testing.assert_allclose(value, [[-15, 0.55, 6]], rtol=1e-6)
