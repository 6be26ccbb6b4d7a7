"""Photos and networks for the tests of this folder: synthetic ones, and real ones if at hand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image, ImageDraw

from kerascnn import data
from kerascnn.transfer import backbone, finetune

ROOT = Path(__file__).parents[2]
SHAPES = {"circle": (220, 60, 40), "square": (40, 90, 220), "triangle": (60, 170, 60)}


def draw_shape(name, number):
    """A coloured shape at a place, of a size, on a grey that depend on (name, number) alone."""
    draw = np.random.default_rng([len(name), number])
    image = Image.new("RGB", (48, 40), (int(draw.integers(140, 256)),) * 3)
    x, y, r = (int(v) for v in draw.integers([12, 12, 7], [36, 28, 12]))
    colour = tuple(int(c + draw.integers(-35, 36)) for c in SHAPES[name])
    pen = ImageDraw.Draw(image)
    if name == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), colour)
    elif name == "square":
        pen.rectangle((x - r, y - r, x + r, y + r), colour)
    else:
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], colour)
    return image


def draw_photos(folder, counts):
    """Write `counts[name]` photos of each shape into class folders; returns the folder."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            draw_shape(name, number).save(folder / name / f"{number:03d}.png")
    return folder


def shape_data(counts=None, size=32, **options):
    """`counts[name]` photos of each shape, in memory."""
    counts = counts or dict.fromkeys(SHAPES, 20)
    names = [name for name, count in counts.items() for _ in range(count)]
    images = [
        draw_shape(name, i).resize((size, size)) for name, n in counts.items() for i in range(n)
    ]
    return data.from_arrays(np.stack([np.asarray(i) for i in images]), names, **options)


def tiny_network(seed=0, size=32):
    """Three stages of convolution and batch normalisation: photos to 64 features of about 1."""
    keras.utils.set_random_seed(seed)
    photos = keras.Input((size, size, 3), name="photos")
    x = keras.layers.Rescaling(1 / 127.5, -1.0, name="scale")(photos)
    for stage, filters in enumerate((16, 32, 64), start=1):
        x = keras.layers.Conv2D(
            filters, 3, 2, "same", kernel_initializer="he_normal", name=f"stage{stage}_conv"
        )(x)
        x = keras.layers.BatchNormalization(name=f"stage{stage}_bn")(x)
        x = keras.layers.ReLU(name=f"stage{stage}_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(photos, x, name="tiny")


def tune(photos, network, strategy, **options):
    """`finetune`, short and quiet, on Keras itself."""
    defaults = {"epochs": 2, "views": 1, "engine": "keras", "verbose": False}
    return finetune(photos, network, strategy, **defaults | options)


def equal(first, second):
    """Whether two models have the same weights, to the bit."""
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights()))


def in_process(code, **environment):
    """The output of `code` in a fresh Python."""
    variables = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": os.environ["PATH"]}
    kept = {k: v for k, v in os.environ.items() if k.startswith("KERASCNN")}
    result = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True, text=True, env=variables | kept | environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def clothing(tmp_path_factory):
    """Eight real photos of each of ten classes, in class folders."""
    from tests.conftest import shared_data

    source = shared_data("data/clothing") / "train"
    folder = tmp_path_factory.mktemp("clothing")
    for path in sorted(source.iterdir()):
        (folder / path.name).mkdir()
        for photo in sorted(path.iterdir())[:8]:
            shutil.copy(photo, folder / path.name)
    return folder


@pytest.fixture(scope="session")
def mobilenet():
    """Builds a quarter of MobileNet for 128x128 photos, with its ImageNet weights."""
    from tests.conftest import shared_data

    path = shared_data("weights/mobilenet_0.25_128_notop.weights.h5")
    return lambda: backbone("MobileNet", path, image_size=128, alpha=0.25)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    """A cache for the fixtures below, which live longer than a test."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASCNN_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shapes():
    """48 drawn training photos of three shapes, 6 for validation, 6 for the test."""
    return shape_data()


@pytest.fixture(scope="session")
def probed(shapes, shared_cache):
    return tune(shapes, tiny_network(), "probe")


@pytest.fixture(scope="session")
def partial(shapes, shared_cache):
    return tune(shapes, tiny_network(), "partial", epochs=3)


@pytest.fixture(scope="session")
def saved(partial, tmp_path_factory):
    """The run folder of `partial`."""
    folder = tmp_path_factory.mktemp("saved") / "run"
    partial.save(folder)
    return folder


@pytest.fixture(scope="session")
def other(probed, tmp_path_factory):
    """The run folder of another strategy on the same photos."""
    folder = tmp_path_factory.mktemp("other") / "probe"
    probed.save(folder)
    return folder
