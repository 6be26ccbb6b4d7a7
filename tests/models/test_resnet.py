"""ResNet: counts and shapes of the paper, forms against NumPy."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from tests import facts
from tests.oracles import residual
from tests.tables import without_memory

DEPTHS = [18, 34, 50, 101, 152]


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def block_model(variant, depth, shortcut=None):
    model = models.ResNet(
        depth=depth, variant=variant, shortcut=shortcut, input_shape=(32, 32, 3), classes=2
    )
    return residual.randomise(model)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("variant", ["v1", "v1.5"])
def test_parameters(variant, depth):
    model = without_memory(models.ResNet, depth=depth, variant=variant)
    assert trainable(model) == facts.RESNET_PARAMETERS[f"ResNet{depth}"]


@pytest.mark.parametrize("depth", DEPTHS)
def test_parameters_of_v2(depth):
    model = without_memory(models.ResNet, depth=depth, variant="v2")
    assert trainable(model) == facts.RESNET_V2_PARAMETERS[depth]


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_parameters_of_keras_v2(depth):
    model = without_memory(models.ResNet, depth=depth, variant="v2-keras")
    assert model.count_params() == facts.RESNET_V2_KERAS_PARAMETERS[depth]


@pytest.mark.parametrize("shortcut", "ABC")
def test_parameters_of_the_shortcuts(shortcut):
    model = without_memory(models.ResNet34, shortcut=shortcut)
    assert trainable(model) == facts.RESNET34_SHORTCUTS[shortcut]


@pytest.mark.parametrize("variant", ["v1", "v1.5", "v2"])
@pytest.mark.parametrize(
    ("builder", "blocks", "shapes"),
    [
        (models.ResNet18, (2, 2, 2, 2), facts.RESNET18_SHAPES),
        (models.ResNet50, (3, 4, 6, 3), facts.RESNET50_SHAPES),
    ],
)
def test_shapes_after_each_stage(builder, blocks, shapes, variant):
    model = without_memory(builder, variant=variant)
    ends = [f"stage{stage}_block{count}_out" for stage, count in enumerate(blocks, start=2)]
    for name, shape in zip(["stem_pool", *ends], shapes):
        assert model.get_layer(name).output.shape[1:] == shape
    with pytest.raises(ValueError, match="No such layer"):
        model.get_layer(f"stage5_block{blocks[-1] + 1}_out")


def test_keras_v2_halves_at_the_end_of_stages():
    model = without_memory(models.ResNet50, variant="v2-keras")
    sides = [model.get_layer(f"stage{stage}_block1_out").output.shape[1:] for stage in range(2, 6)]
    assert sides == [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
    assert model.get_layer("stage2_block3_out").output.shape[1] == 28


@pytest.mark.parametrize(("variant", "strided"), [("v1", "1"), ("v1.5", "2"), ("v2", "2")])
def test_where_the_stride_is(variant, strided):
    model = without_memory(models.ResNet50, variant=variant)
    strides = {i: model.get_layer(f"stage3_block1_{i}_conv").strides[0] for i in "123"}
    assert strides == {i: 2 if i == strided else 1 for i in "123"}


BASIC, BASIC_V2 = residual.basic_v1, residual.basic_v2
BOTTLENECK, BOTTLENECK_V2 = residual.bottleneck_v1, residual.bottleneck_v2
CASES = [  # variant, depth, shortcut, layer before, block, the oracle and its arguments
    ("v1.5", 18, None, "stage2_block2_out", "stage3_block1", BASIC, (128, 2)),
    ("v1.5", 18, "A", "stage2_block2_out", "stage3_block1", BASIC, (128, 2)),
    ("v1.5", 18, "C", "stage2_block1_out", "stage2_block2", BASIC, (64, 1)),
    ("v1", 50, None, "stage2_block3_out", "stage3_block1", BOTTLENECK, ((2, 1),)),
    ("v1.5", 50, None, "stage2_block3_out", "stage3_block1", BOTTLENECK, ((1, 2),)),
    ("v2", 18, None, "stage2_block1_out", "stage2_block2", BASIC_V2, (1,)),
    ("v2", 18, None, "stage2_block2_out", "stage3_block1", BASIC_V2, (2,)),
    ("v2", 18, "A", "stage2_block2_out", "stage3_block1", BASIC_V2, (2,)),
    ("v2", 18, "C", "stage2_block1_out", "stage2_block2", BASIC_V2, (1,)),
    ("v2", 50, None, "stage2_block3_out", "stage3_block1", BOTTLENECK_V2, (2,)),
    ("v2", 50, None, "stem_pool", "stage2_block1", BOTTLENECK_V2, (1, True)),
]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("variant", "depth", "shortcut", "before", "block", "oracle", "args"), CASES
)
def test_a_block_is_the_papers(variant, depth, shortcut, before, block, oracle, args):
    model = block_model(variant, depth, shortcut)
    x, y = (model.get_layer(name).output for name in (before, f"{block}_out"))
    both = keras.Model(model.input, [x, y])
    image = np.random.default_rng(1).normal(size=(2, 32, 32, 3))
    x, y = map(keras.ops.convert_to_numpy, both(image))
    x = x.astype("float64")
    np.testing.assert_allclose(
        y, oracle(residual.Network(model), x, block, *args), rtol=1e-3, atol=1e-3
    )


def test_v2_ends_in_an_activation_and_its_projections_have_no_batch_normalisation():
    model = without_memory(models.ResNet18, variant="v2", include_top=False)
    assert model.layers[-1].name == "last_relu"
    assert not any(layer.name.endswith("_0_bn") for layer in model.layers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 51}, "18, 34, 50, 101, 152. Received: depth=51.*CifarResNet"),
        ({"depth": 18, "variant": "v3"}, "Unknown variant 'v3'.*v1.5"),
        ({"depth": 18, "shortcut": "D"}, "Unknown shortcut 'D'"),
        ({"depth": 18, "variant": "v2-keras"}, '50, 101 and 152.*depth=18.*"v2"'),
        ({"depth": 50, "variant": "v2-keras", "shortcut": "A"}, "shortcut='A'"),
        ({"depth": 18, "input_shape": (31, 32, 3)}, "at least 32"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(InputError, match=message):
        models.ResNet(**options)


@pytest.mark.parametrize("shape", [(33, 47, 1), (None, None, 4)])
def test_any_size_and_channels(shape):
    model = models.ResNet18(input_shape=shape, classes=2)
    x = np.zeros((1, *(side or 35 for side in shape[:2]), shape[2]))
    assert model(x).shape == (1, 2)
