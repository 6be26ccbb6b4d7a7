import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.initializers import FanInUniform
from kerascnn.layers import PartiallyConnectedConv2D
from tests.facts import LENET5_C3_READS
from tests.oracles import lenet as oracle

RNG = np.random.default_rng(0)
TABLE = np.array([[i in reads for reads in LENET5_C3_READS] for i in range(6)], dtype=int)


def test_it_computes_the_sum_over_the_maps_of_the_table():
    x = RNG.normal(size=(14, 14, 6)).astype("float32")
    layer = PartiallyConnectedConv2D(TABLE, 5)
    layer.build((None, 14, 14, 6))
    kernel = RNG.normal(size=(5, 5, 60)).astype("float32")
    bias = RNG.normal(size=16).astype("float32")
    layer.set_weights([kernel, bias])
    # The kernel's last axis runs through the table row by row.
    kernels = {}
    for k, (c, f) in enumerate(zip(*np.nonzero(TABLE))):
        kernels[f, c] = kernel[:, :, k]
    expected = oracle.convolve_table(x, kernels, bias, LENET5_C3_READS)
    np.testing.assert_allclose(layer(x[None])[0], expected, atol=1e-4)


def test_a_full_table_is_a_plain_convolution():
    x = RNG.normal(size=(2, 9, 8, 3)).astype("float32")
    plain = keras.layers.Conv2D(4, 3)
    ours = PartiallyConnectedConv2D(np.ones((3, 4)), 3)
    plain.build(x.shape)
    ours.build(x.shape)
    kernel, bias = RNG.normal(size=(3, 3, 3, 4)), RNG.normal(size=4)
    plain.set_weights([kernel, bias])
    ours.set_weights([kernel.reshape(3, 3, 12), bias])
    np.testing.assert_allclose(ours(x), plain(x), atol=1e-5)


def test_no_output_map_sees_a_map_that_it_is_not_connected_to():
    layer = PartiallyConnectedConv2D(TABLE, 5)
    x = np.zeros((1, 5, 5, 6), dtype="float32")
    before = np.asarray(layer(x))[0, 0, 0]
    for c in range(6):
        x[:] = 0
        x[..., c] = 1
        changed = np.asarray(layer(x))[0, 0, 0] != before
        np.testing.assert_array_equal(changed, TABLE[c].astype(bool))


def test_each_output_map_starts_with_its_own_fan_in():
    layer = PartiallyConnectedConv2D(
        [[1, 1], [0, 1]], 20, kernel_initializer=FanInUniform([400, 800], seed=0)
    )
    layer.build((None, 20, 20, 2))
    largest = abs(np.asarray(layer.kernel)).max(axis=(0, 1))
    np.testing.assert_allclose(largest, [2.4 / 400, 2.4 / 800, 2.4 / 800], rtol=0.02)


def test_only_connections_have_weights():
    layer = PartiallyConnectedConv2D(TABLE, 5)
    layer.build((None, 14, 14, 6))
    assert [tuple(w.shape) for w in layer.trainable_weights] == [(5, 5, 60), (16,)]


@pytest.mark.parametrize("table", [[1, 0], [[0, 2]], [[1, 0], [1, 0]]])
def test_a_table_that_is_none_is_refused(table):
    with pytest.raises(InputError, match="must be a table of 0 and 1"):
        PartiallyConnectedConv2D(table, 3)


def test_another_number_of_maps_is_refused():
    with pytest.raises(InputError, match=r"6 rows.*\(None, 14, 14, 3\)"):
        PartiallyConnectedConv2D(TABLE, 5).build((None, 14, 14, 3))
