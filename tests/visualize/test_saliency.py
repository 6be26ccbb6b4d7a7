import keras
import numpy as np
import pytest
from keras import layers
from scipy.stats import spearmanr

from kerascnn import InputError
from kerascnn.visualize import saliency, smooth_grad
from tests.visualize.conftest import inside

PHOTOS = np.random.default_rng(0).uniform(0, 255, (3, 6, 5, 2)).astype("float32")


def curved(activation="softmax"):
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 5, 2))
    inner = keras.Sequential([layers.Conv2D(4, 3, activation="tanh", name="conv")])
    x = layers.Flatten()(inner(layers.Rescaling(1 / 255)(image)))
    return keras.Model(image, layers.Dense(3, activation, name="output")(x))


def test_it_is_the_largest_slope_of_the_logit():
    model, logits = curved(), curved(None)
    steps = np.eye(60, dtype="float32").reshape(60, 1, 6, 5, 2)  # of each pixel and channel
    up, down = (logits(np.concatenate(PHOTOS + sign * steps))[:, 1] for sign in (1, -1))
    slopes = np.reshape((up - down) / 2, (6, 5, 2, 3))
    expected = np.abs(slopes).max(axis=2).transpose(2, 0, 1)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(saliency(model, PHOTOS, 1), expected, atol=5e-3)


def test_no_noise_is_saliency():
    model = curved()
    expected = saliency(model, PHOTOS)
    np.testing.assert_allclose(smooth_grad(model, PHOTOS, noise=0, samples=3), expected, rtol=1e-5)


def test_noise_is_the_seeds_and_the_photos_alone():
    model = curved()
    maps = smooth_grad(model, PHOTOS, samples=3, seed=7)
    np.testing.assert_array_equal(maps, smooth_grad(model, PHOTOS, samples=3, seed=7))
    np.testing.assert_allclose(maps[:2], smooth_grad(model, PHOTOS[:2], samples=3, seed=7), 1e-4)
    assert not np.allclose(maps, smooth_grad(model, PHOTOS, samples=3, seed=8))


def test_noise_blurs_a_kink_as_its_integral_says():
    """f = |x - c| has the mean slope 2 Phi((x - c) / sigma) - 1 under noise."""
    photo = np.array([0.0, 10.0, 4.0, 5.5]).reshape(1, 2, 2, 1)
    dense = layers.Dense(2, "relu", kernel_initializer=keras.initializers.Constant([[1, -1]]))
    model = keras.Sequential([keras.Input((2, 2, 1)), dense, layers.GlobalAveragePooling2D()])
    dense.bias.assign([-5, 5])
    both = keras.Model(model.inputs, layers.Lambda(lambda x: x[:, :1] + x[:, 1:])(model.outputs[0]))
    heat = smooth_grad(both, photo, 0, noise=0.2, samples=800, progress=False)[0].ravel()
    # sigma = 2: slopes of the four pixels -0.988, 0.988, -0.383, 0.197
    np.testing.assert_allclose(heat, [1, 1, 0.388, 0.2], atol=0.08)


def test_it_finds_what_the_class_is_recognised_by(finder):
    model, photos, labels, corners = finder
    for maps in (saliency(model, photos, labels), smooth_grad(model, photos, labels, samples=10)):
        shares, hits = inside(maps, corners, margin=2)
        assert hits.mean() > 0.8 and shares.mean() > 0.5  # of 14 % of the area


def test_other_weights_give_another_map(finder):
    model, photos, labels, _ = finder
    random = keras.models.clone_model(model)
    ranks = []
    for a, b in zip(saliency(model, photos, labels), saliency(random, photos, labels)):
        read = (a > 0) | (b > 0)  # the maximum reads few places, all others are equal
        ranks.append(spearmanr(a[read], b[read])[0])
    assert abs(np.mean(ranks)) < 0.5


@pytest.mark.parametrize("options", [{"noise": -0.1}, {"samples": 0}, {"noise": np.nan}])
def test_what_is_out_of_range_is_said(options):
    with pytest.raises(InputError, match="must be >= 0 and `samples` >= 1"):
        smooth_grad(curved(), PHOTOS, **options)
