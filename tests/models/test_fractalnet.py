"""FractalNet: the expansion rule, drop-path, and columns as networks of their own."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from tests import facts
from tests.oracles import residual
from tests.tables import without_memory

IMAGES = np.random.default_rng(1).normal(size=(4, 8, 8, 3)).astype("float32")
SMALL = {"filters": (4, 6, 8), "dropout_rates": None, "input_shape": (8, 8, 3)}


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def small(num_columns, **options):
    return residual.randomise(models.FractalNet(num_columns=num_columns, **SMALL | options))


def run(model, x=IMAGES):
    return keras.ops.convert_to_numpy(model(x))


def test_parameters_follow_from_the_expansion_rule():
    before, total = 3, 0
    for filters in (64, 128, 256, 512, 512):
        one = 9 * before * filters + 3 * filters  # bias, gamma and beta
        other = 9 * filters * filters + 3 * filters
        total += 3 * one + 4 * other  # 1 + 2 + 4 convolutions, the first of each column reads more
        before = filters
    assert total + 512 * 10 + 10 == facts.CIFAR_PARAMETERS["FractalNet20"]
    assert trainable(without_memory(models.FractalNet20)) == facts.CIFAR_PARAMETERS["FractalNet20"]


def test_shapes_after_each_stage():
    model = without_memory(models.FractalNet20)
    names = [f"stage{stage}_pool" for stage in range(1, 6)]
    assert [model.get_layer(n).output.shape[1:] for n in names] == facts.FRACTALNET20_SHAPES
    model = without_memory(models.FractalNet34)
    names = ["stem_pool", "stage1_pool", "stage2_pool", "stage3_pool", "stage4_join8"]
    assert [model.get_layer(n).output.shape[1:] for n in names] == facts.FRACTALNET34_SHAPES


def layers_of_columns(model):
    names = [n for layer in model.layers if (n := layer.name).endswith("_conv") and "column" in n]
    return [sum(f"_column{c}_" in name for name in names) for c in (1, 2, 3, 4)]


def test_columns_double_their_layers():
    assert layers_of_columns(without_memory(models.FractalNet20)) == [5, 10, 20, 0]
    assert layers_of_columns(without_memory(models.FractalNet34)) == [4, 8, 16, 32]


def oracle(net, x, columns, name):
    """f_C by its recursion, x -> mean of f_{C-1}(f_{C-1}(x)) and a convolution, joins flattened.

    `ends` are the outputs that meet at the end of the block, shallowest first.
    """
    used = dict.fromkeys(range(1, columns + 1), 0)

    def conv(x, column):
        used[column] += 1
        layer = net.model.get_layer(f"{name}_column{column}_{used[column]}_conv")
        kernel, bias = layer.get_weights()
        y = residual.convolve(x, kernel) + bias
        return net.bn_relu(y, f"{name}_column{column}_{used[column]}")

    def ends(x, column):
        if column == columns:
            return [conv(x, column)]
        first = ends(x, column + 1)
        return [conv(x, column), *ends(np.mean(first, axis=0), column + 1)]

    return np.mean(ends(x, 1), axis=0)


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_a_block_is_the_papers_recursion(columns):
    model = small(columns)
    net, x = residual.Network(model), IMAGES.astype("float64")
    end = f"stage1_join{2 ** (columns - 1)}"
    y = run(keras.Model(model.input, model.get_layer(end).output))
    np.testing.assert_allclose(y, oracle(net, x, columns, "stage1"), rtol=1e-3, atol=1e-4)


def test_one_column_is_the_plain_network():
    model = small(1)
    x = keras.ops.convert_to_tensor(IMAGES)
    for stage in (1, 2, 3):
        for part in ("conv", "bn", "relu"):
            x = model.get_layer(f"stage{stage}_column1_1_{part}")(x)
        x = keras.ops.max_pool(x, 2, 2)
    plain = model.get_layer("output")(keras.ops.mean(x, axis=(1, 2)))
    np.testing.assert_allclose(run(model), plain, rtol=1e-5)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert not kinds & {"FractalJoin", "FractalPath", "Average"}


@pytest.mark.parametrize("column", [1, 2, 3])
def test_a_column_alone_is_what_global_drop_path_trains(column):
    model = small(3)
    plain = models.extract_column(model, column)
    assert layers_of_columns(plain)[column - 1] == 3 * 2 ** (column - 1)
    # The path layer keeps this column, and batch normalisation stays as it is at inference.
    joins = [layer for layer in model.layers if "join" in layer.name]
    x = keras.ops.convert_to_tensor(IMAGES)
    values = {model.input.name: x}
    chosen = keras.ops.full((1,), column - 1, "int32")
    for layer in model.layers[1:]:
        if layer.name == "path":
            values[layer.output.name] = chosen
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [values[t.name] for t in inputs]
        training = {"training": True} if layer in joins else {}
        y = layer(inputs if len(inputs) > 1 else inputs[0], **training)
        values[layer.output.name] = y
    np.testing.assert_allclose(run(plain), values[model.output.name], rtol=1e-4, atol=1e-5)


def test_an_extracted_column_has_weights_of_its_own():
    model = small(2)
    plain = models.extract_column(model, 2)
    before = run(model)
    plain.set_weights([np.zeros_like(w) for w in plain.get_weights()])
    np.testing.assert_array_equal(run(model), before)
    assert plain.name == "fractalnet_column2"
    with pytest.raises(InputError, match="Unknown column 3.*1, 2"):
        models.extract_column(model, 3)


@pytest.mark.parametrize("column", [1, 2])
def test_an_extracted_column_keeps_what_is_before_the_network(column):
    image = keras.Input(IMAGES.shape[1:])
    norm = keras.layers.Normalization()
    norm.adapt(IMAGES)
    x = norm(image[..., ::-1]) / 2
    model = small(2, input_tensor=x)
    plain = models.extract_column(model, column)
    bare = models.extract_column(small(2), column)
    bare.set_weights(plain.get_weights()[len(norm.weights) :])
    np.testing.assert_allclose(run(plain), run(bare, norm(IMAGES[..., ::-1]) / 2), atol=1e-5)


def test_drop_path_can_be_left_out():
    model = small(2, drop_path_rate=0)
    assert type(model.get_layer("stage1_join2")).__name__ == "Average"
    with_drop_path = small(2)
    with_drop_path.set_weights(model.get_weights())
    assert type(with_drop_path.get_layer("stage1_join2")).__name__ == "FractalJoin"
    np.testing.assert_allclose(run(model), run(with_drop_path), rtol=1e-5)


def test_dropout_and_drop_path_have_the_papers_rates():
    model = without_memory(models.FractalNet20)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_dropout")]
    assert rates == [0.1, 0.2, 0.3, 0.4]  # none in the first block
    assert {x.drop_rate for x in model.layers if "join" in x.name} == {facts.FRACTALNET_DROP_RATE}
    assert model.get_layer("path").local_share == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_columns": 0}, "num_columns=0"),
        ({"num_columns": 2, "drop_path_rate": 1.0}, r"\[0, 1\).*=1.0"),
        ({"num_columns": 2, "dropout_rates": (0.1,)}, "5 numbers.*one for each"),
        ({"num_columns": 2, "input_shape": (31, 32, 3)}, "at least 32"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(InputError, match=message):
        models.FractalNet(**options)
