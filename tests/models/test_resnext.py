"""ResNeXt: counts and shapes of the paper, and its three equivalent forms."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from tests import facts
from tests.oracles import residual
from tests.tables import without_memory


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.thorough
@pytest.mark.parametrize(("cardinality", "width"), facts.RESNEXT50_EQUAL_COST)
def test_cardinality_and_width_at_equal_cost(cardinality, width):
    model = without_memory(models.ResNeXt50, cardinality=cardinality, width=width)
    assert trainable(model) == facts.RESNEXT50_EQUAL_COST[cardinality, width]


@pytest.mark.thorough
@pytest.mark.parametrize(("cardinality", "width"), facts.RESNEXT101_PARAMETERS)
def test_parameters_of_101_layers(cardinality, width):
    model = without_memory(models.ResNeXt101, cardinality=cardinality, width=width)
    assert trainable(model) == facts.RESNEXT101_PARAMETERS[cardinality, width]


def test_shapes_after_each_stage():
    model = without_memory(models.ResNeXt50)
    names = ["stem_pool", *(f"stage{s}_block{n}_out" for s, n in zip((2, 3, 4, 5), (3, 4, 6, 3)))]
    assert [model.get_layer(n).output.shape[1:] for n in names] == facts.RESNET50_SHAPES
    model = without_memory(models.CifarResNeXt29x8x64d)
    names = ["stem_relu", *(f"stage{stage}_block3_out" for stage in (1, 2, 3))]
    assert [model.get_layer(n).output.shape[1:] for n in names] == facts.CIFAR_RESNEXT_SHAPES


def test_a_block_is_the_papers():
    options = {"depth": 11, "cardinality": 4, "width": 3}
    model = residual.randomise(models.CifarResNeXt(**options))
    both = [model.get_layer(f"stage{stage}_block1_out").output for stage in (1, 2)]
    x, y = keras.Model(model.input, both)(np.random.default_rng(1).normal(size=(1, 32, 32, 3)))
    x = keras.ops.convert_to_numpy(x).astype("float64")
    net = residual.Network(model)
    expected = residual.bottleneck_v1(net, x, "stage2_block1", (1, 2), groups=4)
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)


def spread(grouped, split, cardinality):
    """Give the paths of form "a" or "b" the weights of the groups of form "c"."""
    for layer in split.layers:
        name, _, rest = layer.name.partition("_path")
        if not layer.weights:
            continue
        if not rest:
            layer.set_weights(grouped.get_layer(layer.name).get_weights())
            continue
        number, _, part = rest.partition("_")
        whole = grouped.get_layer(f"{name}_{part}").get_weights()
        axis = -2 if part == "3_conv" else -1  # the last 1x1 is split along its inputs
        pieces = [np.split(w, cardinality, axis=axis)[int(number) - 1] for w in whole]
        layer.set_weights(pieces)


@pytest.mark.thorough
@pytest.mark.parametrize("cardinality", [1, 4])
@pytest.mark.parametrize("form", ["a", "b"])
def test_the_three_forms_are_equal(form, cardinality):
    options = {"depth": 11, "cardinality": cardinality, "width": 4}
    grouped = residual.randomise(models.CifarResNeXt(**options))
    split = models.CifarResNeXt(**options, form=form)
    assert trainable(split) == trainable(grouped)
    spread(grouped, split, cardinality)
    x = np.random.default_rng(1).normal(size=(3, 32, 32, 3)).astype("float32")
    for name in ("stage1_block1_out", "stage3_block1_out", "output"):
        y, expected = (keras.Model(m.input, m.get_layer(name).output)(x) for m in (split, grouped))
        np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-4)


def test_cardinality_1_is_a_bottleneck_resnet():
    ours = without_memory(models.ResNeXt, depth=50, cardinality=1, width=64, name="same")
    resnet = without_memory(models.ResNet50, name="same")
    assert [layer.name for layer in ours.layers] == [layer.name for layer in resnet.layers]
    assert [w.shape for w in ours.weights] == [w.shape for w in resnet.weights]


@pytest.mark.parametrize(
    ("builder", "options", "message"),
    [
        (models.ResNeXt, {"depth": 34}, "50, 101 or 152.*depth=34"),
        (models.CifarResNeXt, {"depth": 28}, r"9n \+ 2.*11, 20, 29.*depth=28"),
        (models.CifarResNeXt, {"depth": 29, "cardinality": 0}, "cardinality=0"),
        (models.ResNeXt, {"depth": 50, "width": 4.0}, "width=4.0"),
        (models.ResNeXt, {"depth": 50, "form": "d"}, "Unknown form 'd'"),
    ],
)
def test_what_cannot_be_is_said(builder, options, message):
    with pytest.raises(InputError, match=message):
        builder(**options)
