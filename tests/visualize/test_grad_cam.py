import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from scipy.stats import spearmanr

from kerascnn import InputError
from kerascnn.visualize import grad_cam, grad_cam_plus_plus
from tests.visualize.conftest import inside

RNG = np.random.default_rng(0)
PHOTOS = RNG.uniform(0, 255, (3, 16, 12, 3)).astype("float32")


def ending_in_average(activation=None):
    """A network of which CAM is known: one dense layer reads the averages of the last maps."""
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 12, 3))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(4, activation, name="output")(x))


def resized(maps):
    maps = keras.ops.image.resize(maps[..., None].astype("float32"), (16, 12), "bilinear")
    return np.asarray(maps)[..., 0]


def normalised(maps):
    largest = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)


@pytest.mark.thorough
@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
def test_it_is_cam_where_averages_are_read_by_a_dense_layer(activation):
    model = ending_in_average(activation)
    maps = keras.Model(model.inputs[0], model.get_layer("conv").output)(PHOTOS).numpy()
    kernel = model.get_layer("output").kernel.numpy()
    for target in range(4):
        cam = np.maximum(maps @ kernel[:, target], 0)  # Zhou et al. 2016, eq. 2
        expected = normalised(resized(cam))
        found = grad_cam(model, PHOTOS, target, layer="conv")
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_target_is_the_predicted_class_and_no_layer_the_last_with_places():
    model = ending_in_average("softmax")
    predicted = model.predict(PHOTOS, verbose=0).argmax(axis=1)
    expected = grad_cam(model, PHOTOS, predicted, layer="conv")
    np.testing.assert_array_equal(grad_cam(model, PHOTOS), expected)
    assert model.get_layer("output").activation is keras.activations.softmax


def test_plus_plus_against_its_formula():
    model = ending_in_average()
    maps = keras.Model(model.inputs[0], model.get_layer("conv").output)(PHOTOS).numpy()
    maps = maps.astype("float64")
    g = np.broadcast_to(model.get_layer("output").kernel.numpy()[:, 2] / (8 * 6), maps.shape)
    a = g**2 / (2 * g**2 + maps.sum(axis=(1, 2), keepdims=True) * g**3)
    w = (a * np.maximum(g, 0)).sum(axis=(1, 2), keepdims=True)
    expected = normalised(resized(np.maximum((w * maps).sum(axis=-1), 0)))
    np.testing.assert_allclose(grad_cam_plus_plus(model, PHOTOS, 2), expected, atol=1e-5)


def test_a_layer_with_a_path_around_it_in_a_model_in_a_model():
    """The gradient counts what goes through the layer only; by finite differences."""
    keras.utils.set_random_seed(2)
    x = keras.Input((16, 12, 3))
    stem = layers.Conv2D(5, 3, padding="same", activation="tanh", name="stem")(x)
    branch = layers.Conv2D(5, 3, padding="same", activation="tanh", name="branch")(stem)
    backbone = keras.Model(x, layers.Add(name="join")([stem, branch]), name="backbone")
    image = keras.Input((16, 12, 3))
    y = layers.Conv2D(4, 3, activation="tanh")(backbone(layers.Rescaling(1 / 255)(image)))
    y = layers.Dense(3, name="output")(layers.Flatten()(y))
    model = keras.Model(image, y)
    found = grad_cam(model, PHOTOS, 1, layer="branch")
    np.testing.assert_array_equal(grad_cam(model, PHOTOS, 1, layer="backbone/branch"), found)

    kernel, bias = backbone.get_layer("branch").get_weights()
    maps = keras.Model(x, branch)(PHOTOS / 255).numpy()
    outer = keras.Model(backbone.output, keras.Sequential(model.layers[3:])(backbone.output))
    stems = keras.Model(x, stem)(PHOTOS / 255).numpy()
    weights = np.zeros((3, 1, 1, 5))
    for k in range(5):  # a step of all places of one map: the sum of the gradients there
        step = np.zeros(5, "float32")
        step[k] = 1e-2
        up, down = outer(stems + maps + step).numpy(), outer(stems + maps - step).numpy()
        weights[:, 0, 0, k] = (up - down)[:, 1] / 2e-2
    expected = normalised(np.maximum((weights * maps).sum(axis=-1), 0))
    np.testing.assert_allclose(found, expected, atol=2e-2)


def test_it_finds_what_the_class_is_recognised_by(finder):
    model, photos, labels, corners = finder
    for function in (grad_cam, grad_cam_plus_plus):
        shares, hits = inside(function(model, photos, labels), corners, margin=2)
        assert hits.mean() > 0.9 and shares.mean() > 0.35  # of 14 % of the area


def test_other_weights_give_another_map(finder):
    """Adebayo et al. 2018: a map that stays the same tells nothing of what was learned."""
    model, photos, labels, _ = finder
    before = grad_cam(model, photos, labels, layer="conv2")
    random = keras.models.clone_model(model)
    after = grad_cam(random, photos, labels, layer="conv2")
    ranks = [spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(before, after)]
    assert abs(np.nanmean(ranks)) < 0.5


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_gives_nearly_the_same(policy):
    model = ending_in_average("softmax")
    keras.config.set_dtype_policy(policy)
    try:
        half = ending_in_average("softmax")
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    np.testing.assert_allclose(grad_cam(half, PHOTOS, 1), grad_cam(model, PHOTOS, 1), atol=0.03)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer": "cnov"}, "Did you mean 'conv'"),
        ({"layer": "output"}, "gives (4,); Grad-CAM needs maps"),
        ({"targets": [0, 1]}, "one for each of the 3 images"),
        ({"targets": 4}, "ints from 0 to 3"),
        ({"targets": 0.5}, "Received: 0.5"),
        ({"images": PHOTOS[0]}, "of shape (N, 16, 12, 3). Received: (16, 12, 3)"),
        ({"images": PHOTOS[:0]}, "no images"),
    ],
)
def test_what_does_not_fit_is_said(options, sentence):
    options = {"images": PHOTOS} | options
    with pytest.raises(InputError) as error:
        grad_cam(ending_in_average(), **options)
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_models_without_places_or_class_scores():
    image = keras.Input((16, 12, 3))
    flat = keras.Model(image, layers.Dense(2)(layers.Flatten()(image)))
    with pytest.raises(InputError, match="no layer with a spatial output"):
        grad_cam(flat, PHOTOS)
    maps = keras.Model(image, layers.Conv2D(2, 3)(image))
    with pytest.raises(InputError, match="must give class scores"):
        grad_cam(maps, PHOTOS)
    both = keras.Model(image, [flat.output, flat.output])
    with pytest.raises(InputError, match="one input and one output"):
        grad_cam(both, PHOTOS)


@pytest.mark.thorough
def test_real_weights_in_a_backbone_are_those_of_the_flat_network(shared_data):
    weights = shared_data("weights/mobilenet_0.25_128.weights.h5")
    files = sorted(shared_data("data/imagenet_sample100").glob("*.jpg"))[::25]
    photos = [Image.open(file).convert("RGB").resize((128, 128)) for file in files]
    photos = np.stack(photos).astype("float32")
    flat = keras.applications.MobileNet((128, 128, 3), 0.25, weights=weights)
    image = keras.Input((128, 128, 3))
    nested = keras.Model(image, flat(layers.Rescaling(1 / 127.5, -1)(image)))
    expected = grad_cam(flat, photos / 127.5 - 1)
    np.testing.assert_allclose(grad_cam(nested, photos), expected, atol=1e-4)
    named = grad_cam(nested, photos, layer="conv_pw_13_relu")
    np.testing.assert_allclose(named, expected, atol=1e-4)
