"""GoogLeNet against Table 1 of the paper; the inception modules against the notes' example."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.arithmetic import analyze
from kerascnn.models import GoogLeNet
from kerascnn.models.googlenet import inception, inception_naive
from tests import facts
from tests.learning import zeros_and_ones
from tests.oracles.lrn import normalise
from tests.tables import differences, hidden_activations, rows_of, without_memory

SMALL = {"input_shape": (65, 65, 3), "classes": 2}


def test_parameters_multiply_adds_and_depth():
    counts = analyze(without_memory(GoogLeNet))
    assert counts.parameters == facts.GOOGLENET_PARAMETERS
    assert counts.multiply_adds == facts.GOOGLENET_MULTIPLY_ADDS
    assert counts.depth == 22


@pytest.mark.parametrize("head", ["4a", "4d"])
def test_parameters_of_the_auxiliary_heads(head):
    model = without_memory(GoogLeNet, aux_heads=head)
    own = sum(layer.count_params() for layer in model.layers if layer.name.startswith("aux"))
    assert own == facts.GOOGLENET_AUX_PARAMETERS[head]
    both = without_memory(GoogLeNet, aux_heads=True)
    assert both.count_params() == facts.GOOGLENET_BOTH_AUX_PARAMETERS
    pool = both.get_layer(f"aux{head}_pool")
    assert pool.output.shape[1:] == facts.GOOGLENET_AUX_POOL[head]
    assert pool.input is both.get_layer(f"inception{head}").output


def test_the_table_of_the_docstring_is_true():
    assert not differences(GoogLeNet, without_memory(GoogLeNet))


def test_sizes_and_operations_are_those_of_table_1():
    model = without_memory(GoogLeNet)
    layers = analyze(model).layers
    far = {}
    for name, (shape, millions) in facts.GOOGLENET_TABLE_1.items():
        assert model.get_layer(name).output.shape[1:] == shape, name
        own = sum(
            layer.multiply_adds for layer in layers if f"{layer.name}_".startswith(f"{name}_")
        )
        if millions and abs(own / 1e6 - millions) > max(1, 0.03 * millions):
            far[name] = round(own / 1e6)
    assert far == facts.GOOGLENET_TABLE_1_SLIPS


def test_the_stem_is_centred_and_its_pooling_crosses_the_far_edge():
    model = without_memory(GoogLeNet)
    assert model.get_layer("conv1_pad").padding == ((3, 3), (3, 3))
    for name, size in {"pool1": 112, "pool2": 56, "pool3": 28, "pool4": 14}.items():
        assert rows_of(model.get_layer(name), size) == [*range(2, size - 1, 2), size - 1]


def test_the_stem_normalises_after_pool1_and_conv2_with_caffes_constants():
    model = without_memory(GoogLeNet)
    stem = "conv1 pool1 norm1 conv2_reduce conv2 norm2 pool2 "
    assert f"conv1_pad {stem}" in " ".join(layer.name for layer in model.layers)
    x = np.random.default_rng(0).uniform(0, 99, (1, 2, 2, 64)).astype("float32")
    for name in ("norm1", "norm2"):
        y = keras.ops.convert_to_numpy(model.get_layer(name)(x))
        np.testing.assert_allclose(y, normalise(x, 5, 1, 1e-4 / 5, 0.75), rtol=1e-4)


@pytest.mark.parametrize(
    ("module", "filters", "expected"),
    [
        (inception_naive, (128, 192, 96), facts.INCEPTION_NAIVE),
        (inception, (128, 64, 192, 64, 96, 64), facts.INCEPTION_REDUCED),
    ],
)
def test_the_naive_module_costs_three_times_the_reduced_one(module, filters, expected):
    inputs = keras.Input((28, 28, 256))
    model = keras.Model(inputs, module(inputs, filters, "module"))
    assert (analyze(model).multiply_adds, model.output_shape[-1]) == expected
    assert model.output_shape[:3] == (None, 28, 28)


def test_a_module_joins_what_its_branches_compute():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, inception(inputs, (1, 2, 3, 4, 5, 6), "m"))
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype("float32")
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}

    def conv(x, name):
        kernel, bias = weights[f"m_{name}"]
        return keras.ops.relu(keras.ops.conv(x, kernel, padding="same") + bias)

    largest = keras.ops.max_pool(x, 3, 1, padding="same")
    branches = [
        conv(x, "1x1"),
        conv(conv(x, "3x3_reduce"), "3x3"),
        conv(conv(x, "5x5_reduce"), "5x5"),
        conv(largest, "pool_proj"),
    ]
    expected = keras.ops.convert_to_numpy(keras.ops.concatenate(branches, -1))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def training_form():
    keras.utils.set_random_seed(0)
    return GoogLeNet(**SMALL, aux_heads=True)


def test_start_is_that_of_caffe(training_form):
    for layer in training_form.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            limit = np.float32(np.sqrt(3 / np.prod(kernel.shape[:-1])))
            assert 0.95 * limit < abs(kernel).max() <= limit, layer.name
            assert (bias == (0 if layer.name.endswith("output") else np.float32(0.2))).all()


def test_hidden_layers_are_rectified(training_form):
    assert hidden_activations(training_form) == {"relu"}


def test_auxiliary_heads_read_averages(training_form):
    for name in ("aux4a_pool", "aux4d_pool"):
        assert rows_of(training_form.get_layer(name), 14) == [2, 5, 8, 11]


def test_dropout_of_the_three_classifiers(training_form):
    assert training_form.get_layer("dropout").rate == facts.GOOGLENET_DROPOUT
    assert training_form.get_layer("aux4a_dropout").rate == facts.GOOGLENET_AUX_DROPOUT
    assert training_form.get_layer("aux4d_dropout").rate == facts.GOOGLENET_AUX_DROPOUT


@pytest.mark.thorough
def test_without_heads_it_is_the_training_form_with_its_heads_dropped(training_form):
    plain = GoogLeNet(**SMALL)
    dropped = keras.Model(training_form.input, training_form.get_layer("output").output)
    for layer in plain.layers:
        layer.set_weights(training_form.get_layer(layer.name).get_weights())
    x, _ = zeros_and_ones((65, 65, 3), 4)
    expected, *_ = training_form.predict(x, verbose=0)
    assert expected.std() > 1e-3
    np.testing.assert_array_equal(plain.predict(x, verbose=0), expected)
    np.testing.assert_array_equal(dropped.predict(x, verbose=0), expected)
    assert [layer.name for layer in dropped.layers] == [layer.name for layer in plain.layers]


@pytest.mark.thorough
def test_it_trains_with_weighted_losses(training_form):
    model = keras.models.clone_model(training_form)
    assert model.output_names == ["output", "aux4a_output", "aux4d_output"]
    x, y = zeros_and_ones((65, 65, 3), 4)
    loss = "sparse_categorical_crossentropy"
    model.compile("sgd", loss=[loss] * 3, loss_weights=[1, 0.3, 0.3])
    values = model.evaluate(x, [y, y, y], verbose=0, return_dict=True)
    main, a, d = (values[f"{name}_loss"] for name in model.output_names)
    assert values["loss"] == pytest.approx(main + 0.3 * a + 0.3 * d, rel=1e-5)
    before = model.get_layer("inception3a_1x1").get_weights()[0]
    model.train_on_batch(x, [y, y, y])
    assert not np.array_equal(model.get_layer("inception3a_1x1").get_weights()[0], before)


@pytest.mark.parametrize(
    ("options", "smallest"), [({"include_top": False}, 32), ({"aux_heads": "4a"}, 65)]
)
def test_smallest_image(options, smallest):
    model = without_memory(GoogLeNet, input_shape=(smallest, smallest, 1), **options)
    assert model.input_shape == (None, smallest, smallest, 1)
    with pytest.raises(InputError, match=f"at least {smallest}"):
        GoogLeNet(input_shape=(smallest - 1, smallest, 1), **options)


def test_any_size_with_its_top_but_not_with_heads():
    assert without_memory(GoogLeNet, input_shape=(None, None, 3)).output_shape == (None, 1000)
    with pytest.raises(InputError, match="known H and W"):
        GoogLeNet(input_shape=(None, None, 3), aux_heads=True)


def test_heads_need_the_top():
    with pytest.raises(InputError, match="include_top=False and aux_heads=True. Leave one"):
        GoogLeNet(include_top=False, aux_heads=True)
    with pytest.raises(InputError, match="Possible: False, True, 4a, 4d"):
        GoogLeNet(aux_heads="4b")
