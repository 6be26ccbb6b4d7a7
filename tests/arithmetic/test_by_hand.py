"""Sizes and counts by hand, against Keras, NumPy and counting one by one."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.arithmetic import convolution, output_size, receptive_field
from tests import facts


def positions(size, kernel_size, stride, padding):
    """Where a window can lie, tried one by one."""
    padded = range(size + 2 * padding)
    return [p for p in padded[::stride] if p + kernel_size <= len(padded)]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
def test_output_size_is_the_number_of_positions(kernel_size, padding, stride):
    for size in range(5, 12):
        found = positions(size, kernel_size, stride, padding)
        options = (size, kernel_size, stride, padding)
        assert output_size(*options, rounding="floor") == len(found)
        if found[-1] + kernel_size == size + 2 * padding:
            assert output_size(*options) == output_size(*options, rounding="ceil") == len(found)
        else:
            more = found[-1] + stride < size + padding  # begins in the input or before, as Caffe's
            assert output_size(*options, rounding="ceil") == len(found) + more
            with pytest.raises(InputError, match="is left over|are left over"):
                output_size(*options)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("kernel_size", [1, 3, 4])
def test_modes_are_those_of_numpy(mode, kernel_size):
    expected = len(np.convolve(np.ones(9), np.ones(kernel_size), mode))
    assert output_size(9, kernel_size, padding=mode) == expected


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2)])
def test_output_size_is_that_of_keras(padding, stride, dilation):
    for size in range(7, 14):
        layer = keras.layers.Conv1D(1, 3, stride, padding, dilation_rate=dilation)
        expected = layer.compute_output_shape((1, size, 1))[1]
        options = {"dilation": dilation, "rounding": "floor"}
        assert output_size(size, 3, stride, padding, **options) == expected


def test_zfnet_has_the_sizes_of_the_paper():
    """Zeiler and Fergus 2014, Fig. 3: 224, 110, 55, 26, 13; Caffe's pooling rounds up."""
    conv1 = output_size(224, 7, 2, padding=1, rounding="floor")
    pool1 = output_size(conv1, 3, 2, rounding="ceil")
    conv2 = output_size(pool1, 5, 2)
    assert (conv1, pool1, conv2) == (110, 55, 26)
    assert output_size(conv2, 3, 2, rounding="ceil") == 13


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 3, "kernel_size": 5}, "A window of 5 is larger than 3 with padding 0"),
        ({"size": 3, "kernel_size": 3, "dilation": 2}, "A window of 5 is larger than 3"),
        ({"size": 7, "kernel_size": 3, "padding": "half"}, "Unknown padding 'half'"),
        ({"size": 7, "kernel_size": 3, "rounding": "up"}, "Unknown rounding 'up'"),
        ({"size": 7, "kernel_size": 3, "stride": 0}, "stride=0"),
        ({"size": 0, "kernel_size": 3, "padding": "same"}, "size=0"),
        ({"size": 7, "kernel_size": 3, "padding": -1}, "padding=-1"),
    ],
)
def test_what_cannot_be_is_said(options, sentence):
    with pytest.raises(InputError) as error:
        output_size(**options)
    assert sentence in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("filters", "kernel_size", "options"),
    [
        (6, 3, {}),
        (6, 3, {"stride": 2}),
        (6, 2, {"padding": "valid", "use_bias": False}),
        (8, 3, {"groups": 4}),
    ],
)
def test_convolution_is_that_of_keras(filters, kernel_size, options):
    counts = convolution((9, 7, 4), filters, kernel_size, **options)
    layer = keras.layers.Conv2D(
        filters, kernel_size, options.pop("stride", 1), options.pop("padding", "same"), **options
    )
    assert layer(keras.ops.ones((1, 9, 7, 4))).shape[1:] == counts.output_shape
    assert layer.count_params() == counts.parameters


def test_connections_are_one_for_each_value_read_and_one_for_the_bias():
    with_bias = convolution((32, 32, 1), 6, 5, padding="valid")
    without = convolution((32, 32, 1), 6, 5, padding="valid", use_bias=False)
    assert with_bias.connections == facts.LENET5_CONNECTIONS["c1"]
    assert with_bias.connections - without.connections == 28 * 28 * 6
    assert without.connections == without.multiply_adds == with_bias.multiply_adds


def test_groups_must_divide():
    with pytest.raises(InputError, match="groups=3"):
        convolution((8, 8, 4), 6, 3, groups=3)


def test_inception_module_of_the_lecture():
    shape = (28, 28, 256)
    naive = [convolution(shape, *conv).multiply_adds for conv in [(128, 1), (192, 3), (96, 5)]]
    assert sum(naive) == facts.INCEPTION_NAIVE[0]
    reduce = convolution(shape, 64, 1)
    large = [convolution(reduce.output_shape, *conv) for conv in [(192, 3), (96, 5)]]
    reduced = naive[0] + 3 * reduce.multiply_adds + sum(conv.multiply_adds for conv in large)
    assert reduced == facts.INCEPTION_REDUCED[0]


@pytest.mark.parametrize(
    "layers", [[3, 3, 3], [7], [(7, 2), (3, 2), 3, 3], [(2, 2), (3, 3), 2], [(1, 2), 3]]
)
def test_receptive_field_is_what_reaches_a_unit(layers):
    """Followed back from one unit of the last layer."""
    seen = {0}
    pairs = [layer if isinstance(layer, tuple) else (layer, 1) for layer in layers]
    for kernel_size, stride in reversed(pairs):
        seen = {unit * stride + offset for unit in seen for offset in range(kernel_size)}
    assert receptive_field(layers) == max(seen) - min(seen) + 1
