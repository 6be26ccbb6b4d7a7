"""A loop of NumPy over boxes of an image, and Pillow's resize."""

import keras
import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError
from kerascnn.layers import MeanOverViews
from kerascnn.layers.mean_over_views import View

PHOTOS = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3)).astype("uint8")


def seen_by(views, size, photos=PHOTOS):
    """What reaches the network, averaged over the views."""
    layer = MeanOverViews(keras.layers.Identity(), views, size)
    return keras.ops.convert_to_numpy(layer(photos.astype("float32")))


def test_boxes_and_mirror_images_are_exact_pixels():
    crop = View((3, 7, 30, 40), (30, 40), (1, 2, 20, 24), False)
    views = [crop, crop._replace(mirrored=True)]
    expected = PHOTOS[:, 4:24, 9:33].astype("float32")
    np.testing.assert_array_equal(seen_by(views[:1], (20, 24)), expected)
    np.testing.assert_array_equal(seen_by(views[1:], (20, 24)), expected[:, :, ::-1])
    mean = (expected + expected[:, :, ::-1]) / 2
    np.testing.assert_array_equal(seen_by(views, (20, 24)), mean)


@pytest.mark.parametrize("scaled", [(28, 28), (64, 70), (13, 40)])
def test_resizing_is_that_of_pillow(scaled):
    view = View((2, 5, 36, 44), scaled, (0, 0, *scaled), False)
    pillow = [
        Image.fromarray(photo[2:38, 5:49]).resize(scaled[::-1], Image.Resampling.BILINEAR)
        for photo in PHOTOS
    ]
    difference = np.abs(seen_by([view], scaled) - np.stack(pillow))
    assert difference.max() <= 1.01  # Pillow rounds twice


def test_integers_stay_integers():
    view = View((0, 0, 40, 50), (20, 25), (0, 0, 20, 25), False)
    layer = MeanOverViews(keras.layers.Identity(), [view], (20, 25))
    seen = keras.ops.convert_to_numpy(layer(PHOTOS))
    np.testing.assert_array_equal(seen, np.round(seen_by([view], (20, 25))))


def test_the_network_runs_as_in_prediction():
    whole = View((0, 0, 40, 50), (40, 50), (0, 0, 40, 50), False)
    layer = MeanOverViews(keras.layers.Dropout(0.5), [whole], (40, 50))
    np.testing.assert_array_equal(layer(PHOTOS.astype("float32"), training=True), PHOTOS)


def test_what_xla_cannot_resize_is_not_compiled():
    whole = View((0, 0, 40, 50), (40, 50), (0, 0, 40, 50), False)
    assert MeanOverViews(keras.layers.Identity(), [whole], (40, 50)).supports_jit
    assert not MeanOverViews(keras.layers.Identity(), [whole], (20, 25)).supports_jit


def test_no_views():
    with pytest.raises(InputError, match="at least one view"):
        MeanOverViews(keras.layers.Identity(), [], (4, 4))
