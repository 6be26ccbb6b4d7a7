"""A SavedModel as TensorFlow Serving sees it."""

import json

import pytest
import tensorflow as tf

from kerascnn.export import export

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_signature_and_the_assets(run, result, tmp_path):
    export(run, tmp_path / "shapes" / "1", "saved_model")
    signatures = tf.saved_model.load(str(tmp_path / "shapes" / "1")).signatures
    assert list(signatures) == ["serving_default"]
    _, named = signatures["serving_default"].structured_input_signature
    assert named["images"].dtype == tf.uint8 and named["images"].shape[0] is None
    (output,) = signatures["serving_default"].structured_outputs.items()
    assert output[0] == "probabilities" and output[1].shape[1] == 3
    assets = json.loads((tmp_path / "shapes/1/assets/labels.json").read_text())
    assert assets["class_names"] == result.class_names
