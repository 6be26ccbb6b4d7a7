"""The scale a model is made for, found in models as they are met."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.layers import GlobalContrastNormalization, MeanImage, Whitening, check_value_range

L = keras.layers
PHOTOS = np.random.default_rng(0).integers(256, size=(4, 32, 32, 3)).astype("float32")
CAFFE = np.array([103.939, 116.779, 123.68])


def network(*layers):
    ends = [L.Conv2D(2, 3), L.GlobalAveragePooling2D(), L.Dense(2)]
    return keras.Sequential([keras.Input((32, 32, 3)), *layers, *ends])


def functional(prepare):
    inputs = keras.Input((32, 32, 3))
    return keras.Model(inputs, L.Conv2D(2, 3)(prepare(inputs)))


def fitted(layer, images=PHOTOS):
    layer.adapt(images)
    return layer


def small(photos):
    return photos[:, ::8, ::8]


def imagenet_normalization():
    return L.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.229**2, 0.224**2, 0.225**2])


def nested(*models):
    inputs = x = keras.Input((32, 32, 3))
    for model in models:
        x = model(x)
    return keras.Model(inputs, x)


def augment():
    return keras.Sequential([L.RandomFlip(), L.RandomRotation(0.1)])


OF_BYTES = {
    "rescaling": lambda: network(L.Rescaling(1 / 255)),
    "centred": lambda: network(L.Rescaling(1 / 127.5, -1)),
    "adapted": lambda: network(fitted(L.Normalization())),
    "normalization": lambda: network(kc.data.normalization(PHOTOS)),
    "mean_rgb": lambda: network(kc.data.normalization(PHOTOS, unit_variance=False)),
    "two steps": lambda: network(L.Rescaling(1 / 255), imagenet_normalization()),
    "padded": lambda: network(L.ZeroPadding2D(3), L.Rescaling(1 / 255), L.ZeroPadding2D(1)),
    "flattened": lambda: keras.Sequential(
        [keras.Input((32, 32, 3)), L.Rescaling(1 / 255), L.Flatten(), L.Dense(2)]
    ),
    "resized": lambda: network(L.Resizing(16, 16), L.Rescaling(1 / 255)),
    "augmented": lambda: network(augment(), L.Rescaling(1 / 255)),
    "mean image": lambda: network(fitted(MeanImage())),
    "behind": lambda: network(L.Rescaling(1 / 255), fitted(MeanImage(), PHOTOS / 255)),
    "nested": lambda: nested(augment(), network(L.Rescaling(1 / 255))),
    "caffe": lambda: functional(
        lambda x: L.Rescaling(1.0, offset=(-CAFFE).tolist())(keras.ops.flip(x, axis=-1))
    ),
    "divided": lambda: functional(lambda x: x / 255.0),
    "tf": lambda: functional(keras.applications.mobilenet_v2.preprocess_input),
    "MobileNetV3Small": lambda: keras.applications.MobileNetV3Small((32, 32, 3), weights=None),
    "EfficientNetB0": lambda: nested(keras.applications.EfficientNetB0(False, None)),
}


@pytest.mark.parametrize("make", OF_BYTES.values(), ids=OF_BYTES)
def test_a_model_of_bytes_is_given_fractions(make):
    model = make()
    low, high = check_value_range(model, PHOTOS)
    assert -280 < low < 130 < 180 < high < 290
    check_value_range(model, PHOTOS[:1] / 3)
    for scaled in (PHOTOS / 255, PHOTOS / 127.5 - 1, (PHOTOS / 255 - 0.45) / 0.225):
        with pytest.warns(UserWarning, match="is made for values around .*, and these images have"):
            assert check_value_range(model, scaled) == (low, high)


OF_FRACTIONS = {
    "normalization": lambda: network(imagenet_normalization()),
    "centred": lambda: network(L.Rescaling(2, -1)),
    "mean image": lambda: network(fitted(MeanImage(), PHOTOS / 255)),
}


@pytest.mark.parametrize("make", OF_FRACTIONS.values(), ids=OF_FRACTIONS)
def test_a_model_of_fractions_is_given_bytes(make):
    model = make()
    low, high = check_value_range(model, PHOTOS / 255)
    assert -0.1 < low < high < 1.1
    with pytest.warns(UserWarning, match="is made for values around .*, and these images have"):
        check_value_range(model, PHOTOS)


def test_a_range_that_was_fitted_is_given_back_through_what_is_before_it():
    layers = [L.Rescaling(1 / 127.5, -1), fitted(Whitening(), small(PHOTOS) / 127.5 - 1)]
    model = keras.Sequential([keras.Input((4, 4, 3)), *layers])
    photos = small(PHOTOS)
    assert check_value_range(model, photos) == pytest.approx((photos.min(), photos.max()), abs=0.01)


UNKNOWN = {
    "nothing": lambda: network(),
    "batch norm": lambda: network(L.BatchNormalization()),
    "contrast": lambda: network(GlobalContrastNormalization()),
    "not adapted": lambda: network(MeanImage()),
}


@pytest.mark.parametrize("make", UNKNOWN.values(), ids=UNKNOWN)
def test_where_nothing_tells_nothing_is_said(make):
    for images in (PHOTOS, PHOTOS / 255):
        assert check_value_range(make(), images) is None


def test_what_augments_is_at_rest():
    drawn = network(L.RandomBrightness(0.3, seed=0), kc.augment.ColorJitter(), L.Rescaling(1 / 255))
    state = [np.array(v) for v in drawn.variables]
    assert [check_value_range(drawn, PHOTOS) for _ in range(3)] == [(0, 255)] * 3
    assert all(np.array_equal(a, b) for a, b in zip(state, drawn.variables))  # no draw was taken


def test_a_saved_model_is_checked_as_it_was(tmp_path):
    network(fitted(MeanImage())).save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="around 0 to 255, and these images have 0 to 1:"):
        check_value_range(kc.load_model(tmp_path / "model.keras"), PHOTOS / 255)


def test_other_models_and_images_get_a_sentence():
    inputs = [keras.Input((32, 32, 3)), keras.Input((32, 32, 3))]
    pair = keras.Model(inputs, L.Add()(inputs))
    for model, images in ((pair, PHOTOS), (network(), PHOTOS[0]), (keras.Sequential(), PHOTOS)):
        with pytest.raises(InputError, match="one batch of images"):
            check_value_range(model, images)
