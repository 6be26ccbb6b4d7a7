"""Presets: what the papers say, and that images come out as they should."""

import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn.augment.presets import _CROPPING, _KEEPING

SEEDS = augment.seeds(0, epoch=0, indices=range(40))


@pytest.mark.parametrize(
    ("name", "arguments", "size"),
    [
        ("alexnet", {}, (224, 224)),
        ("vgg", {}, (224, 224)),
        ("vgg", {"image_size": (64, 96)}, (64, 96)),
        ("vgg", {"image_size": np.int64(64)}, (64, 64)),
        ("googlenet", {"image_size": 96}, (96, 96)),
        ("resnet-imagenet", {"image_size": 300}, (300, 300)),
        ("resnet-cifar", {}, (256, 320)),
        ("resnet-cifar", {"image_size": 250}, (250, 250)),
        *((name, {}, (256, 320)) for name in _KEEPING),
    ],
)
def test_sizes(name, arguments, size):
    layer = augment.preset(name, **arguments)
    images = np.full((1, 256, 320, 3), 128, "uint8")
    assert layer.compute_output_shape(images.shape) == (1, *size, 3)
    assert layer.augment_numpy(images, SEEDS[:1]).shape == (1, *size, 3)
    assert layer(images, training=False).shape == (1, *size, 3)


@pytest.mark.parametrize(
    ("name", "shorter"), [("vgg", (256, 512)), ("resnet-imagenet", (256, 480))]
)
def test_scales_are_the_papers(name, shorter):
    jitter = augment.preset(name).layers[0]
    assert (jitter.size, jitter.shorter) == ((224, 224), shorter)
    half = augment.preset(name, image_size=112).layers[0]
    assert (half.size, half.shorter) == ((112, 112), (128, shorter[1] / 2))


@pytest.mark.parametrize("name", [*_CROPPING, *_KEEPING])
def test_photos_are_mirrored_and_digits_are_not(name):
    """A wide wedge, dark on the left: which side is darker tells the mirror image."""
    wedge = np.linspace(20, 220, 256).astype("uint8")
    images = np.broadcast_to(wedge[None, None, :, None], (40, 256, 256, 3)).copy()
    changed = augment.preset(name).augment_numpy(images, SEEDS).astype(float)
    centre = changed[:, 60:160, 60:160, 1]
    darker_right = centre[:, :, :30].mean(axis=(1, 2)) > centre[:, :, -30:].mean(axis=(1, 2))
    assert (darker_right.sum() == 0) if name == "lenet" else 8 < darker_right.sum() < 32


def test_what_is_unknown_or_has_no_size_is_said():
    with pytest.raises(InputError, match="resnet-cifar"):
        augment.preset("resnet-cifra")
    with pytest.raises(InputError, match="keeps the size"):
        augment.preset("light", image_size=96)
