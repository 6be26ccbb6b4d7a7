"""AlexNet against the paper's numbers, and its towers against two separate networks."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.arithmetic import analyze
from kerascnn.models import AlexNet
from tests import facts
from tests.learning import BY_CHANCE, losses
from tests.oracles.lrn import normalise
from tests.tables import differences, hidden_activations, rows_of, without_memory

VARIANTS = list(facts.ALEXNET_PARAMETERS)
SMALL = {"input_shape": (67, 67, 3), "classes": 2}


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_multiply_adds_and_depth(variant):
    counts = analyze(without_memory(AlexNet, variant=variant))
    assert counts.parameters == facts.ALEXNET_PARAMETERS[variant]
    assert counts.multiply_adds == facts.ALEXNET_MULTIPLY_ADDS[variant]
    assert counts.depth == 8


def test_the_table_of_the_docstring_is_true():
    assert not differences(AlexNet, without_memory(AlexNet))


@pytest.mark.parametrize("variant", VARIANTS)
def test_sizes_of_the_maps(variant):
    model = without_memory(AlexNet, variant=variant)
    sizes = {name: model.get_layer(name).output.shape[1:3] for name in facts.ALEXNET_SIZES}
    assert sizes == {name: (n, n) for name, n in facts.ALEXNET_SIZES.items()}


def test_the_order_is_convolution_normalisation_pooling():
    names = [layer.name for layer in without_memory(AlexNet).layers]
    convolutions = "image conv1 norm1 pool1 conv2 norm2 pool2 conv3 conv4 conv5 pool5"
    assert " ".join(names) == f"{convolutions} flatten fc6 fc6_dropout fc7 fc7_dropout output"
    weird = [layer.name for layer in without_memory(AlexNet, variant="one-weird-trick").layers]
    assert set(names) - set(weird) == {"norm1", "norm2"}
    assert set(weird) - set(names) == {"conv1_pad"}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return AlexNet(**SMALL)


def test_two_towers_meet_in_conv3_and_the_dense_layers_only(model):
    groups = {n: model.get_layer(n).groups for n in ["conv1", "conv2", "conv3", "conv4", "conv5"]}
    assert [name for name, number in groups.items() if number == 2] == facts.ALEXNET_TWO_TOWERS
    x = np.random.default_rng(0).uniform(-99, 99, (1, 67, 67, 3)).astype("float32")
    maps = {}
    for name in ("pool1", "conv2"):
        maps[name] = keras.Model(model.input, model.get_layer(name).output).predict(x, verbose=0)
    kernel, bias = model.get_layer("conv2").get_weights()
    for tower in (0, 1):  # a network of its own: 48 maps to 128
        half, out = slice(48 * tower, 48 * tower + 48), slice(128 * tower, 128 * tower + 128)
        alone = keras.ops.conv(maps["pool1"][..., half], kernel[..., out], padding="same")
        expected = np.maximum(np.asarray(alone) + bias[out], 0)
        np.testing.assert_allclose(maps["conv2"][..., out], expected, rtol=1e-4, atol=1e-5)


def test_normalisation_has_the_papers_constants(model):
    x = np.random.default_rng(0).uniform(0, 99, (1, 15, 15, 96)).astype("float32")
    for name in ("norm1", "norm2"):
        y = keras.ops.convert_to_numpy(model.get_layer(name)(x))
        np.testing.assert_allclose(y, normalise(x, **facts.ALEXNET_LRN), rtol=1e-4)


def test_start_is_the_papers(model):
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            assert kernel.std() == pytest.approx(facts.ALEXNET_STD, rel=0.05), layer.name
            assert abs(kernel.mean()) < 0.05 * facts.ALEXNET_STD
            assert (bias == (layer.name in facts.ALEXNET_BIASES_OF_ONE)).all(), layer.name


def test_dropout_is_after_the_two_hidden_dense_layers(model):
    for name in ("fc6", "fc7"):
        dropout = model.get_layer(f"{name}_dropout")
        assert dropout.rate == facts.ALEXNET_DROPOUT
        assert dropout.input is model.get_layer(name).output


def test_pooling_takes_the_largest_of_overlapping_windows(model):
    for name, size in {"pool1": 55, "pool2": 27, "pool5": 13}.items():
        assert rows_of(model.get_layer(name), size) == list(range(2, size, 2))


def test_hidden_layers_are_rectified(model):
    assert hidden_activations(model) == {"relu"}


@pytest.mark.parametrize(("variant", "smallest"), list(zip(VARIANTS, (67, 67, 63))))
def test_smallest_image(variant, smallest):
    options = {"variant": variant, "include_top": False}
    model = without_memory(AlexNet, input_shape=(smallest, smallest + 32, 1), **options)
    assert model.output_shape == (None, 1, 2, 256)
    with pytest.raises(InputError, match=rf"at least {smallest}.*{smallest - 1}"):
        AlexNet(input_shape=(smallest - 1, smallest, 1), **options)


def test_a_variant_that_does_not_exist():
    with pytest.raises(InputError, match="Did you mean 'two-tower'"):
        AlexNet(variant="two-towers")


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS[1:])
def test_the_other_variants_learn_real_digits_too(variant):
    keras.utils.set_random_seed(0)
    before, after = losses(AlexNet(variant=variant, **SMALL), 1e-4, 40)
    assert after < 0.5 * BY_CHANCE < before
