import keras
import numpy as np
import pytest
from scipy.special import expit

from kerascnn import InputError
from kerascnn.layers import OrdinalOutput

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def test_all_thresholds_share_the_weights():
    keras.utils.set_random_seed(0)
    layer = OrdinalOutput(4, bias_initializer=keras.initializers.Constant([1.0, 0.0, -2.0]))
    p = keras.ops.convert_to_numpy(layer(X))
    kernel, bias = layer.get_weights()
    assert (kernel.shape, bias.tolist()) == ((3, 1), [1.0, 0.0, -2.0])
    np.testing.assert_allclose(p, expit(X @ kernel + bias), rtol=1e-5)
    assert (np.diff(p, axis=-1) < 0).all()  # "above 2" is never likelier than "above 1"


def test_no_activation_returns_logits():
    keras.utils.set_random_seed(0)  # weights whose sums do not cancel to almost 0
    layer = OrdinalOutput(4, activation=None)
    logits = keras.ops.convert_to_numpy(layer(X))
    expected = np.repeat(X @ layer.get_weights()[0], 3, axis=1)
    np.testing.assert_allclose(logits, expected, rtol=1e-5)


@pytest.mark.parametrize("classes", [1, 2.5, "3"])
def test_two_classes_at_least(classes):
    with pytest.raises(InputError, match="classes must be an int >= 2. Received: "):
        OrdinalOutput(classes)
