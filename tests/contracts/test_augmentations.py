"""What every augmentation keeps. A new one joins by one row."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError, augment
from kerascnn.augment import ImageAugmentation

ROOT = Path(__file__).parents[2]
SIZE = (48, 64)  # of the photos


def jitter():
    return augment.ColorJitter(0.4, 0.4, 0.4, 0.1)


def noise():
    return augment.AdditiveNoise()


AUGMENTATIONS = {  # name: function that makes the layer
    "AdditiveNoise": lambda: augment.AdditiveNoise(seed=1),
    "ColorJitter": lambda: augment.ColorJitter(0.4, 0.4, 0.4, 0.1, seed=1),
    "OneOf": lambda: augment.OneOf([jitter(), noise()], weights=[1, 2], seed=1),
    "RandomApply": lambda: augment.RandomApply([jitter(), noise()], rate=0.8, seed=1),
    "RandomAffine": lambda: augment.RandomAffine("horizontal", 20, 0.1, 0.2, 0.2, 10, seed=1),
    "RandAugment": lambda: augment.RandAugment(3, 17, seed=1),
    "AutoAugment": lambda: augment.AutoAugment("svhn", seed=1),
    "TrivialAugment": lambda: augment.TrivialAugment(seed=1),
    "AreaCrop": lambda: augment.AreaCrop(32, seed=1),
    "ScaleJitter": lambda: augment.ScaleJitter(32, (36, 72), seed=1),
    "PadAndCrop": lambda: augment.PadAndCrop(size=40, seed=1),
    "CropAndPad": lambda: augment.CropAndPad(seed=1),
    "LensDistortion": lambda: augment.LensDistortion(seed=1),
    "Sequence": lambda: augment.Sequence([noise(), jitter()], seed=1),
    "CoarseSaltAndPepper": lambda: augment.CoarseSaltAndPepper((0.1, 0.3), (0.1, 0.3), seed=1),
    "FancyPCA": lambda: augment.FancyPCA(seed=1),
    "RandomEmboss": lambda: augment.RandomEmboss((0.3, 0.7), seed=1),
    "RandomGamma": lambda: augment.RandomGamma((0.5, 2), seed=1),
    "RandomRGBShift": lambda: augment.RandomRGBShift(seed=1),
    "SaltAndPepper": lambda: augment.SaltAndPepper((0.05, 0.1), seed=1),
    "Superpixels": lambda: augment.Superpixels(segments=30, seed=1),
    "Clouds": lambda: augment.Clouds(seed=1),
    "FastSnow": lambda: augment.FastSnow(seed=1),
    "Fog": lambda: augment.Fog(seed=1),
    "Snowflakes": lambda: augment.Snowflakes(seed=1),
}
COLORS_ONLY = {"FancyPCA", "RandomRGBShift"}  # those that refuse images of one channel
WITH_MASKS = {"CutMoveBlend"}  # held to the same in their own tests
QUICK = ("ColorJitter", "AreaCrop", "RandomAffine", "SaltAndPepper")  # one of each kind of graph


def make(name):
    return AUGMENTATIONS[name]()


every_one = pytest.mark.parametrize("name", AUGMENTATIONS)
in_graphs = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in AUGMENTATIONS],
)


def test_every_augmentation_has_a_row():
    public = {name for name in augment.__all__ if isinstance(getattr(augment, name), type)}
    layers = {name for name in public if issubclass(getattr(augment, name), ImageAugmentation)}
    assert set(AUGMENTATIONS) == layers - {"ImageAugmentation", *WITH_MASKS}


@pytest.fixture(scope="module")
def photos():
    """Eight parts of two real photos: uint8 (8, *SIZE, 3)."""
    from sklearn.datasets import load_sample_images

    parts = []
    for image in load_sample_images().images:
        for i in range(4):
            part = image[60 * i : 60 * i + 192, 80 * i : 80 * i + 256]
            parts.append(part.reshape(SIZE[0], 4, SIZE[1], 4, 3).mean(axis=(1, 3)))
    return np.rint(parts).astype("uint8")


SEEDS = augment.seeds(3, epoch=2, indices=range(8))


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def levels(a, b):
    return np.abs(numpy(a).astype("float32") - numpy(b).astype("float32"))


def of_any_size(layer):
    """Traces the layer for images of unknown size, in TensorFlow."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow's graphs have unknown sizes")
    signature = [tf.TensorSpec((None, None, None, 3))]
    call = tf.function(lambda x: layer(x, training=True), signature, autograph=False)
    return call.get_concrete_function()


@in_graphs
def test_images_of_unknown_size(name, photos):
    layer = make(name)
    if layer.needs_size:
        pytest.skip("it refuses them")
    images = photos[:2].astype("float32")
    changed = of_any_size(layer)(keras.ops.convert_to_tensor(images))
    assert tuple(changed.shape) == tuple(layer.compute_output_shape(images.shape))


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if make(name).needs_size])
def test_a_size_that_must_be_known(name):
    layer = make(name)
    with pytest.raises(InputError, match=f"{name} takes images of a known size"):
        of_any_size(layer)
    with pytest.raises(InputError, match=f"{name} takes images of a known size"):
        of_any_size(augment.Sequence([layer]))


@every_one
def test_dtype_range_and_shape_are_kept_and_images_change(name, photos):
    layer = make(name)
    shape = tuple(layer.compute_output_shape(photos.shape))
    for images in (photos, photos.astype("float32"), photos.astype("float16")):
        changed = layer(images, training=True)
        assert keras.backend.standardize_dtype(changed.dtype) == images.dtype
        assert tuple(changed.shape) == shape
        changed = numpy(changed).astype("float32")
        assert changed.min() >= 0 and changed.max() <= 255
        kept = numpy(layer(images, training=False)).astype("float32")
        assert kept.shape == shape
        assert (changed != kept).mean() > 0.003


@every_one
def test_without_training_the_same_size_is_left_alone(name, photos):
    layer = make(name)
    if tuple(layer.compute_output_shape(photos.shape)) == photos.shape:
        np.testing.assert_array_equal(layer(photos, training=False), photos)


@every_one
def test_an_image_depends_on_its_own_seed_alone(name, photos):
    layer = make(name)
    together = numpy(layer.augment(photos, SEEDS))
    np.testing.assert_array_equal(layer.augment(photos, SEEDS), together)
    alone = numpy(layer.augment(photos[5], SEEDS[5]))
    assert levels(alone, together[5]).max() <= 1  # sums of a batch may be made in another order
    fast = layer.augment_numpy(photos, SEEDS)
    np.testing.assert_array_equal(layer.augment_numpy(photos[5:6], SEEDS[5:6])[0], fast[5])
    other = numpy(layer.augment(photos, augment.seeds(3, epoch=3, indices=range(8))))
    assert (other != together).any()


@every_one
def test_the_fast_engine_equals_the_reference(name, photos):
    layer = make(name)
    fast = layer.augment_numpy(photos, SEEDS)
    assert fast.dtype == np.uint8
    far = levels(fast, layer.augment(photos, SEEDS)) > 2
    assert far.mean() <= 0.01


@in_graphs
def test_parallel_tf_data_and_reload_repeat_the_pixels(name, photos, tmp_path):
    import tensorflow as tf

    layer = make(name)
    expected = numpy(layer.augment(photos, SEEDS))

    def change(index, image):
        return again.augment(image, augment.seeds(3, 2, index))

    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    if keras.backend.backend() == "tensorflow":
        rows = tf.data.Dataset.from_tensor_slices(photos).enumerate()
        rows = rows.map(change, num_parallel_calls=4, deterministic=True)
        for image, one in zip(rows.as_numpy_iterator(), expected, strict=True):
            assert levels(image, one).max() <= 1
            assert (image == one).mean() > 0.99
    model = keras.Sequential([keras.Input(photos.shape[1:], dtype="uint8"), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    np.testing.assert_array_equal(loaded.augment(photos, SEEDS), expected)


@pytest.mark.thorough
@in_graphs
def test_under_xla_within_one_level(name, photos):
    layer = make(name)
    if keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(layer.augment)
    else:
        import tensorflow as tf

        compiled = tf.function(layer.augment, jit_compile=True)
    changed = numpy(compiled(photos, SEEDS))
    far = levels(changed, layer.augment(photos, SEEDS)) > 1
    assert far.mean() <= 0.0005  # a threshold that was met or not by the last bit


@pytest.mark.thorough
@every_one
def test_values_from_zero_to_one(name, photos):
    layer = make(name)
    small = type(layer).from_config(layer.get_config() | {"value_range": (0, 1)})
    changed = numpy(small.augment(photos.astype("float32") / 255, SEEDS))
    assert changed.min() >= 0 and changed.max() <= 1
    whole = numpy(layer.augment(photos.astype("float32"), SEEDS))
    assert (levels(255 * changed, whole) > 0.01).mean() <= 0.0005


@pytest.mark.thorough
@every_one
def test_one_channel(name, photos):
    layer = make(name)
    grey = photos[..., :1]
    if name in COLORS_ONLY:
        with pytest.raises(ValueError, match="three channels"):
            layer(grey, training=True)
        return
    changed = numpy(layer.augment(grey, SEEDS))
    assert changed.shape[-1] == 1
    assert (levels(layer.augment_numpy(grey, SEEDS), changed) > 2).mean() <= 0.01


@pytest.mark.thorough
@every_one
def test_seed_repeats_calls(name, photos):
    def draws(seed):
        layer = type(make(name)).from_config(make(name).get_config() | {"seed": seed})
        return np.stack([numpy(layer(photos, training=True)) for _ in range(2)])

    first = draws(1)
    np.testing.assert_array_equal(draws(1), first)
    assert (first[0] != first[1]).any()
    assert (draws(2) != first).any()


@pytest.mark.thorough
@every_one
def test_in_a_model_of_mixed_precision(name, photos):
    layer = type(make(name)).from_config(make(name).get_config() | {"dtype": "mixed_bfloat16"})
    changed = layer(photos.astype("float32"), training=True)
    assert changed.dtype == "float32"  # 255 levels are more than bfloat16 can tell apart


ON_JAX = """
import sys, numpy, keras, kerascnn
folder, *names = sys.argv[1:]
photos, seeds = (numpy.load(f"{folder}/{name}.npy") for name in ("photos", "seeds"))
for name in names:
    layer = kerascnn.load_model(f"{folder}/{name}.keras").layers[-1]
    numpy.save(f"{folder}/{name}.jax.npy", layer.augment(photos, seeds))
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    "names", [QUICK, pytest.param(tuple(AUGMENTATIONS), marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_the_same_pixels_on_jax(photos, tmp_path, names):
    if keras.backend.backend() == "jax":
        pytest.skip("this is JAX")
    np.save(tmp_path / "photos.npy", photos)
    np.save(tmp_path / "seeds.npy", SEEDS)
    for name in names:
        model = keras.Sequential([keras.Input(photos.shape[1:], dtype="uint8"), make(name)])
        model.save(tmp_path / f"{name}.keras")
    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", ON_JAX, tmp_path, *names], env=env, check=True, timeout=600
    )
    for name in names:
        on_jax = np.load(tmp_path / f"{name}.jax.npy")
        far = levels(on_jax, make(name).augment(photos, SEEDS)) > 1
        assert far.mean() <= 0.0005, name
