"""Every network goes to every format and agrees with Keras: our layers are plain operations."""

import keras
import numpy as np
import pytest

from kerascnn import data
from kerascnn._batch_norm import has_batch_norm, recalibrate_batch_norm
from kerascnn.export import export
from kerascnn.export.formats import FORMATS
from tests.contracts.test_builders import BUILDERS

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
QUICK = {("FractalNet", "onnx"), ("LeNet5-rbf", "litert")}

MOBILENET = {"weights": None, "alpha": 0.35, "input_shape": (64, 64, 3), "classes": 5}
ROWS = {"MobileNetV2": (keras.applications.MobileNetV2, MOBILENET)} | BUILDERS
PAIRS = [
    pytest.param(name, to, marks=[] if (name, to) in QUICK else [pytest.mark.slow])
    for name in ROWS
    for to in FORMATS
]


def shades(shape):
    """Noise from dark to bright: outputs of a network that was not trained differ on it."""
    noise = np.random.default_rng(0).integers(256, size=(20, *shape))
    images = (noise * np.linspace(0.05, 1, 20).reshape(-1, 1, 1, 1)).astype(np.uint8)
    return data.from_arrays(images, [0, 1] * 10, splits=(0.5, 0.5, 0.0))


@pytest.mark.parametrize(("name", "to"), PAIRS)
def test_the_exported_network_agrees_with_keras(name, to, tmp_path):
    keras.utils.set_random_seed(0)
    builder, options = ROWS[name]
    network = builder(**options)
    photos = keras.Input(network.input_shape[1:])
    model = keras.Model(photos, network(keras.layers.Rescaling(1 / 127.5, -1.0)(photos)))
    images = shades(photos.shape[1:])
    if has_batch_norm(model):
        recalibrate_batch_norm(model, images.train)
    else:  # as published AlexNet and VGG begin with outputs that differ by 1e-6
        for layer in network.layers:
            if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
                layer.kernel.assign(keras.initializers.HeNormal(seed=0)(layer.kernel.shape))
    names = [str(i) for i in range(model.output_shape[1])]
    done = export(model, tmp_path / "x", to, photos=images, labels=names, tolerance=1e-3)
    assert done.agreement == 1 and done.num_photos == 10
    spread = model.predict_on_batch(images.validation[0][0]).std(axis=0).max()
    assert done.max_difference < 0.2 * spread
    keras.backend.clear_session()
