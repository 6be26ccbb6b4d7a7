"""Style transfer: its terms against NumPy, its gradient, and what the methods reach."""

import sys

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.datasets import load_sample_images

from kerascnn import InputError, NonFiniteError, models
from kerascnn.visualize import gram_matrix, style_transfer
from kerascnn.visualize._descent import METHODS, Descent

K = keras.layers


def conv(filters, name, **options):
    return K.Conv2D(filters, 3, padding="same", activation="relu", name=name, **options)


def network(size=None):
    """A small network of random filters, its preprocessing inside."""
    keras.utils.set_random_seed(0)
    image = keras.Input((size, size, 3))
    x = conv(6, "low")(image[..., ::-1] / 127.5 - 1)
    x = conv(8, "high")(K.MaxPooling2D()(x))
    return keras.Model(image, x)


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def pictures():
    """Photos of a temple and of a flower, a small part of each."""
    china, flower = load_sample_images().images
    return china[100:148:2, 200:264:2], flower[150:190:2, 220:280:2]


def transfer(model, pictures, **options):
    names = {"content_layers": ["high"], "style_layers": ["low", "high"]}
    return style_transfer(model, *pictures, **(names | {"verbose": False} | options))


def features(model, picture):
    """Of `low` and `high`, (H, W, C), by Keras's own sub-model."""
    part = keras.Model(model.input, [model.get_layer(name).output for name in ("low", "high")])
    return [np.asarray(ops.convert_to_numpy(y[0]), "f8") for y in part(picture[None] * 1.0)]


def gram(maps):
    places = maps.reshape(-1, maps.shape[-1])
    return sum(np.outer(values, values) for values in places) / len(places)


def terms(model, picture, content, style):
    """The three terms, as the docstring has them."""
    (low, high), (_, photo) = features(model, picture), features(model, content)
    painting = [gram(maps) for maps in features(model, style)]
    shares = [
        np.sum((gram(maps) - wanted) ** 2) / np.sum(wanted**2)
        for maps, wanted in zip((low, high), painting)
    ]

    def variation(x):
        x = x.astype("f8")
        return np.mean(np.diff(x, axis=0) ** 2) + np.mean(np.diff(x, axis=1) ** 2)

    return [
        np.sum((high - photo) ** 2) / np.sum(photo**2),
        np.mean(shares),
        variation(picture) / variation(content),
    ]


def test_gram_matrix_by_hand():
    maps = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    found = ops.convert_to_numpy(gram_matrix(maps))
    np.testing.assert_allclose(found, [gram(one) for one in maps], rtol=1e-4)


def test_the_terms_of_the_loss_by_hand(model, pictures):
    content, style = pictures
    start = np.random.default_rng(0).integers(2, 256, content.shape, "uint8")
    _, history = transfer(
        model, pictures, start=start, steps=1, style_weight=3.0, variation_weight=0.5
    )
    wanted = terms(model, start, content, style)
    found = [history[name][0] for name in ("content", "style", "variation")]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert history["loss"][0] == pytest.approx(np.dot([1, 3, 0.5], wanted), rel=1e-3)


def test_a_picture_in_its_own_style_is_left_as_it_is(model, pictures):
    photo = pictures[0]
    picture, history = transfer(model, (photo, photo), steps=3)
    assert history["loss"][0] < 1e-8 and history["style"][0] < 1e-8
    np.testing.assert_array_equal(picture, photo)


def test_the_gradient_by_finite_differences(model, pictures, monkeypatch):
    """The descent that methods are given: a loss and its gradient at a picture."""
    given = []
    monkeypatch.setitem(METHODS, "Adam", lambda descent, steps: given.append(descent))
    transfer(model, pictures, method="Adam", start="noise", variation_weight=1.0)
    (descent,) = given
    rng = np.random.default_rng(0)
    at, direction = descent.start.astype("f8"), rng.normal(size=descent.start.shape)
    _, gradient = descent(at)
    slope = (descent(at + 0.2 * direction)[0] - descent(at - 0.2 * direction)[0]) / 0.4
    assert slope == pytest.approx(np.sum(gradient * direction), rel=0.02)


@pytest.mark.parametrize("method", ["L-BFGS", "Adam"])
def test_the_style_comes_near_and_the_photo_stays(model, pictures, method):
    picture, history = transfer(model, pictures, method=method, steps=40)
    assert picture.dtype == np.uint8 and picture.shape == pictures[0].shape
    found = terms(model, picture, *pictures)
    assert found[1] < 0.2 * history["style"][0] and found[0] < 0.5
    wanted = min(history["loss"])
    assert found[0] + 10 * found[1] == pytest.approx(wanted, rel=0.1)  # but for the rounding
    assert {len(values) for values in history.values()} == {len(history["loss"])}


def test_lbfgs_gets_further_than_adam_in_as_many_evaluations(model, pictures):
    lowest = {}
    for method in ("L-BFGS", "Adam"):
        _, history = transfer(model, pictures, method=method, steps=40, start="noise")
        lowest[method] = min(history["loss"][:40])
    assert lowest["L-BFGS"] < lowest["Adam"]


def test_more_weight_of_the_style_and_less_noise(model, pictures):
    def ends(**options):
        picture, _ = transfer(model, pictures, steps=15, **options)
        return terms(model, picture, *pictures)

    few, many, smooth = ends(style_weight=0.1), ends(style_weight=100), ends(variation_weight=10)
    assert many[1] < few[1] and few[0] < many[0]
    assert smooth[2] < 0.7 * ends()[2]


def test_noise_becomes_the_photo_where_only_content_counts(model, pictures):
    options = {"start": "noise", "style_weight": 0.0, "content_layers": ["low"], "steps": 40}
    picture, history = transfer(model, pictures, **options)
    assert np.corrcoef(picture.ravel(), pictures[0].ravel())[0, 1] > 0.75
    _, again = transfer(model, pictures, **options | {"steps": 1})
    assert again["loss"][0] == pytest.approx(history["loss"][0], rel=1e-5)
    noise = np.random.default_rng(0).uniform(0, 255, picture.shape)
    assert abs(np.corrcoef(noise.ravel(), pictures[0].ravel())[0, 1]) < 0.1


def test_a_nested_model_of_a_fixed_size_gives_the_same(model, pictures):
    backbone = network(size=64)
    backbone.set_weights(model.get_weights())
    image = keras.Input((64, 64, 3))
    x = K.Dense(5, activation="softmax")(K.Flatten()(backbone(image)))
    classifier = keras.Model(image, x)
    wanted, _ = transfer(model, pictures, steps=3)
    for names in ("high", [f"{backbone.name}/high"]):
        layers = [names] if isinstance(names, str) else names
        picture, _ = transfer(classifier, pictures, steps=3, content_layers=layers)
        np.testing.assert_allclose(picture.astype(int), wanted, atol=1)


def test_what_is_behind_the_named_layers_is_not_computed(model, pictures):
    image = keras.Input((None, None, 3))
    y = keras.Model(model.input, model.get_layer("high").output)(image)
    parts = ops.split(y, 2, axis=-1)  # an operation of two outputs
    longer = keras.Model(image, K.Add()(parts))
    wanted, _ = transfer(model, pictures, steps=2)
    picture, _ = transfer(longer, pictures, steps=2)
    np.testing.assert_allclose(picture.astype(int), wanted, atol=1)


def test_average_pooling_is_that_of_a_network_that_has_it(model, pictures):
    image = keras.Input((None, None, 3))
    x = model.get_layer("low")(image[..., ::-1] / 127.5 - 1)
    averaging = keras.Model(image, model.get_layer("high")(K.AveragePooling2D(2)(x)))
    own, replaced = (
        transfer(which, pictures, steps=1, **options)[1]["style"][0]
        for which, options in ((averaging, {}), (model, {"pooling": "average"}))
    )
    assert replaced == pytest.approx(own, rel=1e-4)
    assert replaced != pytest.approx(transfer(model, pictures, steps=1)[1]["style"][0], rel=1e-3)


def test_a_picture_of_before_is_gone_on_with(model, pictures):
    first, history = transfer(model, pictures, steps=5)
    _, later = transfer(model, pictures, steps=5, start=first)
    assert later["loss"][0] == pytest.approx(min(history["loss"]), rel=0.02)
    assert min(later["loss"]) < later["loss"][0]


def test_ctrl_c_gives_the_best_picture_until_then(model, pictures, monkeypatch):
    steps = iter(range(8))

    def interrupt(descent, *_):
        if next(steps) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(Descent, "after_step", interrupt)
    picture, history = transfer(model, pictures, steps=100)
    assert 8 <= len(history["loss"]) < 20
    loss = np.dot([1, 10], terms(model, picture, *pictures)[:2])
    assert loss == pytest.approx(min(history["loss"]), rel=0.1)


@pytest.mark.parametrize(
    ("build", "content", "style"),
    [
        (
            lambda: models.VGG19(include_top=False, input_shape=(64, 64, 3)),
            ["stage4_conv2"],
            [f"stage{i}_conv1" for i in range(1, 6)],
        ),
        (
            lambda: keras.applications.VGG16(weights=None, include_top=False),
            ["block4_conv2"],
            [f"block{i}_conv1" for i in range(1, 6)],
        ),
        (network, ["low"], ["low"]),
        (
            lambda: models.ResNet18(input_shape=(64, 64, 3)),
            ["stage3_block2_out"],
            ["stem_relu", *(f"stage{i}_block2_out" for i in range(2, 6))],
        ),
    ],
)
def test_default_layers(build, content, style):
    module = sys.modules["kerascnn.visualize.style_transfer"]
    model = build()
    found, _ = module.calls(model, (64, 64, 3))
    own, painted = module._default_layers(model, found)
    assert (own, painted) == (content, style)


def test_one_sentence_for_what_does_not_fit(model, pictures):
    photo, style = pictures
    for content, message in (
        (photo / 255.0, "0-1"),
        (photo[..., 0], r"\(H, W, 3\)"),
        (photo - 300.0, "0-255"),
    ):
        with pytest.raises(InputError, match=f"`content`.*{message}"):
            transfer(model, (content, style))
    for options, message in (
        ({"method": "SGD"}, "method 'SGD'"),
        ({"pooling": "mean"}, "pooling 'mean'"),
        ({"start": "style"}, "start 'style'"),
        ({"start": style}, "content's shape"),
        ({"style_layers": ["conv9"]}, "'conv9'"),
        ({"style_layers": []}, "style_layers"),
        ({"steps": 0}, "`steps`"),
    ):
        with pytest.raises(InputError, match=message):
            transfer(model, pictures, **options)


def test_pictures_that_are_too_small_are_named(pictures):
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, K.Conv2D(2, 33, name="wide")(image))
    names = {"content_layers": ["wide"], "style_layers": ["wide"]}
    with pytest.raises(InputError, match="`content`, 24x32, does not go through"):
        transfer(model, pictures, **names)


def test_weights_that_are_broken_are_named(pictures):
    model = network()
    model.get_layer("low").bias.assign(np.full(6, np.nan))
    with pytest.raises(NonFiniteError, match="at the start"):
        transfer(model, pictures)


@pytest.mark.slow
def test_real_weights(shared_data):
    file = shared_data("weights/mobilenet_0.25_128_notop.weights.h5")
    inner = keras.applications.MobileNet(
        alpha=0.25, input_shape=(128, 128, 3), include_top=False, weights=str(file)
    )
    image = keras.Input((128, 128, 3))
    model = keras.Model(image, inner(image / 127.5 - 1))
    pictures = [photo[:384:4, :640:4] for photo in load_sample_images().images]
    _, history = style_transfer(model, *pictures, steps=12, verbose=False)
    assert min(history["style"]) < 0.6 * history["style"][0]
