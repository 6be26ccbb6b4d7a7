"""Wide ResNet: the paper's shapes, blocks against NumPy."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from tests import facts
from tests.oracles import residual
from tests.tables import without_memory


def test_shapes_after_each_stage():
    model = without_memory(models.WideResNet40x4)
    names = ["stem_conv", *(f"stage{stage}_block6_out" for stage in (1, 2, 3))]
    assert [model.get_layer(n).output.shape[1:] for n in names] == facts.WRN_40_4_SHAPES


def test_blocks_are_the_papers():
    model = residual.randomise(models.WideResNet(depth=16, width=1, dropout_rate=0.3))
    net, images = residual.Network(model), np.random.default_rng(1).normal(size=(2, 32, 32, 3))
    for before, block, stride in [
        ("stem_conv", "stage1_block1", 1),  # 16 to 16: the identity
        ("stage1_block1_out", "stage1_block2", 1),
        ("stage1_block2_out", "stage2_block1", 2),
    ]:
        both = [model.get_layer(name).output for name in (before, f"{block}_out")]
        x, y = keras.Model(model.input, both)(images)
        x = keras.ops.convert_to_numpy(x).astype("float64")
        expected = residual.basic_v2(net, x, block, stride)
        np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)


def test_a_wider_first_block_projects_the_activation():
    model = without_memory(models.WideResNet16x4)
    projected = model.get_layer("stage1_block1_0_conv")
    assert projected.input is model.get_layer("stage1_block1_1_relu").output
    assert projected.kernel.shape == (1, 1, 16, 64)


def test_dropout_is_between_the_convolutions():
    model = models.WideResNet(depth=10, width=2, dropout_rate=0.3)
    dropout = model.get_layer("stage2_block1_dropout")
    assert dropout.rate == 0.3
    assert dropout.input is model.get_layer("stage2_block1_2_relu").output
    assert model.get_layer("stage2_block1_2_conv").input is dropout.output
    plain = models.WideResNet(depth=10, width=2)
    assert not any("dropout" in layer.name for layer in plain.layers)


def test_the_bottleneck_form_is_resnet_at_width_1():
    wide = without_memory(models.WideBottleneckResNet, depth=50, width=1, name="same")
    resnet = without_memory(models.ResNet50, name="same")

    def told(model):
        return [(layer.name, type(layer), layer.output.shape) for layer in model.layers]

    assert told(wide) == told(resnet)


@pytest.mark.parametrize(
    ("builder", "options", "message"),
    [
        (models.WideResNet, {"depth": 27, "width": 10}, r"6n \+ 4.*10, 16, 22.*depth=27"),
        (models.WideResNet, {"depth": 28, "width": 0}, "`width`.*width=0"),
        (models.WideResNet, {"depth": 28, "width": 1.5}, "`width`.*width=1.5"),
        (models.WideResNet, {"depth": 28, "width": 1, "dropout_rate": 1}, r"\[0, 1\).*=1"),
        (models.WideBottleneckResNet, {"depth": 34, "width": 2}, "50, 101 or 152.*depth=34"),
    ],
)
def test_what_cannot_be_is_said(builder, options, message):
    with pytest.raises(InputError, match=message):
        builder(**options)
