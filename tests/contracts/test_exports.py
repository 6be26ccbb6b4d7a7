"""Every network goes to every format and agrees with Keras: layers of ours are plain operations."""

import keras
import pytest

from kerascnn.export import export
from kerascnn.export.formats import FORMATS
from kerascnn.transfer import backbone
from tests.contracts.test_builders import BUILDERS

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
QUICK = {("FractalNet", "onnx"), ("LeNet5-rbf", "litert")}


def mobilenet():
    """One of `keras.applications`, with its preprocessing."""
    network = backbone("MobileNetV2", None, image_size=64, alpha=0.35)
    return keras.Model(network.input, keras.layers.Dense(5, "softmax")(network.output))


ROWS = {"MobileNetV2": (mobilenet, {})} | BUILDERS
PAIRS = [
    pytest.param(name, to, marks=[] if (name, to) in QUICK else [pytest.mark.slow])
    for name in ROWS
    for to in FORMATS
]


@pytest.mark.parametrize(("name", "to"), PAIRS)
def test_the_exported_network_agrees_with_keras(name, to, tmp_path):
    keras.utils.set_random_seed(0)
    builder, options = ROWS[name]
    done = export(builder(**options), tmp_path / "x", to, tolerance=1e-5)
    assert done.agreement == 1
    keras.backend.clear_session()
