"""The four steps, and the contract of `tests/contracts/test_augmentations.py` with masks."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import ndimage

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment import CutMoveBlend

ROOT = Path(__file__).parents[2]
NUMBER, HEIGHT, WIDTH = 24, 60, 80
SEEDS = augment.seeds(2, epoch=1, indices=range(NUMBER))


def tissue():
    """Grey background with texture, a brighter object; uint8 (N, H, W, 3) and (N, H, W, 1)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = ((y - 25) / 8) ** 2 + ((x - 30) / 10) ** 2 < 1
    noise = ndimage.gaussian_filter(rng.normal(0, 40, (NUMBER, HEIGHT, WIDTH, 3)), (0, 1, 1, 0))
    images = 100 + noise + 100 * mask[..., None]
    masks = np.broadcast_to(mask[None, ..., None], (NUMBER, HEIGHT, WIDTH, 1))
    return np.rint(images).clip(0, 255).astype("uint8"), masks.astype("uint8")


IMAGES, MASKS = tissue()


def moved_by(masks):
    """(rows, columns) of each mask's first corner, from the original's."""
    corner = np.array([[v.min() for v in np.nonzero(mask[..., 0])] for mask in masks])
    return corner - [v.min() for v in np.nonzero(MASKS[0, ..., 0])]


@pytest.fixture(scope="module")
def result():
    return CutMoveBlend(feather=2).augment_numpy(IMAGES, SEEDS, MASKS)


def test_masks_move_whole_and_everywhere(result):
    assert result["masks"].dtype == np.uint8
    ways = moved_by(result["masks"])
    for mask, way in zip(result["masks"], ways):
        np.testing.assert_array_equal(np.roll(MASKS[0], way, (0, 1)), mask)
    tiny = np.zeros((2000, 5, 4, 1))
    tiny[:, 1:3, 2] = 1
    seeds = augment.seeds(0, epoch=0, indices=range(2000))
    corners = CutMoveBlend(feather=1).augment_numpy(tiny, seeds, tiny)["masks"][..., 0]
    places = np.array([[v.min() for v in np.nonzero(mask)] for mask in corners])
    counts = np.histogram2d(*places.T, bins=(4, 4), range=((0, 4), (0, 4)))[0]
    assert np.abs(counts / 2000 - 1 / 16).max() < 0.02  # 4 rows and 4 columns where it fits


def test_the_object_is_the_same_and_what_is_far_stays(result):
    core = ndimage.binary_erosion(MASKS[0, ..., 0], iterations=2)
    for before, after, way in zip(IMAGES, result["images"], moved_by(result["masks"])):
        np.testing.assert_array_equal(after[np.roll(core, way, (0, 1))], before[core])
        both = MASKS[0, ..., 0] | np.roll(MASKS[0, ..., 0], way, (0, 1))
        far = ~ndimage.binary_dilation(both, np.ones((9, 9)))  # four pixels, twice the feather
        assert far.mean() > 0.4
        np.testing.assert_array_equal(after[far], before[far])


def test_the_hole_looks_like_the_background(result):
    """Its mean, and how much it varies from pixel to pixel, are those of the tissue around."""
    held = 0
    for after, mask in zip(result["images"], result["masks"]):
        near = ndimage.binary_dilation(mask[..., 0], np.ones((7, 7)))
        hole = MASKS[0, ..., 0].astype(bool) & ~near
        if np.abs(moved_by(mask[None])[0]).max() > 22:
            held += 1
            values = after[hole].astype(float)
            assert abs(values.mean() - 100) < 5
            assert 0.7 < values.std() / IMAGES[0, :, 45:].std() < 1.4
    assert held >= 5


def test_a_plain_background_is_restored_exactly():
    plain = np.full_like(IMAGES, 90)
    plain[MASKS[..., 0] > 0] = (200, 30, 5)
    moved = CutMoveBlend(feather=2).augment_numpy(plain, SEEDS, MASKS)
    for image, mask in zip(moved["images"], moved["masks"]):
        expected = np.where(mask > 0, np.array([200, 30, 5], "uint8"), np.uint8(90))
        outside = ~ndimage.binary_dilation(mask[..., 0], np.ones((5, 5)))
        inside = ndimage.binary_erosion(mask[..., 0], np.ones((5, 5)))
        np.testing.assert_array_equal(image[outside | inside], expected[outside | inside])


def test_edges_are_blended():
    plain = np.full_like(IMAGES, 90)
    plain[MASKS[..., 0] > 0] = 200
    surround = np.where(ndimage.binary_dilation(MASKS[0], np.ones((9, 9, 1))), plain, 150)
    moved = CutMoveBlend(feather=3).augment_numpy(surround, SEEDS, MASKS)
    old = ndimage.binary_dilation(MASKS[0], np.ones((17, 17, 1)))
    held = 0
    for image, mask in zip(moved["images"], moved["masks"]):
        rim = ndimage.binary_dilation(mask, np.ones((7, 7, 1))) & (mask == 0) & ~old
        if rim.sum() > 30:
            held += 1
            values = image[..., :1][rim]
            assert values.min() >= 90 and values.max() <= 150  # of its own surroundings to the new
            assert len(np.unique(values)) > 5
    assert held > 10


def test_empty_and_full_masks_leave_the_image():
    masks = MASKS.copy()
    masks[0], masks[1] = 0, 1
    moved = CutMoveBlend().augment_numpy(IMAGES, SEEDS, masks)
    np.testing.assert_array_equal(moved["images"][:2], IMAGES[:2])
    np.testing.assert_array_equal(moved["masks"][:2], masks[:2])
    assert (moved["images"][2:] != IMAGES[2:]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
@pytest.mark.parametrize("mask_dtype", ["bool", "int32", "float32"])
def test_dtypes_and_ranges_are_kept(dtype, mask_dtype):
    inputs = {"images": IMAGES.astype(dtype), "masks": MASKS.astype(mask_dtype)}
    moved = CutMoveBlend(seed=0)(inputs, training=True)
    assert keras.backend.standardize_dtype(moved["images"].dtype) == dtype
    assert keras.backend.standardize_dtype(moved["masks"].dtype) == mask_dtype
    values = np.asarray(moved["images"]).astype(float)
    assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 255


def test_values_from_zero_to_one(result):
    moved = CutMoveBlend(feather=2, value_range=(0, 1)).augment(IMAGES / 255.0, SEEDS, MASKS)
    difference = np.abs(255 * np.asarray(moved["images"]) - result["images"])
    assert difference.max() < 0.51


def test_without_training_nothing_moves():
    kept = CutMoveBlend()({"images": IMAGES, "masks": MASKS}, training=False)
    np.testing.assert_array_equal(kept["images"], IMAGES)
    np.testing.assert_array_equal(kept["masks"], MASKS)


def test_an_image_depends_on_its_own_seed_alone(result):
    layer = CutMoveBlend(feather=2)
    alone = layer.augment(IMAGES[5], SEEDS[5], MASKS[5])
    assert np.abs(np.asarray(alone["images"]).astype(int) - result["images"][5]).max() <= 1
    np.testing.assert_array_equal(alone["masks"], result["masks"][5])
    again = CutMoveBlend(seed=4), CutMoveBlend(seed=4), CutMoveBlend(seed=5)
    first, second, other = (layer({"images": IMAGES, "masks": MASKS}) for layer in again)
    np.testing.assert_array_equal(first["images"], second["images"])
    assert (np.asarray(first["masks"]) != np.asarray(other["masks"])).any()
    single = CutMoveBlend(seed=4)({"images": IMAGES[0], "masks": MASKS[0]})
    assert single["images"].shape == (HEIGHT, WIDTH, 3)


def test_in_a_saved_model_and_in_parallel_tf_data(result, tmp_path):
    import tensorflow as tf

    inputs = {
        "images": keras.Input((HEIGHT, WIDTH, 3), dtype="uint8", name="images"),
        "masks": keras.Input((HEIGHT, WIDTH, 1), dtype="uint8", name="masks"),
    }
    keras.Model(inputs, CutMoveBlend(feather=2, seed=1)(inputs)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    assert loaded.get_config()["feather"] == 2
    rows = tf.data.Dataset.from_tensor_slices((IMAGES, SEEDS, MASKS))
    rows = rows.map(loaded.augment, num_parallel_calls=4, deterministic=True)
    for row, image, mask in zip(rows.as_numpy_iterator(), result["images"], result["masks"]):
        np.testing.assert_array_equal(row["masks"], mask)
        assert np.abs(row["images"].astype(int) - image).max() <= 1


def test_under_xla(result):
    import tensorflow as tf

    layer = CutMoveBlend(feather=2)
    compiled = tf.function(layer.augment, jit_compile=True)(IMAGES, SEEDS, MASKS)
    np.testing.assert_array_equal(compiled["masks"], result["masks"])
    assert np.abs(compiled["images"].numpy().astype(int) - result["images"]).max() <= 1


ON_JAX = """
import sys, jax, numpy
from kerascnn.augment import CutMoveBlend
arrays = numpy.load(sys.argv[1])
augment = CutMoveBlend(feather=2).augment
for function in (augment, jax.jit(augment)):
    moved = function(arrays["images"], arrays["seeds"], arrays["masks"])
numpy.savez(sys.argv[2], **moved)
"""


@pytest.mark.thorough
def test_the_same_pixels_on_jax(result, tmp_path):
    np.savez(tmp_path / "in.npz", images=IMAGES, seeds=SEEDS, masks=MASKS)
    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    files = tmp_path / "in.npz", tmp_path / "out.npz"
    subprocess.run([sys.executable, "-c", ON_JAX, *files], env=env, check=True, timeout=240)
    on_jax = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(on_jax["masks"], result["masks"])
    assert np.abs(on_jax["images"].astype(int) - result["images"]).max() <= 1


def test_refusals():
    with pytest.raises(InputError, match="feather must be"):
        CutMoveBlend(feather=0)
    for masks in (MASKS[..., 0], MASKS[:, :5], MASKS[0]):
        with pytest.raises(InputError, match=r"masks \(N, H, W, 1\)"):
            CutMoveBlend().augment(IMAGES, SEEDS, masks)
