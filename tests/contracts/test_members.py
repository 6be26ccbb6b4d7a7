"""What every named network keeps: its exact parameters, and that it learns real images."""

import inspect
import io

import keras
import numpy as np
import pytest
from PIL import Image

from kerascnn import models
from tests import facts
from tests.tables import without_memory

MEMBERS = [
    name
    for name in models.__all__
    if name[0].isupper() and getattr(models, name).__name__ not in ("VGG",)
    if not {"depth", "num_columns"} & set(inspect.signature(getattr(models, name)).parameters)
    or name == "FractalNet34"
]
DEEPEST = {"CifarResNet1202", "StochasticDepthResNet1202"}  # 18 s to build
PARAMETERS = facts.RESNET_PARAMETERS | facts.CIFAR_PARAMETERS


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in DEEPEST)) for n in PARAMETERS]
)
def test_trainable_parameters_are_those_of_the_paper(name):
    model = without_memory(getattr(models, name))
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == PARAMETERS[name]
    assert model.output_shape == (None, 10 if name in facts.CIFAR_PARAMETERS else 1000)


@pytest.fixture
def cifar(shared_data):
    """Real images (16, 32, 32, 3) in about [-2, 2], and their labels."""
    with np.load(shared_data("data/cifar10_jpegbytes.npz")) as file:
        offset, data, labels = (file[f] for f in ("train_offset", "train_jpeg", "y_train"))
        files = [data[a:b].tobytes() for a, b in zip(offset[:16], offset[1:17])]
    images = np.stack([np.asarray(Image.open(io.BytesIO(f)).convert("RGB")) for f in files])
    return (images.astype("float32") - 128) / 64, labels[:16].reshape(-1).astype("int32")


def prepared(images, shape):
    """Images of another size and number of channels, by repeating pixels and averaging."""
    times = -(-shape[0] // 32)
    images = images.repeat(times, 1).repeat(times, 2)[:, : shape[0], : shape[1]]
    return images if shape[2] == 3 else images.mean(-1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", MEMBERS)
def test_it_learns_real_images(name, cifar):
    """The loss of the same 16 images falls within ten steps of SGD."""
    keras.utils.set_random_seed(0)
    builder = getattr(models, name)
    smallest = {"AlexNet": (67, 67, 3), "ZFNet": (63, 63, 3), "LeNet5": (32, 32, 1)}
    shape = smallest.get(name, (32, 32, 3))
    model = builder(input_shape=shape, classes=10)
    # A function a layer: to trace 1,202 layers into one takes minutes.
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
        run_eagerly=name in DEEPEST,
    )
    images, labels = cifar
    x = prepared(images, shape)
    steps = 3 if name in DEEPEST else 10
    losses = [float(model.train_on_batch(x, labels)) for _ in range(steps)]
    assert np.isfinite(losses).all()
    assert min(losses[1:]) < losses[0]
