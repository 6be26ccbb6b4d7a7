import itertools

import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError
from kerascnn.visualize import grad_cam, occlusion
from tests.visualize.conftest import inside

PHOTOS = np.random.default_rng(0).uniform(0, 255, (2, 7, 9, 3)).astype("float32")


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((7, 9, 3))
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    return keras.Model(image, layers.Dense(3, "softmax")(layers.Flatten()(x)))


@pytest.mark.parametrize(
    ("options", "size", "rows", "columns"),
    [
        ({"size": 3, "stride": 2}, 3, [0, 2, 4], [0, 2, 4, 6]),
        ({"size": 4, "stride": 3, "fill": 9.0, "batch_size": 3}, 4, [0, 3], [0, 3, 5]),
        ({"size": 2, "stride": 4}, 2, [0, 4, 5], [0, 4, 7]),  # with gaps
        ({}, 1, range(7), range(9)),  # a fifth of 7, and a third of that
    ],
)
def test_against_brute_force(options, size, rows, columns):
    model = network()
    before = model.predict(PHOTOS, verbose=0)
    for number, photo in enumerate(PHOTOS):
        squares, covered = [], []
        for top, left in itertools.product(rows, columns):
            squares.append((slice(top, top + size), slice(left, left + size)))
            covered.append(photo.copy())
            covered[-1][squares[-1]] = options.get("fill", photo.mean(axis=(0, 1)))
        total, count = np.zeros((2, 7, 9))
        for square, after in zip(squares, model.predict(np.stack(covered), verbose=0)):
            total[square] += before[number, 2] - after[2]
            count[square] += 1
        expected = np.divide(total, count, out=np.zeros((7, 9)), where=count > 0)
        found = occlusion(model, PHOTOS, 2, **options, progress=False)[number]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_target_is_the_predicted_class():
    model = network()
    predicted = model.predict(PHOTOS, verbose=0).argmax(axis=1)
    expected = occlusion(model, PHOTOS, predicted, size=4)
    np.testing.assert_array_equal(occlusion(model, PHOTOS, size=4), expected)


def test_it_finds_what_the_class_is_recognised_by_and_grad_cam_agrees(finder):
    model, photos, labels, corners = finder
    photos, labels, corners = photos[:16], labels[:16], corners[:16]
    maps = occlusion(model, photos, labels)
    shares, hits = inside(np.maximum(maps, 0), corners, margin=2)
    assert hits.mean() > 0.9 and shares.mean() > 0.5  # of 14 % of the area
    cams = grad_cam(model, photos, labels)
    pairs = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(maps, cams)]
    assert np.mean(pairs) > 0.5


@pytest.mark.parametrize("options", [{"size": 8}, {"size": 0}, {"stride": 0}])
def test_squares_that_do_not_fit_are_refused(options):
    with pytest.raises(InputError, match="`size` must be 1 to 7, the shorter side"):
        occlusion(network(), PHOTOS, **options)
