"""Stochastic depth: survival as published, and the residual network that it is."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from tests import facts
from tests.oracles import residual
from tests.tables import without_memory

IMAGES = np.random.default_rng(1).normal(size=(4, 32, 32, 3)).astype("float32")


def sums(model):
    return [layer for layer in model.layers if layer.name.endswith("_out")]


def test_survival_falls_linearly_over_the_54_blocks():
    rates = [layer.survival_rate for layer in sums(without_memory(models.StochasticDepthResNet110))]
    assert len(rates) == 54
    np.testing.assert_allclose(rates, [1 - n / 54 * 0.5 for n in range(1, 55)])
    assert round(sum(rates)) == facts.STOCHASTIC_DEPTH_MEAN_BLOCKS


def averaging(layer):
    """A copy of a layer; of a shortcut's pooling, with the mean of 2x2 pixels (Sec. 4)."""
    if layer.name.endswith("_0_pool"):
        return keras.layers.AveragePooling2D(2, name=layer.name)
    return type(layer).from_config(layer.get_config())


@pytest.mark.parametrize("training", [False, True])
def test_where_all_survive_it_is_resnet_with_averaging_shortcuts(training):
    ours = models.StochasticDepthResNet(depth=14, last_survival_rate=1.0)
    resnet = keras.models.clone_model(models.CifarResNet(depth=14), clone_function=averaging)
    residual.randomise(resnet)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in resnet.layers]
    ours.set_weights(resnet.get_weights())
    y, expected = (m(IMAGES, training=training) for m in (ours, resnet))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_inference_scales_the_branch():
    model = residual.randomise(models.StochasticDepthResNet(depth=8))
    net = residual.Network(model)
    names = ("stage1_block1_out", "stage2_block1_out")
    both = keras.Model(model.input, [model.get_layer(name).output for name in names])
    x, y = (keras.ops.convert_to_numpy(t).astype("float64") for t in both(IMAGES))
    branch = residual.relu(net.conv_bn(x, "stage2_block1_1", stride=2))
    branch = net.conv_bn(branch, "stage2_block1_2")
    means = x.reshape(4, 16, 2, 16, 2, 16).mean((2, 4))
    expected = residual.relu(residual.zero_pad(means, 32, 1) + 2 / 3 * branch)
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)


def test_sizes_need_not_be_even():
    model = models.StochasticDepthResNet(depth=8, input_shape=(9, 7, 3))
    assert model.get_layer("stage3_block1_out").output.shape[1:3] == (3, 2)


def test_training_takes_one_of_the_subnetworks():
    model = models.StochasticDepthResNet(depth=8, last_survival_rate=0.01)
    out = keras.Model(model.input, model.get_layer("stage1_block1_out").output)
    stem = model.get_layer("stem_relu").output
    stem = keras.ops.convert_to_numpy(keras.Model(model.input, stem)(IMAGES, training=True))
    identity = [
        bool((keras.ops.convert_to_numpy(out(IMAGES, training=True)) == stem).all())
        for _ in range(60)
    ]
    assert 0 < sum(identity) < 40  # survives with 0.67: about 20 of 60 are the identity


def test_a_seed_repeats_a_training_step():
    def trained():
        keras.utils.set_random_seed(3)
        model = models.StochasticDepthResNet(depth=8, mode="sample")
        model.compile("sgd", "sparse_categorical_crossentropy")
        return [model.train_on_batch(IMAGES, np.arange(4)) for _ in range(3)]

    assert trained() == trained()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 12}, r"6n \+ 2.*depth=12"),
        ({"depth": 8, "last_survival_rate": 0}, "0"),
        ({"depth": 8, "mode": "pixel"}, "Unknown mode 'pixel'"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(InputError, match=message):
        models.StochasticDepthResNet(**options)
