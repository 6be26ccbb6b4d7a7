"""VGG against Table 1 of the paper, and against the networks of keras.applications."""

import re

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from kerascnn.arithmetic import analyze
from kerascnn.models import VGG, VGG11, VGG13, VGG16, initialize_from
from tests import facts
from tests.learning import BY_CHANCE, losses
from tests.oracles.lrn import normalise
from tests.tables import differences, without_memory

SMALL = {"input_shape": (32, 32, 3), "classes": 2}
ROW = re.compile(r'\| "([A-E](?:-LRN)?)" +\| `(\w+)` +\| (.*?) *\| ([\d,]+) \|')


def healthy(model, seed=0):
    """Weights of variance 2 / fan-in, so that values neither vanish nor explode."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = (w.shape for w in layer.weights)
            std = np.sqrt(2 / np.prod(kernel[:-1]))
            layer.set_weights([rng.normal(0, std, kernel), rng.normal(0, 0.1, bias)])
    return model


@pytest.mark.parametrize("name", facts.VGG_COUNTS)
def test_parameters_and_multiply_adds(name):
    parameters, normalised, multiply_adds = facts.VGG_COUNTS[name]
    builder = getattr(models, name)
    counts = analyze(without_memory(builder))
    assert (counts.parameters, counts.multiply_adds) == (parameters, multiply_adds)
    assert round(counts.parameters / 1e6) == facts.VGG_TABLE_2_MILLIONS[name]
    assert counts.depth == int(re.search(r"\d+", name)[0])
    assert analyze(without_memory(builder, batch_norm=True)).trainable_parameters == normalised


def test_the_tables_of_the_docstring_are_true():
    assert not differences(VGG, without_memory(VGG16))
    rows = ROW.findall(VGG.__doc__)
    assert [name for _, name, _, _ in rows] == list(facts.VGG_COUNTS)
    for config, name, stages, parameters in rows:
        model = without_memory(getattr(models, name))
        same = without_memory(VGG, config=config)
        assert [n.name for n in model.layers] == [n.name for n in same.layers]
        assert f"{model.count_params():,}" == parameters
        layers = [layer.name for layer in model.layers]
        counts = [sum(n.startswith(f"stage{s}_conv") for n in layers) for s in range(1, 6)]
        assert counts == [int(n) for n in re.findall(r"\b\d\b", stages)]
        assert ("stage1_norm" in layers) == ("normalisation" in stages)


def test_c_has_three_convolutions_of_1x1():
    sizes = {
        layer.name: layer.kernel_size[0]
        for layer in without_memory(models.VGG16C).layers
        if "_conv" in layer.name
    }
    small = [name for name, size in sizes.items() if size == 1]
    assert small == ["stage3_conv3", "stage4_conv3", "stage5_conv3"]
    assert set(sizes.values()) == {1, 3}


def test_a_lrn_normalises_after_the_first_convolution():
    model = models.VGG11LRN(**SMALL)
    norm = model.get_layer("stage1_norm")
    assert norm.input is model.get_layer("stage1_conv1").output
    assert model.get_layer("stage1_pool").input is norm.output
    x = np.random.default_rng(0).uniform(0, 99, (1, 2, 2, 64)).astype("float32")
    y = keras.ops.convert_to_numpy(norm(x))
    np.testing.assert_allclose(y, normalise(x, **facts.ALEXNET_LRN), rtol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["VGG16", "VGG19"])
def test_every_layer_gives_what_keras_applications_gives(name):
    options = {"weights": None, "input_shape": (64, 32, 3), "classes": 10}
    ours = healthy(getattr(models, name)(**options))
    theirs = getattr(keras.applications, name)(**options)
    pairs = list(
        zip(
            [layer for layer in ours.layers if "dropout" not in layer.name],
            theirs.layers,
            strict=True,
        )
    )
    for own, other in pairs:
        other.set_weights(own.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 64, 32, 3)).astype("float32")
    got = keras.Model(ours.input, [own.output for own, _ in pairs]).predict(x, verbose=0)
    expected = keras.Model(theirs.input, [o.output for _, o in pairs]).predict(x, verbose=0)
    for (own, _), a, b in zip(pairs, got, expected):
        assert abs(a - b).max() <= 1e-5 * abs(b).max(), own.name
        assert b.std() > 0.01


def test_start_is_the_papers():
    model = VGG11(**SMALL)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            assert kernel.std() == pytest.approx(facts.VGG_STD, rel=0.05), layer.name
            assert (bias == 0).all()
    assert model.get_layer("fc6_dropout").rate == model.get_layer("fc7_dropout").rate == 0.5


def test_batch_normalisation_is_between_convolution_and_relu():
    model = VGG11(batch_norm=True, include_top=False, input_shape=(32, 32, 3))
    assert {layer.activation.__name__ for layer in model.layers if hasattr(layer, "filters")} == {
        "linear"
    }
    rng = np.random.default_rng(0)
    gamma, beta, mean, variance = rng.uniform(0.5, 1.5, (4, 64)).astype("float32")
    layer = model.get_layer("stage1_conv1_bn")
    layer.set_weights([gamma, beta, mean, variance])
    assert layer.momentum == 0.9
    x = rng.normal(0, 30, (1, 32, 32, 3)).astype("float32")
    names = ["stage1_conv1", "stage1_conv1_relu"]
    outputs = [model.get_layer(name).output for name in names]
    before, after = keras.Model(model.input, outputs).predict(x, verbose=0)
    expected = (before - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    np.testing.assert_allclose(after, np.maximum(expected, 0), rtol=1e-4, atol=1e-5)


def test_smallest_image():
    model = without_memory(VGG16, include_top=False, input_shape=(32, 64, 1))
    assert model.output_shape == (None, 1, 2, 512)
    with pytest.raises(InputError, match=r"at least 32.*\(31, 64, 1\)"):
        VGG16(include_top=False, input_shape=(31, 64, 1))


def test_a_deeper_network_starts_from_a_shallower_one():
    shallow, deep = VGG11(**SMALL), VGG13(**SMALL)
    before = {layer.name: layer.get_weights() for layer in deep.layers if layer.weights}
    initialize_from(deep, shallow)
    copied = []
    for name, old in before.items():
        new = deep.get_layer(name).get_weights()
        if not np.array_equal(new[0], old[0]):
            copied.append(name)
            for a, b in zip(new, shallow.get_layer(name).get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
    # Sec. 3.1: "the first four convolutional layers and the last three fully-connected layers".
    first_four = ["stage1_conv1", "stage2_conv1", "stage3_conv1", "stage3_conv2"]
    assert copied == [*first_four, "fc6", "fc7", "output"]


def test_batch_normalisation_is_copied_with_its_convolution():
    options = SMALL | {"batch_norm": True}
    shallow, deep = VGG11(**options), VGG13(**options)
    shallow.get_layer("stage2_conv1_bn").set_weights([np.full(128, v) for v in (2, 3, 4, 5)])
    initialize_from(deep, shallow)
    weights = deep.get_layer("stage2_conv1_bn").get_weights()
    assert [set(w) for w in weights] == [{2}, {3}, {4}, {5}]


def test_networks_that_do_not_fit_stay_as_they_are():
    deep = VGG13(**SMALL)
    before = deep.get_layer("stage1_conv1").get_weights()[0]
    with pytest.raises(InputError, match="`output` of vgg11.*vgg13.*same input_shape, classes"):
        initialize_from(deep, VGG11(input_shape=(32, 32, 3), classes=3))
    with pytest.raises(InputError, match="`stage1_conv1_bn`.*missing"):
        initialize_from(deep, VGG11(**SMALL, batch_norm=True))
    np.testing.assert_array_equal(deep.get_layer("stage1_conv1").get_weights()[0], before)


def test_a_configuration_that_does_not_exist():
    with pytest.raises(InputError, match="Possible: A, A-LRN, B, C, D, E"):
        VGG(config="F")


@pytest.mark.slow
def test_net_a_learns_real_digits_and_the_deeper_one_learns_from_there():
    """As the paper reports; in as many steps the deeper one does not leave its random start."""
    keras.utils.set_random_seed(0)
    shallow = VGG11(**SMALL)
    before, after = losses(shallow, 1e-4, 40)
    assert after < 0.5 * BY_CHANCE < before
    assert losses(VGG13(**SMALL), 1e-4, 20)[1] > 0.9 * BY_CHANCE
    initialize_from(deep := VGG13(**SMALL), shallow)
    assert losses(deep, 1e-4, 20)[1] < 0.5 * BY_CHANCE
