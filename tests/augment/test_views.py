"""Views of constant, symmetric and real photos; the same in both forms, saved, and on JAX."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import kerascnn as kc

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
WHOLE = {"flip": (16, 16), "10-crop": (18, 18), "144-crop": (20, 26)}
every_mode = pytest.mark.parametrize("views", WHOLE)


def classifier(size=16, channels=3, activation="softmax", scale=1 / 255):
    """A network with its preprocessing inside."""
    keras.utils.set_random_seed(0)
    images = keras.Input((size, size, channels), name="photos")
    x = keras.layers.Rescaling(scale)(images)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="conv")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    x = keras.layers.Dense(5, activation, kernel_initializer="he_normal", name="output")(x)
    return keras.Model(images, x, name="classifier")


def photos(number, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, *size, 3)).astype("uint8")


def ten_by_hand(model, images, size):
    """The mean over Caffe's ten crops, each sent through the model alone."""
    height, width = images.shape[1:3]
    down, right = height - size, width - size
    starts = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    outputs = []
    for top, left in starts:
        crop = images[:, top : top + size, left : left + size]
        outputs += [model.predict(x, verbose=0) for x in (crop, crop[:, :, ::-1])]
    return np.mean(outputs, axis=0)


def test_ten_crops_by_hand():
    model, images = classifier(), photos(3, (18, 23))
    views = kc.augment.test_time(model, "10-crop", image_size=(18, 23))
    y = views.predict(images, verbose=0)
    np.testing.assert_allclose(y, ten_by_hand(model, images, 16), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_flip_is_the_mean_of_outputs(activation):
    model, images = classifier(activation=activation), photos(4, (16, 16))
    expected = (model(images) + model(images[:, :, ::-1])) / 2
    y = kc.augment.test_time(model).predict(images, verbose=0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_flip_of_a_symmetric_model_is_the_model():
    model, images = classifier(), photos(4, (16, 16))
    sides = [images, images[:, :, ::-1]]
    symmetric = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D()])
    for network, flipped in ((symmetric, True), (model, False)):
        y = kc.augment.test_time(network).predict(images, verbose=0)
        plain = [network.predict(side, verbose=0) for side in sides]
        assert np.allclose(y, plain[0], rtol=1e-5) == flipped


@every_mode
def test_views_of_a_constant_photo_change_nothing(views):
    model, images = classifier(), np.full((2, *WHOLE[views], 3), 90, "uint8")
    expected = model.predict(images[:, :16, :16], verbose=0)
    y = kc.augment.test_time(model, views, WHOLE[views]).predict(images, verbose=0)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6)


@every_mode
def test_the_function_gives_what_the_model_gives(views):
    model, images = classifier(), photos(5, WHOLE[views])
    together = kc.augment.test_time(model, views, WHOLE[views]).predict(images, verbose=0)
    alone = kc.augment.predict_photos(model, images, views, batch_size=7)
    # Where something is resized, Pillow rounds to whole pixel values.
    np.testing.assert_allclose(alone, together, atol=0.01 if views == "144-crop" else 1e-6)
    np.testing.assert_array_equal(alone.argmax(axis=1), together.argmax(axis=1))


def test_photos_of_several_sizes_keep_their_order():
    model = classifier()
    sizes = [(20, 26), (40, 17), (16, 90), (300, 200)]
    images = [photos(1, size, seed=i)[0] for i, size in enumerate(sizes)]
    together = kc.augment.predict_photos(model, images, batch_size=50)
    alone = [kc.augment.predict_photos(model, [image])[0] for image in images]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("views", ["flip", "10-crop"])
def test_saved_compiled_and_evaluated(views, tmp_path):
    model, images = classifier(), photos(4, WHOLE[views])
    model.compile("sgd", "mse")
    with_views = kc.augment.test_time(model, views, WHOLE[views])
    expected = with_views.predict(images, verbose=0)
    with_views.save(tmp_path / "model.keras")
    again = kc.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0), expected)
    again.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert again.evaluate(images, expected.argmax(axis=1), verbose=0)[1] == 1


def test_the_weights_are_the_models_own():
    model, images = classifier(), photos(2, (16, 16))
    views = kc.augment.test_time(model)
    before = views.predict(images, verbose=0)
    model.get_layer("conv").kernel.assign(2 * model.get_layer("conv").kernel)
    assert np.abs(views.predict(images, verbose=0) - before).max() > 1e-3
    assert views.count_params() == model.count_params()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_sees_whole_pixels(policy):
    model, images = classifier(), photos(3, (18, 18))
    plain = kc.augment.test_time(model, "10-crop").predict(images, verbose=0)
    keras.config.set_dtype_policy(policy)
    try:
        half = classifier()
        views = kc.augment.test_time(half, "10-crop")
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    y = views.predict(images, verbose=0)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, plain, atol=0.05)


def test_uint8_models_take_uint8():
    images = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    model = keras.Model(images, keras.layers.Dense(5, "softmax")(x))
    views, shown = kc.augment.test_time(model), photos(2, (16, 16))
    assert views.inputs[0].dtype == "uint8"
    expected = kc.augment.predict_photos(model, shown, "flip")
    np.testing.assert_allclose(views.predict(shown, verbose=0), expected, rtol=1e-5)


def test_one_photo_after_the_other_is_read(monkeypatch):
    """144 views of many photos: at most a batch of views is held."""
    model, held = classifier(), []
    stack = np.stack
    monkeypatch.setattr(np, "stack", lambda views: held.append(len(views)) or stack(views))
    kc.augment.predict_photos(model, photos(3, (20, 26)), batch_size=100)
    assert held == [100, 100, 100, 100, 32]


def two_outputs():
    model = classifier()
    return keras.Model(model.input, [model.output, model.get_layer("conv").output])


def any_size():
    return keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (classifier, ("ten-crop",), "Unknown views 'ten-crop'. Did you mean '10-crop'"),
        (classifier, ("10-crop", 15), "15 x 15 pixels are smaller than the crop, 16 x 16"),
        (classifier, ("10-crop", "16"), "`image_size` must be .* Received: 16"),
        (classifier, ("144-crop",), "for 144-crop must be given"),
        (classifier, ("flip", 20), "the model's own"),
        (two_outputs, (), "1 and 2"),
        (lambda: keras.Sequential([keras.layers.Dense(1)]), (), "0 and 0"),
        (lambda: "model.keras", (), "'model.keras' with 0 and 0"),
        (any_size, (), "fixed size"),
    ],
)
def test_bad_input_is_one_sentence(make, arguments, said):
    with pytest.raises(kc.InputError, match=said):
        kc.augment.test_time(make(), *arguments)


def test_one_path_and_ints_of_numpy(tmp_path):
    (pixels,) = photos(1, (20, 26))
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    model = classifier()
    ours = kc.augment.predict_photos(model, tmp_path / "photo.png", batch_size=np.int64(7))
    np.testing.assert_allclose(ours, kc.augment.predict_photos(model, [pixels]), atol=1e-6)


def test_bad_photos_and_batches(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    good = photos(1, (20, 26))[0]
    with pytest.raises(kc.InputError, match=r"bad\.jpg"):
        kc.augment.predict_photos(classifier(), [good, tmp_path / "bad.jpg"])
    with pytest.raises(kc.InputError, match="batch_size must be an int >= 1"):
        kc.augment.predict_photos(classifier(), [good], batch_size=0)


FRESH = """
import sys, keras, numpy, kerascnn
folder = sys.argv[1]
for views in {modes}:
    model = kerascnn.load_model(f"{{folder}}/{{views}}.keras")
    data = numpy.load(f"{{folder}}/{{views}}.npz")
    y = model.predict(data["images"], verbose=0)
    numpy.testing.assert_allclose(y, data["expected"], atol=0.01)
print(keras.backend.backend())
"""


@pytest.mark.parametrize(
    ("backend", "modes"), [("tensorflow", ["flip", "10-crop"]), ("jax", list(WHOLE))]
)
def test_in_a_fresh_process(backend, modes, tmp_path):
    for views in modes:
        size = WHOLE[views]
        model = kc.augment.test_time(classifier(), views, size)
        model.save(tmp_path / f"{views}.keras")
        images = photos(2, size)
        expected = kc.augment.predict_photos(classifier(), images, views)
        np.savez(tmp_path / f"{views}.npz", images=images, expected=expected)
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    code = FRESH.format(modes=modes)
    output = subprocess.check_output(
        [sys.executable, "-c", code, tmp_path], env=environment, text=True, timeout=200
    )
    assert output.strip() == backend


def test_real_photos(shared_data):
    """What MobileNet sees in ImageNet photos: views do not unsettle it."""
    weights = shared_data("weights/mobilenet_0.25_128.weights.h5")
    model = kc.transfer.backbone("MobileNet", weights, image_size=128, alpha=0.25, include_top=True)
    paths = sorted(shared_data("data/imagenet_sample100").glob("*.jpg"))[:4]
    y = kc.augment.predict_photos(model, paths, "10-crop")
    assert (y.argmax(axis=1) == [5, 15, 25, 35]).all()
