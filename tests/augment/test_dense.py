"""Dense evaluation against windows, mirror images and the model itself."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.augment import predict_dense, predict_photos


def photos(number, size, channels=1, seed=0):
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (number, *size, channels)).astype("uint8")


def flattened(size=16, channels=1):
    """As VGG: convolutions, Flatten, two dense layers. No padding, so that windows are exact."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((size, size, channels)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(6, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(12, "relu"),
            keras.layers.Dense(4, "softmax", kernel_initializer="he_normal"),
        ]
    )


def pooled(size=16, channels=1):
    """As ResNet: convolutions and global average pooling."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((size, size, channels)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(6, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, "softmax", kernel_initializer="he_normal"),
        ]
    )


both_kinds = pytest.mark.parametrize("make", [flattened, pooled])


@both_kinds
def test_at_the_models_own_size_it_is_the_mean_over_flips(make):
    model, images = make(), photos(3, (16, 16))
    expected = predict_photos(model, images, "flip")
    np.testing.assert_allclose(predict_dense(model, images, [16]), expected, rtol=1e-4, atol=1e-6)


def test_scores_of_windows_are_averaged_before_the_softmax():
    """Every window of a photo of 20 x 22 by hand, two pixels apart: the pooling's stride."""
    model, (image,) = flattened(), photos(1, (20, 22))
    logits = keras.Model(model.inputs, model.layers[-2].output)
    kernel, bias = model.layers[-1].get_weights()
    probabilities = []
    for shown in (image, image[:, ::-1]):
        windows = [shown[i : i + 16, j : j + 16] for i in (0, 2, 4) for j in (0, 2, 4, 6)]
        scores = (logits.predict(np.stack(windows), verbose=0) @ kernel + bias).mean(axis=0)
        probabilities.append(np.exp(scores) / np.exp(scores).sum())
    y = predict_dense(model, [image], [20])
    np.testing.assert_allclose(y[0], np.mean(probabilities, axis=0), rtol=1e-4, atol=1e-6)


@both_kinds
def test_probabilities_are_averaged_over_scales(make):
    model, images = make(), photos(2, (30, 41))
    each = [predict_dense(model, images, [scale]) for scale in (16, 20, 33)]
    y = predict_dense(model, images, (16, 20, 33))
    np.testing.assert_allclose(y, np.mean(each, axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)


def test_scales_of_the_paper():
    """Q = S - 32, S, S + 32 with S = 256, for networks of 224."""
    from kerascnn.augment import dense

    assert dense._scales(None, 224) == [224, 256, 288]
    assert dense._scales(None, 128) == [128, 146, 165]


@pytest.mark.parametrize(("size", "expected"), [((30, 45), (20, 30)), ((90, 30), (60, 20))])
def test_the_shorter_side_is_the_scale(size, expected):
    from kerascnn.augment import dense

    assert dense._shorter_side(photos(1, size)[0], 20, 0).shape[:2] == expected


def test_photos_of_several_shapes_and_kinds(tmp_path):
    from PIL import Image

    images = [photos(1, size, 3, seed=i)[0] for i, size in enumerate([(20, 30), (50, 25)])]
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    model = pooled(channels=3)
    from_arrays = predict_dense(model, images)
    np.testing.assert_array_equal(predict_dense(model, paths), from_arrays)
    alone = [predict_dense(model, [image])[0] for image in images]
    np.testing.assert_allclose(from_arrays, alone, rtol=1e-5, atol=1e-6)


def test_a_published_vgg():
    model = kc.models.VGG11(input_shape=(32, 32, 3), classes=4)
    y = predict_dense(model, photos(1, (40, 48), 3))
    assert y.shape == (1, 4)
    np.testing.assert_allclose(y.sum(), 1, rtol=1e-5)


def test_the_model_stays_as_it_is():
    model, images = pooled(), photos(2, (16, 16))
    before = model.predict(images, verbose=0)
    predict_dense(model, images, [24])
    np.testing.assert_array_equal(model.predict(images, verbose=0), before)
    assert model.input_shape == (None, 16, 16, 1)


def test_a_model_within_a_model_is_opened():
    model = flattened()
    outer = keras.Sequential([keras.Input((16, 16, 1)), keras.Model(model.inputs, model.outputs)])
    given = photos(1, (20, 20))
    np.testing.assert_allclose(predict_dense(outer, given), predict_dense(model, given), rtol=1e-6)


def mapped():
    """Gives a map, no classes."""
    return keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Conv2D(2, 3)])


def reshaped():
    """A dense layer of the whole map, with no Flatten before it."""
    x = keras.layers.Reshape((256,))(inputs := keras.Input((16, 16, 1)))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (flattened, ([[photos(1, (20, 20))[0]], [12]]), "ints of at least 16.* Received: .12."),
        (flattened, ([[photos(1, (20, 20))[0]], []]), "at least 16"),
        (flattened, ([[photos(1, (20, 20))[0]], ["16"]]), "at least 16"),
        (flattened, ([[photos(1, (20, 201))[0]]]), "Photo 0 is 201 x 20 pixels, more than 10"),
        (flattened, ([[]]), "at least one"),
        (mapped, ([photos(1, (20, 20))]), "cannot read images of other sizes"),
        (reshaped, ([photos(1, (20, 20))]), "cannot read images of other sizes"),
    ],
)
def test_bad_input_is_one_sentence(make, arguments, said):
    with pytest.raises(kc.InputError, match=said):
        predict_dense(make(), *arguments)
