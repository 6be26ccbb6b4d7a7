"""Folders of photos, made on the spot: every photo differs from every other."""

import contextlib
import itertools
import os

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_photo():
    """`make_photo(path, **options)` writes a photo that no other call wrote; returns its path."""
    numbers = itertools.count()

    def make(path, image_format=None, size=(12, 12), mode="RGB", **options):
        pixels = np.random.default_rng(next(numbers)).integers(256, size=(*size, 3), dtype="uint8")
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels).convert(mode)
        image.save(path, image_format or "PNG", **options)
        return path

    return make


@pytest.fixture
def make_folder(tmp_path, make_photo):
    """`make_folder({"cat": 4, "dog": 4})` makes a folder of class folders of photos 0.png, ..."""

    def make(counts, root=None):
        root = root or tmp_path / "photos"
        for folder, count in counts.items():
            for i in range(count):
                make_photo(root / folder / f"{i}.png")
        return root

    return make


@pytest.fixture
def without_root():
    """A context in which permission bits bind: they do not bind root, who becomes nobody."""

    @contextlib.contextmanager
    def become_nobody(*folders):
        for folder in folders:
            for parent in [folder, *folder.parents]:  # pytest keeps its folders to itself
                if "pytest-of-" in str(parent):
                    parent.chmod(parent.stat().st_mode | 0o055)
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return become_nobody
