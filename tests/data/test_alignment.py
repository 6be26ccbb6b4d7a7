"""Thumbnails are laid over each other: what is known to have been done to them is found again."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from kerascnn.data.alignment import halved, inner_part, likeness, signatures


def picture(seed, side=320):
    """A smooth random picture with structure of all sizes, as a Pillow image."""
    draw = np.random.default_rng(seed)
    noise = [gaussian_filter(draw.normal(size=(side, side)), s * side) for s in (0.01, 0.03, 0.08)]
    field = sum(part / part.std() for part in noise)
    return Image.fromarray(np.clip(128 + 28 * field, 0, 255).astype("uint8"))


def small(*pictures):
    return np.stack([np.asarray(p.resize((64, 64), Image.Resampling.BILINEAR)) for p in pictures])


def cropped(image, left, top, right, bottom):
    return image.crop((left, top, image.width - right, image.height - bottom))


@pytest.mark.parametrize("crop", [(0, 0, 0, 0), (8, 8, 8, 8), (0, 4, 12, 6), (16, 16, 16, 16)])
def test_a_crop_is_laid_over_its_original_and_the_reverse(crop):
    originals = [picture(seed) for seed in range(8)]
    whole, part = small(*originals), small(*(cropped(image, *crop) for image in originals))
    unaligned = np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(whole, part)])
    start = int(sum(crop) > 40)
    assert likeness(whole, part, np.full(8, start)).min() > 0.93
    assert likeness(part, whole, np.full(8, start and 2)).min() > 0.93
    assert not sum(crop) or unaligned.max() < 0.93


def test_brightness_and_contrast_do_not_count_and_other_pictures_are_unlike():
    images = small(*(picture(seed) for seed in range(9)))
    darker = (images * 0.5 + 20).astype("uint8")
    assert likeness(images, darker, np.zeros(9, int)).min() > 0.97
    others = np.roll(images, 1, axis=0)
    assert np.abs(likeness(images, others, np.zeros(9, int))).max() < 0.5


def test_a_flat_picture_is_like_nothing():
    flat = np.full((1, 64, 64), 7, "uint8")
    assert likeness(flat, flat, np.zeros(1, int)).tolist() == [0.0]
    assert likeness(flat, small(picture(0)), np.zeros(1, int)).tolist() == [0.0]


def test_pairs_do_not_depend_on_their_neighbours():
    first, second = (small(*(picture(seed + s, 80) for seed in range(70))) for s in (0, 1))
    second[::2] = first[::2]
    together = likeness(first, second, np.zeros(70, int))
    alone = [likeness(first[i : i + 1], second[i : i + 1], np.zeros(1, int))[0] for i in range(70)]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_signatures_are_unit_vectors_that_know_copies():
    originals = [picture(seed) for seed in range(6)]
    marks = signatures(small(*originals)).astype(float)
    np.testing.assert_allclose((marks**2).sum(axis=(2, 3)), 1, atol=2e-3)
    inner = signatures(small(*(cropped(image, 16, 16, 16, 16) for image in originals)))
    product = np.einsum("ayx,byx->ab", marks[:, 1], inner[:, 0].astype(float))
    assert np.diag(product).min() > 0.9 and (product - np.diag(np.diag(product))).max() < 0.6


def test_halves_and_inner_parts():
    ramp = np.tile(np.arange(8, dtype=np.float32), (1, 8, 1))
    np.testing.assert_array_equal(halved(ramp)[0, 0], [0.5, 2.5, 4.5, 6.5])
    inner = inner_part(ramp)[0, 3]
    np.testing.assert_allclose(inner, np.linspace(0.35, 6.65, 8), atol=1e-5)
