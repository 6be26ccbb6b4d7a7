"""Stages of networks against the tables of their papers."""

import keras
import pytest

from kerascnn import models
from kerascnn.visualize import stage_layout, stages
from kerascnn.visualize.architecture import TEXT_SIZE, text_width
from tests import facts

CASES = {  # the output of each stage as the papers' tables and figures print them
    "LeNet5": (  # Fig. 2
        models.LeNet5,
        [
            (32, 32, 1),
            (28, 28, 6),
            (14, 14, 6),
            (10, 10, 16),
            (5, 5, 16),
            (1, 1, 120),
            (84,),
            (10,),
        ],
    ),
    "ResNet50": (  # Table 1
        models.ResNet50,
        [(224, 224, 3), (112, 112, 64), (56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
        + [(1000,)],
    ),
    "GoogLeNet": (  # Table 1
        models.GoogLeNet,
        [(224, 224, 3)]
        + [facts.GOOGLENET_TABLE_1[name][0] for name in ("conv1", "conv2")]
        + [facts.GOOGLENET_TABLE_1[f"inception{m}"][0] for m in ("3b", "4e", "5b")]
        + [(1000,)],
    ),
    "FractalNet20": (
        models.FractalNet20,
        [(32, 32, 3), (32, 32, 64), (16, 16, 128), (8, 8, 256), (4, 4, 512), (2, 2, 512)]
        + [(1, 1, 512), (10,)],
    ),
}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    build, shapes = CASES[request.param]
    model = build()
    return model, stages(model), shapes


@pytest.mark.thorough
def test_outputs_are_those_of_the_paper(case):
    _, found, shapes = case
    assert [stage.output_shape for stage in found] == shapes


def test_numbers_add_up_to_those_of_the_model(case):
    model, found, _ = case
    assert sum(stage.parameters for stage in found) == model.count_params()
    kernels = [w for w in model.weights if w.name == "kernel"]
    assert sum(stage.num_layers for stage in found) == len(kernels)
    assert found[0].parameters == found[0].multiply_adds == found[0].num_layers == 0


def test_named_layer_gives_the_output(case):
    model, found, _ = case
    for stage in found:
        assert model.get_layer(stage.name).output.shape[1:] == stage.output_shape


def test_alexnet():
    found = {stage.name: stage for stage in stages(models.AlexNet())}
    assert found["conv5"].num_layers == 3
    assert found["pool5"].output_shape == (facts.ALEXNET_SIZES["pool5"],) * 2 + (256,)
    total = sum(stage.multiply_adds for stage in found.values())
    assert total == facts.ALEXNET_MULTIPLY_ADDS["two-tower"]


def test_padding_is_no_stage():
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.ZeroPadding2D(2, name="pad")(image)
    x = keras.layers.Conv2D(4, 5, strides=2, name="conv")(x)
    assert [stage.name for stage in stages(keras.Model(image, x))] == ["image", "conv"]


def test_second_outputs_are_left_out():
    shape = {"input_shape": (65, 65, 3), "classes": 2}
    with_heads = stages(models.GoogLeNet(aux_heads=True, **shape))
    assert with_heads == stages(models.GoogLeNet(**shape))


def test_inside_a_block_is_no_end_of_a_stage():
    """Bottlenecks hold narrower maps of each size; other paths go around them."""
    found = stages(models.ResNet50(variant="v2", input_shape=(64, 64, 3)))
    assert [stage.output_shape[-1] for stage in found[1:-1]] == [64, 256, 512, 1024, 2048]


def test_a_branch_that_is_joined_at_once_is_no_stage():
    """Squeeze and excitation: 1x1 maps beside the 8x8 ones that they are multiplied with."""
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 1, name="conv")(image)
    squeezed = keras.layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    x = keras.layers.Multiply(name="excite")([x, squeezed])
    assert [stage.name for stage in stages(keras.Model(image, x))] == ["image", "excite"]


def test_blocks_and_their_texts_stand_apart(case):
    model, found, _ = case
    slabs = stage_layout(model)
    assert [slab.texts[-1] for slab in slabs] == [stage.name for stage in found]
    for a, b in zip(slabs, slabs[1:]):
        assert a.left + a.width + a.shift < b.left
        widths = [max(text_width(text, TEXT_SIZE) for text in slab.texts) for slab in (a, b)]
        assert a.centre + widths[0] / 2 < b.centre - widths[1] / 2


def test_sizes_of_blocks():
    slabs = {slab.texts[-1]: slab for slab in stage_layout(models.ResNet18(classes=2))}
    image, end = slabs["image"], slabs["stage5_block2_out"]
    assert image.height / end.height == pytest.approx((224 / 7) ** 0.5)
    assert image.shift / end.shift == pytest.approx((224 / 7) ** 0.5)
    assert end.width - slabs["stage4_block2_out"].width == pytest.approx(
        slabs["stage3_block2_out"].width - slabs["stage2_block2_out"].width
    )
    assert slabs["stem_relu"].texts[:4] == ("112x112x64", "1", "9,664", "118,013,952")


def test_dense_networks_have_stages_too():
    x = keras.Input((784,), name="x")
    model = keras.Model(x, keras.layers.Dense(10, name="y")(x))
    assert [slab.texts[0] for slab in stage_layout(model)] == ["784", "10"]
