"""The traced network: float32, from uint8, with nothing left outside it."""

import keras
import numpy as np
import pytest

from kerascnn.export._network import exportable, graph, keras_outputs
from kerascnn.models import CifarResNeXt

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def images(count=3):
    return np.random.default_rng(0).integers(256, size=(count, 32, 32, 3), dtype=np.uint8)


def test_statistics_that_are_no_variables_are_in_the_graph():
    normalized = keras.layers.Normalization(mean=np.arange(300.0), variance=np.ones(300))
    photos = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(300, 3)(photos))
    model = keras.Model(photos, keras.layers.Softmax()(normalized(x)))
    network = graph(model)
    assert not network.get_concrete_function().captured_inputs
    outputs = network(images())["probabilities"]
    np.testing.assert_allclose(outputs, keras_outputs(model, images()), atol=1e-5)


def test_grouped_convolutions_are_plain_operations():
    model = CifarResNeXt(depth=11, cardinality=4, width=8)
    operations = graph(model).get_concrete_function().graph.get_operations()
    kinds = {operation.type for operation in operations}
    assert "Conv2D" in kinds and not {"PartitionedCall", "StatefulPartitionedCall"} & kinds


def test_a_model_made_from_a_list_of_inputs_takes_photos_without_a_warning():
    photos = keras.Input((32, 32, 3))
    model = keras.Model([photos], keras.layers.Flatten()(photos))
    outputs = graph(model)(images())["probabilities"]
    np.testing.assert_array_equal(outputs, keras_outputs(model, images()))


def test_a_float32_model_is_not_copied():
    photos = keras.Input((32, 32, 3))
    model = keras.Model(photos, keras.layers.Flatten()(photos))
    assert exportable(model) is model
