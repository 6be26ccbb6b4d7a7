"""What every named network keeps: its exact parameters, and that it learns real digits."""

import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import models
from tests import facts
from tests.learning import zeros_and_ones
from tests.tables import told, without_memory

MEMBERS = [
    name
    for name in models.__all__
    if name[0].isupper() and name != "VGG"
    if not {"depth", "num_columns"} & set(inspect.signature(getattr(models, name)).parameters)
    or name == "FractalNet34"
]
DEEPEST = {"CifarResNet1202", "StochasticDepthResNet1202"}  # 18 s to build
# From their published start N(0, 0.01^2) these need images of 0-255 minus the mean.
CLASSICS = {"AlexNet", "ZFNet", "VGG11", "VGG11LRN", "VGG13", "VGG16", "VGG16C", "VGG19"}
# And these do not leave it in so few steps: test_vgg.py starts one from VGG11, as the paper does.
DEEP_VGG = {"VGG13", "VGG16", "VGG16C", "VGG19"}
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "layer_names.json").read_text("utf-8"))
PARAMETERS = facts.RESNET_PARAMETERS | facts.CIFAR_PARAMETERS


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in DEEPEST)) for n in MEMBERS]
)
def test_names_and_parameters(name):
    """Names of layers are an interface: a changed golden needs a line in CHANGELOG.md."""
    model = without_memory(getattr(models, name))
    assert told(model) == GOLDEN[name]
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert trainable == PARAMETERS.get(name, trainable)  # the others: in the tests of their family


def test_the_golden_has_every_member():
    assert set(GOLDEN) == set(MEMBERS)
    assert set(PARAMETERS) <= set(MEMBERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", MEMBERS)
def test_it_learns_real_digits(name):
    """The training loss of the same 16 images falls by a tenth within 15 steps."""
    keras.utils.set_random_seed(0)
    channels = 1 if name == "LeNet5" else 3
    side = {"AlexNet": 67, "ZFNet": 63}.get(name, 32)
    options = {"batch_norm": True} if name in DEEP_VGG else {}
    model = getattr(models, name)(input_shape=(side, side, channels), classes=2, **options)
    rate, scale = (1e-4, 1) if name in CLASSICS else (1e-3, 1 / 64)
    # A function a layer where tracing all of them into one would take minutes.
    eagerly = name in DEEPEST
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(rate), loss, run_eagerly=eagerly)
    x, y = zeros_and_ones(model.input_shape[1:])
    losses = [float(model.train_on_batch(scale * x, y)) for _ in range(4 if eagerly else 15)]
    assert np.isfinite(losses).all()
    assert min(losses[1:]) < 0.9 * losses[0]
