"""Views: as it is, mirrored, shifted; each a function of its own photo and key alone."""

import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.data import view

PHOTOS = np.random.default_rng(0).integers(256, size=(6, 50, 40, 3), dtype="uint8")
KEYS = [f"photo{i}" for i in range(6)]


def test_view_0_is_the_photo_and_view_1_its_mirror_image():
    np.testing.assert_array_equal(view(PHOTOS, KEYS, 0), PHOTOS)
    mirrored = view(PHOTOS, KEYS, 1)
    for column in range(40):
        np.testing.assert_array_equal(mirrored[:, :, column], PHOTOS[:, :, 39 - column])


@pytest.mark.parametrize("number", [2, 3, 9])
def test_a_shift_shows_the_photo_where_its_edge_is_not_repeated(number):
    """Of all shifts up to 8 % (4 rows, 3 columns), mirrored or not, exactly one fits."""
    for photo, seen in zip(PHOTOS, view(PHOTOS, KEYS, number)):
        fits = 0
        for candidate in (seen, seen[:, ::-1]):
            for dy in range(-4, 5):
                for dx in range(-3, 4):
                    rows = np.clip(np.arange(50) + dy, 0, 49)
                    columns = np.clip(np.arange(40) + dx, 0, 39)
                    fits += np.array_equal(candidate, photo[rows][:, columns])
        assert fits == 1


def test_all_shifts_and_both_sides_are_drawn():
    ramp = np.arange(100, dtype="uint8")[None, None, :, None].repeat(100, 1)  # value = column
    seen = view(ramp.repeat(400, 0), [str(i) for i in range(400)], 2)[:, 50, :, 0].astype(int)
    mirrored = seen[:, 51] < seen[:, 49]
    assert 150 < mirrored.sum() < 250
    assert set(seen[~mirrored, 50] - 50) == set(range(-8, 9))
    assert set(seen[mirrored, 49] - 50) == set(range(-8, 9))


def test_a_view_depends_on_its_photo_key_number_and_seed_alone():
    together = view(PHOTOS, KEYS, 2, seed=5)
    order = [3, 0, 5]
    some = view(PHOTOS[order], [KEYS[i] for i in order], 2, seed=5)
    np.testing.assert_array_equal(some, together[order])
    np.testing.assert_array_equal(view(PHOTOS, KEYS, np.int64(2), seed=np.int64(5)), together)
    for other in (
        view(PHOTOS, KEYS, 3, 5),
        view(PHOTOS, KEYS, 2, 6),
        view(PHOTOS, KEYS[::-1], 2, 5),
    ):
        assert sum(np.array_equal(a, b) for a, b in zip(other, together)) <= 1


def test_the_photos_are_not_touched():
    before = PHOTOS.copy()
    for number in range(4):
        assert view(PHOTOS, KEYS, number).dtype == np.uint8
    np.testing.assert_array_equal(PHOTOS, before)


@pytest.mark.parametrize("shape", [(2, 1, 1, 3), (2, 1, 9, 1), (0, 8, 8, 3)])
def test_tiny_photos_and_none(shape):
    photos = np.full(shape, 7, "uint8")
    for number in range(5):
        np.testing.assert_array_equal(view(photos, KEYS[: shape[0]], number), photos)


def test_wrong_arguments():
    with pytest.raises(InputError, match="number must be an int >= 0. Received: -1"):
        view(PHOTOS, KEYS, -1)
    with pytest.raises(InputError, match="Expected 6 keys, one per photo. Received: 5"):
        view(PHOTOS, KEYS[:5], 2)
