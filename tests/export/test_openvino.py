"""OpenVINO's two files as OpenVINO sees them."""

import json

import pytest

from kerascnn.export import export
from kerascnn.transfer.engines import openvino_core

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_network_and_its_labels(run, result, tmp_path):
    done = export(run, tmp_path / "x", "openvino")
    names = {file.name for file in done.path.iterdir()}
    assert names == {"model.xml", "model.bin", "labels.json", "check.json"}
    network = openvino_core().read_model(done.file)
    (photos,) = network.inputs
    assert photos.any_name == "images" and photos.element_type.get_type_name() == "u8"
    assert photos.partial_shape[0].is_dynamic
    assert network.outputs[0].any_name == "probabilities"
    stored = json.loads(network.get_rt_info("labels").astype(str))
    assert stored["class_names"] == result.class_names
