"""ZFNet against the sizes of the paper's Fig. 3 and its rules for the filters."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.arithmetic import analyze
from kerascnn.models import ZFNet
from tests import facts
from tests.learning import zeros_and_ones
from tests.oracles.lrn import normalise
from tests.tables import differences, hidden_activations, rows_of, without_memory

SMALL = {"input_shape": (53, 53, 3), "classes": 2}
CONVOLUTIONS = ["conv1", "conv2", "conv3", "conv4", "conv5"]


@pytest.mark.parametrize(
    ("wide", "parameters", "multiply_adds"),
    [
        (False, facts.ZFNET_PARAMETERS, facts.ZFNET_MULTIPLY_ADDS),
        (True, facts.ZFNET_WIDE_PARAMETERS, facts.ZFNET_WIDE_MULTIPLY_ADDS),
    ],
)
def test_parameters_multiply_adds_and_depth(wide, parameters, multiply_adds):
    counts = analyze(without_memory(ZFNet, wide=wide))
    assert (counts.parameters, counts.multiply_adds) == (parameters, multiply_adds)
    assert counts.depth == 8


def test_the_table_of_the_docstring_is_true():
    assert not differences(ZFNet, without_memory(ZFNet))


def test_sizes_of_the_maps_are_those_of_figure_3():
    model = without_memory(ZFNet)
    sizes = {name: model.get_layer(name).output.shape[1:3] for name in facts.ZFNET_SIZES}
    assert sizes == {name: (n, n) for name, n in facts.ZFNET_SIZES.items()}


def test_pooling_windows_cross_the_far_edge_only():
    """Ceil mode: of an even size the last window has two rows, of an odd one three."""
    model = without_memory(ZFNet)
    for name, size in {"pool1": 110, "pool2": 26, "pool5": 13}.items():
        starts = range(0, 2 * facts.ZFNET_SIZES[name], 2)
        largest = [min(start + 2, size - 1) for start in starts]
        assert rows_of(model.get_layer(name), size) == largest


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return ZFNet(**SMALL)


def test_the_order_is_convolution_pooling_normalisation(model):
    names = " ".join(layer.name for layer in model.layers)
    assert "conv1 pool1 norm1 conv2 pool2 norm2 conv3 conv4 conv5 pool5 flatten fc6" in names
    x = np.random.default_rng(0).uniform(0, 99, (1, 3, 3, 96)).astype("float32")
    for name in ("norm1", "norm2"):
        y = keras.ops.convert_to_numpy(model.get_layer(name)(x))
        np.testing.assert_allclose(y, normalise(x, **facts.ALEXNET_LRN), rtol=1e-4)


def test_start_is_the_papers(model):
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            assert kernel.std() == pytest.approx(0.01, rel=0.05), layer.name
            assert (bias == 0).all()


def test_training_bounds_the_filters_of_convolutions_only(model):
    model = keras.models.clone_model(model)
    for name in (*CONVOLUTIONS, "fc7"):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[..., 0] *= 100  # of 0.01
        model.get_layer(name).set_weights([kernel, bias])
    model.compile(keras.optimizers.SGD(1e-9), loss="sparse_categorical_crossentropy")
    model.train_on_batch(*zeros_and_ones(model.input_shape[1:], 2))
    for name in CONVOLUTIONS:
        kernel = model.get_layer(name).get_weights()[0]
        rms = np.sqrt((kernel**2).mean((0, 1, 2)))
        assert rms[0] == pytest.approx(facts.ZFNET_MAX_RMS, rel=1e-5)
        assert (rms[1:] < 0.02).all()
    assert model.get_layer("fc7").get_weights()[0][:, 0].std() > 0.5


def test_hidden_layers_are_rectified(model):
    assert hidden_activations(model) == {"relu"}


def test_smallest_image():
    model = without_memory(ZFNet, include_top=False, input_shape=(53, 96, 1))
    assert model.output_shape == (None, 1, 2, 256)
    with pytest.raises(InputError, match=r"at least 53.*\(52, 96, 1\)"):
        ZFNet(include_top=False, input_shape=(52, 96, 1))
