"""Sizes, formats and colours of photos, against NumPy on the files themselves."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from kerascnn.data import Decoder, RowStore, inspect_directory, photo_statistics
from kerascnn.data.statistics import _sums


@pytest.fixture
def folder(tmp_path):
    """Six photos of several sizes; one is grey, one lies on its side, one is there twice."""
    draw = np.random.default_rng(0)
    root = tmp_path / "photos"
    for name, (width, height) in {
        "cat/a.png": (30, 20), "cat/b.jpg": (40, 20), "cat/c.png": (20, 20), "dog/d.png": (8, 50),
        "dog/e.png": (10, 10),
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(draw.integers(256, size=(height, width, 3), dtype="uint8"))
        image = image.convert("L") if name == "cat/c.png" else image
        exif = image.getexif()
        if name == "cat/b.jpg":
            exif[0x0112] = 6
        image.save(root / name, exif=exif)
    (root / "dog/f.png").write_bytes((root / "dog/e.png").read_bytes())
    return root


def test_against_numpy(folder):
    decoder = Decoder(16)
    photos = inspect_directory(folder, decoder).photos
    found = photo_statistics(photos, decoder)
    assert found["width"] == {"min": 8, "median": 15, "max": 30}
    assert found["height"] == {"min": 10, "median": 20, "max": 50}
    assert found["aspect"] == {"min": 0.16, "median": 1, "max": 1.5}  # b stands upright: 20 x 40
    sizes = [(folder / photo.path).stat().st_size for photo in photos]
    assert found["bytes"]["max"] == max(sizes) and found["bytes"]["min"] == min(sizes)
    assert found["formats"] == {"PNG": 5, "JPEG": 1}
    assert found["modes"] == {"RGB": 5, "L": 1} and found["grey"] == ["cat/c.png"]
    pixels = np.stack([decoder.read(folder / photo.path) for photo in photos]).reshape(-1, 3)
    np.testing.assert_allclose(found["mean"], pixels.mean(axis=0))
    np.testing.assert_allclose(found["std"], pixels.std(axis=0))


def test_one_photo_at_a_time_becomes_floats():
    images = np.random.default_rng(0).integers(256, size=(64, 40, 30, 3), dtype="uint8")
    flat = images.reshape(64, -1, 3).astype("float64")
    spread = np.ptp(flat, axis=2).mean(axis=1, keepdims=True)
    expected = np.concatenate([flat.mean(axis=1), (flat**2).mean(axis=1), spread], axis=1)
    tracemalloc.start()
    found = _sums(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert peak < 6 * images[0].size * 8


def test_a_second_look_reads_no_pixels(folder, monkeypatch):
    decoder = Decoder(16)
    photos = inspect_directory(folder, decoder).photos
    first = photo_statistics(photos, decoder)
    read = RowStore.read
    monkeypatch.setattr(
        RowStore, "read", lambda self, rows: read(self, rows) if len(self.shape) == 1 else 1 / 0
    )
    assert photo_statistics(photos, decoder) == first


def test_grey_decoders_have_one_channel_and_no_grey_photos(folder):
    decoder = Decoder(16, channels=1)
    found = photo_statistics(inspect_directory(folder, decoder).photos, decoder)
    assert len(found["mean"]) == len(found["std"]) == 1 and found["grey"] == []


def test_real_photos(shared_data):
    """Medians of the files as Pillow gives them."""
    root = shared_data("data/clothing/test")
    photos = inspect_directory(root, Decoder(32)).photos
    found = photo_statistics(photos, Decoder(32))
    sizes = []
    for photo in photos:
        with Image.open(root / photo.path) as image:
            sizes.append(image.size)
    assert [found[side]["median"] for side in ("width", "height")] == np.median(
        sizes, axis=0
    ).tolist()
    assert found["formats"] == {"JPEG": len(photos)} and all(100 < m < 200 for m in found["mean"])
