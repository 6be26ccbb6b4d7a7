import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError
from kerascnn.visualize import deep_dream

PHOTOS = np.random.default_rng(0).uniform(60, 190, (2, 48, 40, 3)).astype("float32")


def network():
    """A classifier of 32x32 images with a backbone inside, of which the top reads no other size."""
    keras.utils.set_random_seed(0)
    x = keras.Input((32, 32, 3))
    y = layers.Conv2D(6, 3, padding="same", activation="relu", name="early")(x)
    y = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="late")(y)
    backbone = keras.Model(x, layers.MaxPooling2D(2, name="pool")(y), name="backbone")
    image = keras.Input((32, 32, 3))
    y = layers.Flatten()(backbone(layers.Rescaling(1 / 127.5, -1)(image)))
    return keras.Model(image, layers.Dense(2, "softmax")(y))


def energy(model, images, layer):
    backbone = model.get_layer("backbone")
    x = keras.ops.convert_to_tensor(images / 127.5 - 1)
    for name in ("early", "late")[: 1 + (layer == "late")]:
        x = backbone.get_layer(name)(x)
    return np.asarray(keras.ops.mean(keras.ops.square(x), axis=(1, 2, 3)))


@pytest.mark.parametrize("layer", ["early", "backbone/late"])
def test_the_layer_responds_more_and_the_photo_stays(layer):
    model = network()
    dreams = deep_dream(model, PHOTOS, layer, octaves=2, steps=8)
    assert dreams.shape == PHOTOS.shape and dreams.dtype == np.float32
    assert dreams.min() >= 0 and dreams.max() <= 255
    name = layer.split("/")[-1]
    assert (energy(model, dreams, name) > 1.5 * energy(model, PHOTOS, name)).all()
    for dream, photo in zip(dreams, PHOTOS):
        assert np.corrcoef(dream.ravel(), photo.ravel())[0, 1] > 0.5


def test_no_layer_is_the_last_before_the_smallest_maps():
    model, options = network(), {"octaves": 1, "steps": 2}
    dreams = deep_dream(model, PHOTOS, **options)
    np.testing.assert_array_equal(dreams, deep_dream(model, PHOTOS, "late", **options))


def test_one_step_is_as_large_as_asked_and_up_the_gradient():
    dream = deep_dream(network(), PHOTOS, "early", octaves=1, steps=1, rate=2.0)
    np.testing.assert_allclose(np.abs(dream - PHOTOS).mean(axis=(1, 2, 3)), 2.0, rtol=1e-3)


def test_photos_do_not_know_of_each_other_and_seeds_decide():
    model, options = network(), {"octaves": 2, "steps": 2}
    both = deep_dream(model, PHOTOS, ["early", "late"], **options)
    alone = deep_dream(model, PHOTOS[1:], ["early", "late"], **options)
    np.testing.assert_allclose(both[1:], alone, atol=0.05)
    other = deep_dream(model, PHOTOS, ["early", "late"], seed=1, **options)
    assert not np.allclose(both, other, atol=0.5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"octaves": 9}, "Received: 9 and 1.4 for photos of 48 x 40."),
        ({"octaves": 0}, "`octaves` must be >= 1"),
        ({"octave_scale": 1}, "`octave_scale` > 1"),
        ({"layers": "lata"}, "Unknown layer 'lata'"),
        ({"images": PHOTOS[..., :1]}, "Photos are (N, H, W, 3). Received: (2, 48, 40, 1)."),
    ],
)
def test_what_does_not_fit_is_said(options, sentence):
    with pytest.raises(InputError) as error:
        deep_dream(network(), **{"images": PHOTOS} | options)
    assert sentence in str(error.value)
