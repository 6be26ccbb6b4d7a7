"""CIFAR ResNets and plain networks: the paper's shapes, blocks against NumPy, any depth."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from tests import facts
from tests.oracles import residual
from tests.tables import without_memory

IMAGES = np.random.default_rng(1).normal(size=(2, 32, 32, 3))


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def between(model, before, after):
    both = keras.Model(model.input, [model.get_layer(n).output for n in (before, after)])
    return [keras.ops.convert_to_numpy(y).astype("float64") for y in both(IMAGES)]


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_shapes_after_each_stage(variant):
    model = without_memory(models.CifarResNet20, variant=variant)
    names = ["stem_relu", *(f"stage{stage}_block3_out" for stage in (1, 2, 3))]
    assert [model.get_layer(n).output.shape[1:] for n in names] == facts.CIFAR_RESNET_SHAPES


def test_parameters_of_the_forms():
    assert trainable(without_memory(models.CifarResNet20, shortcut="B")) == facts.CIFAR_RESNET20_B
    v2 = without_memory(models.CifarResNet20, variant="v2")
    assert trainable(v2) == facts.CIFAR_PARAMETERS["CifarResNet20"]  # the same layers, moved


@pytest.mark.parametrize("shortcut", "ABC")
@pytest.mark.parametrize(("block", "filters", "stride"), [("stage1", 16, 1), ("stage2", 32, 2)])
def test_a_v1_block_is_the_papers(shortcut, block, filters, stride):
    model = residual.randomise(models.CifarResNet(depth=8, shortcut=shortcut))
    before = "stem_relu" if block == "stage1" else "stage1_block1_out"
    x, y = between(model, before, f"{block}_block1_out")
    expected = residual.basic_v1(residual.Network(model), x, f"{block}_block1", filters, stride)
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shortcut", "ABC")
def test_v2_blocks_are_the_papers(shortcut):
    model = residual.randomise(models.CifarResNet(depth=14, variant="v2", shortcut=shortcut))
    net = residual.Network(model)
    for before, block, stride, first in [
        ("stem_relu", "stage1_block1", 1, True),
        ("stage1_block1_out", "stage1_block2", 1, False),
        ("stage1_block2_out", "stage2_block1", 2, False),
    ]:
        x, y = between(model, before, f"{block}_out")
        expected = residual.basic_v2(net, x, block, stride, first)
        np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)


def test_the_plain_network_is_the_residual_one_without_its_sums():
    plain = residual.randomise(models.CifarPlainNet(depth=8))
    net = residual.Network(plain)
    x, y = between(plain, "stage1_block1_2_relu", "stage2_block1_2_relu")
    expected = residual.relu(net.conv_bn(x, "stage2_block1_1", stride=2))
    expected = residual.relu(net.conv_bn(expected, "stage2_block1_2"))
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)
    shapes = [w.shape for w in plain.weights]
    assert shapes == [w.shape for w in models.CifarResNet(depth=8).weights]


@pytest.mark.parametrize("builder", [models.CifarResNet, models.CifarPlainNet])
def test_a_wrong_depth_is_named(builder):
    with pytest.raises(InputError, match=r"6n \+ 2.*8, 14, 20.*depth=21"):
        builder(depth=21)
    with pytest.raises(InputError, match="at least 4"):
        builder(depth=8, input_shape=(3, 4, 3))


PLAIN_KERAS = """
import json, sys, time
sys.modules["kerascnn"] = None  # cannot be imported
import keras, numpy
start = time.perf_counter()
model = keras.models.load_model(sys.argv[1])
print(json.dumps([sys.getrecursionlimit(), model.count_params(), len(model.layers)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("builder", [models.CifarResNet, models.StochasticDepthResNet])
def test_1202_layers_build_save_and_load_at_the_default_recursion_limit(builder, tmp_path):
    assert sys.getrecursionlimit() == 1000
    model = builder(depth=1202)
    x = np.zeros((1, 32, 32, 3), "float32")
    expected = keras.ops.convert_to_numpy(model(x))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), expected)
    if builder is models.CifarResNet:
        command = [sys.executable, "-c", PLAIN_KERAS, str(tmp_path / "model.keras")]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        told = json.loads(output.splitlines()[-1])
        assert told == [1000, model.count_params(), len(model.layers)]
