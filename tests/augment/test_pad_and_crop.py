"""Windows of images whose pixels tell where they were."""

import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError

SEEDS = augment.seeds(0, epoch=0, indices=range(2000))
PLACES = np.arange(1, 37, dtype="uint8").reshape(1, 6, 6, 1)  # 0 is what is padded
PADDED = np.pad(PLACES[0, ..., 0], 2)


@pytest.mark.parametrize("engine", ["augment", "augment_numpy"])
@pytest.mark.parametrize(("padding", "size"), [(2, None), (2, (3, 5)), (0, 4)])
def test_every_window_comes_about_as_often(engine, padding, size):
    layer = augment.PadAndCrop(padding, size)
    windows = np.asarray(getattr(layer, engine)(np.repeat(PLACES, 2000, 0), SEEDS))[..., 0]
    whole = PADDED[2 - padding : 8 + padding, 2 - padding : 8 + padding]
    height, width = windows.shape[1:]
    expected = {
        whole[top : top + height, left : left + width].tobytes()
        for top in range(len(whole) - height + 1)
        for left in range(len(whole) - width + 1)
    }
    found = [window.tobytes() for window in windows]
    assert set(found) == expected
    counts = np.array([found.count(window) for window in expected])
    assert (np.abs(counts - counts.mean()) < 5 * counts.mean() ** 0.5).all()


def test_at_rest_it_is_the_central_window():
    centre = augment.PadAndCrop(0, size=4)(PLACES, training=False)
    np.testing.assert_array_equal(centre, PLACES[:, 1:5, 1:5])
    wide = augment.PadAndCrop(2, size=(8, 6), value_range=(-1, 1))
    images = PLACES.astype("float32") / 36
    padded = np.asarray(wide(images, training=False))
    np.testing.assert_array_equal(padded[:, 1:7], images)
    assert (padded[:, [0, 7]] == -1).all()  # black


def test_a_window_that_cannot_fit_is_said():
    for training in (True, False):
        with pytest.raises(InputError, match="into images of 6 x 6 with padding=2"):
            augment.PadAndCrop(2, size=11)(PLACES, training=training)
    with pytest.raises(InputError, match="padding"):
        augment.PadAndCrop(-1)


def test_sizes_may_be_ints_of_numpy():
    assert augment.PadAndCrop(np.int64(2), np.int32(9)).get_config().items() >= {
        ("padding", 2),
        ("size", (9, 9)),
    }
