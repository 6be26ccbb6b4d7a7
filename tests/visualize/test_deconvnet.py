import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.signal import convolve2d, correlate2d
from scipy.stats import spearmanr

import kerascnn as kc
from kerascnn import InputError
from kerascnn.visualize import deconvnet
from tests.visualize.conftest import inside

pytestmark = pytest.mark.thorough

RNG = np.random.default_rng(0)
PHOTOS = RNG.uniform(0, 255, (3, 12, 12, 3)).astype("float32")


def gradient(model, place):
    """The input gradient of one unit of each photo, straight from the backend."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(lambda x: sum(model(x)[i, *p] for i, p in enumerate(place)))(PHOTOS)
    import tensorflow as tf

    x = tf.constant(PHOTOS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x)
        total = sum(y[(i, *map(int, p))] for i, p in enumerate(place))
    return tape.gradient(total, x)


def network(activation=None, pooling=True):
    """Branches that are joined both ways, strides, padding, batch normalisation, a model inside."""
    keras.utils.set_random_seed(3)
    x = keras.Input((12, 12, 3))
    y = layers.Conv2D(4, 3, padding="same", activation=activation, name="one")(x)
    z = layers.Conv2D(4, 5, padding="same", activation=activation, name="other")(x)
    y = layers.Concatenate(name="concat")([layers.Add(name="add")([y, z]), z])
    y = layers.BatchNormalization(name="bn")(y)
    inner = keras.Model(x, layers.MaxPooling2D(3, 2)(y) if pooling else y, name="inner")
    image = keras.Input((12, 12, 3), name="image")
    x = inner(layers.Rescaling(1 / 127.5, -1)(image)[..., ::-1])
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise")(x)
    x = layers.Conv2D(5, 2, activation=activation, name="last")(layers.Dropout(0.5)(x))
    model = keras.Model(image, x)
    for weight in inner.get_layer("bn").weights:
        weight.assign(RNG.uniform(0.5, 2, weight.shape))
    return model


@pytest.mark.parametrize("pooling", [False, True])
def test_on_a_linear_network_it_is_the_gradient_of_the_unit(pooling):
    model = network(pooling=pooling)
    maps = model.predict(PHOTOS, verbose=0)
    assert maps.min() < 0
    place = [(*np.unravel_index(m.argmax(), m.shape[:2]), 2) for m in maps[..., 2]]
    found = deconvnet(model, PHOTOS, "last", 2)
    np.testing.assert_allclose(found, gradient(model, place), rtol=1e-4, atol=1e-7)
    # No channel: the one that is strongest in this photo.
    place = [np.unravel_index(m.argmax(), m.shape) for m in maps]
    found = deconvnet(model, PHOTOS, "last")
    np.testing.assert_allclose(found, gradient(model, place), rtol=1e-4, atol=1e-7)


def test_on_a_network_with_relu_against_the_steps_of_the_paper():
    """Convolution, ReLU, pooling, convolution, ReLU, and back."""
    keras.utils.set_random_seed(0)
    conv1 = layers.Conv2D(4, 3, activation="relu", name="conv1")
    conv2 = layers.Conv2D(5, 3, name="conv2")
    stack = [conv1, layers.MaxPooling2D(2), conv2, layers.ReLU(name="relu2")]
    model = keras.Sequential([keras.Input((12, 12, 3)), *stack])
    conv1.bias.assign([-0.2, -0.1, 0, 0.1])
    conv2.bias.assign([5, 5, 5, 5, 5])
    photo, k1, k2 = PHOTOS[0] / 127.5 - 1, conv1.kernel.numpy(), conv2.kernel.numpy()
    z1 = np.stack(
        [
            sum(correlate2d(photo[..., c], k1[:, :, c, k], "valid") for c in range(3))
            for k in range(4)
        ]
    )
    a1 = np.maximum(z1 + conv1.bias.numpy()[:, None, None], 0)
    blocks = a1.reshape(4, 5, 2, 5, 2).transpose(0, 1, 3, 2, 4).reshape(4, 5, 5, 4)
    pooled, switches = blocks.max(axis=-1), blocks.argmax(axis=-1)
    z2 = sum(correlate2d(pooled[c], k2[:, :, c, 1], "valid") for c in range(4))
    a2 = np.maximum(z2 + conv2.bias.numpy()[1], 0)
    assert a2.max() > 0 and (a1 == 0).any()

    top = np.where(a2 == a2.max(), 1.0, 0.0)
    back = np.stack([convolve2d(top, k2[:, :, c, 1], "full") for c in range(4)])
    unpooled = np.zeros((4, 5, 5, 4))
    np.put_along_axis(unpooled, switches[..., None], back[..., None], axis=-1)
    unpooled = unpooled.reshape(4, 5, 5, 2, 2).transpose(0, 1, 3, 2, 4).reshape(4, 10, 10)
    rectified = np.maximum(unpooled, 0)  # by its own sign, not by that of the way there
    expected = [
        sum(convolve2d(rectified[k], k1[:, :, c, k], "full") for k in range(4)) for c in range(3)
    ]
    found = deconvnet(model, photo[None], "relu2", 1)[0]
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), rtol=1e-4, atol=1e-6)


def test_a_map_that_is_silent_gives_nothing():
    model = network("relu")
    model.get_layer("last").bias.assign([-1e6, 0, 0, 0, 0])
    assert not deconvnet(model, PHOTOS, "last", 0).any()
    assert deconvnet(model, PHOTOS, "last").any(axis=(1, 2, 3)).all()


def test_response_normalisation_divides_by_what_it_divided_by():
    image = keras.Input((1, 1, 5))
    lrn = kc.layers.LocalResponseNormalization(depth_radius=1, alpha=0.5, beta=1.0, name="lrn")
    x = np.array([1.0, 2, 0, 3, 1]).reshape(1, 1, 1, 5)
    found = deconvnet(keras.Model(image, lrn(image)), x, "lrn", 3)
    np.testing.assert_allclose(found.ravel(), [0, 0, 0, 1 / (2 + 0.5 * (9 + 1)), 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (lambda: kc.models.VGG11(input_shape=(64, 64, 3), classes=9), "stage3_pool"),
        (lambda: kc.models.ZFNet(input_shape=(64, 64, 3), classes=9), "output"),
        (lambda: kc.models.GoogLeNet(include_top=False, input_shape=(64, 64, 3)), "inception4a"),
        (lambda: kc.models.CifarResNet20(), "stage2_block1_out"),
        (lambda: keras.applications.MobileNetV2(weights=None, alpha=0.35), "block_4_add"),
    ],
)
def test_networks_of_ours_and_of_keras(build, layer):
    model = build()
    photos = RNG.uniform(0, 255, (1, *model.input_shape[1:])).astype("float32")
    picture = deconvnet(model, photos, layer)
    assert picture.shape == photos.shape and picture.any() and np.isfinite(picture).all()


def test_it_shows_what_the_class_is_recognised_by(finder):
    model, photos, labels, corners = finder
    picture = deconvnet(model, photos, "output")
    shares, hits = inside(np.abs(picture).max(axis=-1), corners, margin=2)
    assert hits.mean() > 0.8 and shares.mean() > 0.5  # of 14 % of the area


def test_other_weights_give_another_picture():
    model = network("relu")
    before = deconvnet(model, PHOTOS, "last", 1)
    random = keras.models.clone_model(model)
    after = deconvnet(random, PHOTOS, "last", 1)
    ranks = [spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(before, after) if b.any()]
    assert len(ranks) and abs(np.mean(ranks)) < 0.5


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.Conv2D(2, 1, activation="tanh", name="squashed"), "'squashed' (Conv2D, tanh)"),
        (layers.LeakyReLU(name="leaky"), "'leaky' (LeakyReLU)"),
        (layers.ReLU(negative_slope=0.1, name="slope"), "'slope' (ReLU)"),
        (layers.Softmax(name="soft"), "'soft' (Softmax)"),
        (layers.Lambda(lambda x: ops.relu(x), name="own"), "'own' (Lambda)"),
    ],
)
def test_a_layer_without_a_way_back_is_named(layer, name):
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(2, 1, name="before")(image)
    model = keras.Model(image, layers.Conv2D(2, 1, name="after")(layer(x)))
    assert deconvnet(model, PHOTOS, "before").any()
    with pytest.raises(InputError, match="knows no way back") as error:
        deconvnet(model, PHOTOS, "after")
    assert name in str(error.value)


def test_a_product_of_two_maps_has_no_way_back():
    image = keras.Input((12, 12, 3))
    model = keras.Model(image, layers.ReLU(name="relu")(image * 2.0 * image))
    with pytest.raises(InputError, match="knows no way back .*Multiply"):
        deconvnet(model, PHOTOS, "relu")


@pytest.mark.parametrize(
    "end", [layers.Softmax(name="end"), layers.Activation("softmax", name="end")]
)
def test_a_softmax_at_the_end_is_left_out(end):
    inner = network()
    logits = layers.GlobalAveragePooling2D(name="logits")(inner.output)
    model = keras.Model(inner.input, end(logits))
    found = deconvnet(model, PHOTOS, "end", 2)
    np.testing.assert_allclose(found, deconvnet(model, PHOTOS, "logits", 2), rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_gives_nearly_the_same(policy):
    model = network("relu")
    keras.config.set_dtype_policy(policy)
    try:
        half = network("relu")
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    full, found = deconvnet(model, PHOTOS, "last", 1), deconvnet(half, PHOTOS, "last", 1)
    assert np.corrcoef(full.ravel(), found.ravel())[0, 1] > 0.99


def test_channels_that_are_not_there():
    with pytest.raises(InputError, match="`channel` must be 0 to 4. Received: channel=5."):
        deconvnet(network(), PHOTOS, "last", 5)
