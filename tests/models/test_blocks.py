"""What the residual families share, against NumPy."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.models import _blocks
from tests.oracles import residual

X = np.random.default_rng(0).normal(size=(2, 7, 8, 4)).astype("float32")


def model_of(block):
    inputs = keras.Input(X.shape[1:])
    return keras.Model(inputs, block(inputs))


def run(model):
    return keras.ops.convert_to_numpy(model(X))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_convolutions_are_centred_whatever_the_stride(size, groups, stride):
    model = model_of(lambda x: _blocks.conv(x, 6, size, stride, groups=groups, name="a"))
    (kernel,) = model.get_layer("a_conv").get_weights()
    expected = residual.convolve(X, kernel, stride, groups)
    np.testing.assert_allclose(run(model), expected, atol=1e-4)


def test_the_start_is_he_and_others_without_truncation():
    values = keras.ops.convert_to_numpy(_blocks.he_normal()((3, 3, 64, 512)))
    std = np.sqrt(2 / (3 * 3 * 64))
    assert values.std() == pytest.approx(std, rel=0.01)
    assert np.abs(values).max() > 4 * std


def test_batch_normalisation_has_the_papers_constants():
    layer = model_of(lambda x: _blocks.bn(x, "a")).get_layer("a_bn")
    assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("filters", [4, 8, 16])
def test_option_a_subsamples_and_adds_zero_channels(filters, stride):
    model = model_of(lambda x: _blocks.shortcut(x, filters, stride, "A", "b"))
    np.testing.assert_array_equal(run(model), residual.zero_pad(X, filters, stride))
    assert model.count_params() == 0


@pytest.mark.parametrize(
    ("option", "filters", "stride", "projects"),
    [("B", 4, 1, False), ("B", 8, 1, True), ("B", 4, 2, True), ("C", 4, 1, True)],
)
def test_options_b_and_c_project(option, filters, stride, projects):
    model = model_of(lambda x: _blocks.shortcut(x, filters, stride, option, "b"))
    assert [layer.name for layer in model.layers[1:]] == ["b_0_conv", "b_0_bn"] * projects


def test_a_sum_and_its_relu_are_one_node():
    model = model_of(lambda x: _blocks.add_relu(x, x, "a"))
    assert [layer.name for layer in model.layers[1:]] == ["a_out"]
    np.testing.assert_allclose(run(model), np.maximum(2 * X, 0))
    np.testing.assert_allclose(model(X, training=True), np.maximum(2 * X, 0))


def test_the_stem_pool_sees_the_border():
    positive = np.abs(X)
    model = model_of(_blocks.stem_pool)
    padded = np.pad(positive, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = [
        [padded[:, i : i + 3, j : j + 3].max((1, 2)) for j in range(0, 8, 2)]
        for i in range(0, 7, 2)
    ]
    expected = np.moveaxis(np.array(expected), 2, 0)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(positive)), expected)


def test_stages_halve_and_double_from_the_second_on():
    assert list(_blocks.stages((2, 1, 2), first=2)) == [
        ("stage2_block1", 1, 1),
        ("stage2_block2", 1, 1),
        ("stage3_block1", 2, 2),
        ("stage4_block1", 4, 2),
        ("stage4_block2", 4, 1),
    ]


@pytest.mark.parametrize("depth", [2, 7, 0, -4, 8.0, "20", None])
def test_depths_that_cannot_be_are_named(depth):
    with pytest.raises(InputError, match=r"6n \+ 2 .*: 8, 14, 20 \.\.\. Received: depth="):
        _blocks.cifar_stages(depth, layers_per_block=2, other_layers=2)


def test_depths_count_the_layers_of_three_stages():
    def blocks(*args):
        return len(list(_blocks.cifar_stages(*args)))

    assert blocks(20, 2, 2) == 9  # ResNet: 6n + 2
    assert blocks(40, 2, 4) == 18  # Wide ResNet: 6n + 4
    assert blocks(29, 3, 2) == 9  # ResNeXt: 9n + 2
