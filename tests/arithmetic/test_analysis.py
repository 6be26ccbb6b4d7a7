"""Counts of models, against counting by computing: with ones everywhere a sum counts products."""

import inspect
import sys

import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError
from kerascnn.arithmetic import analyze, convolution
from kerascnn.layers import (
    DropPath,
    FractalJoin,
    FractalPath,
    LocalResponseNormalization,
    PartiallyConnectedConv2D,
    RBFOutput,
    TrainableSubsampling,
)
from kerascnn.models import LeNet5
from tests import facts

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def functional(shape, *steps):
    image = x = keras.Input(shape, name="image")
    for step in steps:
        x = step(x)
    return keras.Model(image, x)


def with_ones(model):
    """All weights 1, but biases 0: what remains is to count."""
    for layer in model.layers:
        layer.set_weights([np.full(w.shape, float(w.name != "bias")) for w in layer.weights])
    return model


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


# One layer

KERNELS = {  # layers of which each product reaches one output: no padding
    "conv": lambda: layers.Conv2D(5, 3),
    "strided": lambda: layers.Conv2D(5, (3, 2), strides=2),
    "dilated": lambda: layers.Conv2D(5, 3, dilation_rate=2),
    "grouped": lambda: layers.Conv2D(4, 3, groups=2, use_bias=False),
    "depthwise": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
    "transposed": lambda: layers.Conv2DTranspose(5, 3, strides=2),
    "partially connected": lambda: PartiallyConnectedConv2D([[1, 1, 0]] * 3 + [[0, 0, 1]], 3),
    "dense on a map": lambda: layers.Dense(5),
}


@pytest.mark.parametrize("make", KERNELS.values(), ids=KERNELS)
def test_multiply_adds_are_the_products_that_are_added(make):
    layer = make()
    model = with_ones(functional((11, 9, 4), layer))
    counts = analyze(model).layers[1]
    output = numpy(model(np.ones((1, 11, 9, 4), "float32")))
    assert counts.multiply_adds == output.sum()
    has_bias = any(weight.name == "bias" for weight in layer.weights)
    assert counts.connections == counts.multiply_adds + has_bias * output.size
    assert counts.output_shape == output.shape[1:]
    assert counts.activations == output.size
    assert counts.parameters == layer.count_params()


@pytest.mark.parametrize(("rank", "kind"), [(1, layers.Conv1D), (3, layers.Conv3D)])
def test_other_ranks(rank, kind):
    model = with_ones(functional((6,) * rank + (2,), kind(4, 3)))
    output = numpy(model(np.ones((1, *model.input_shape[1:]), "float32")))
    assert analyze(model).multiply_adds == output.sum()
    assert analyze(model).layers[1].receptive_field == 3


def test_separable_convolution_is_its_two_parts():
    whole = functional((9, 9, 4), layers.SeparableConv2D(6, 3, 2, depth_multiplier=2))
    parts = functional(
        (9, 9, 4), layers.DepthwiseConv2D(3, 2, depth_multiplier=2), layers.Conv2D(6, 1)
    )
    assert analyze(whole).multiply_adds == analyze(parts).multiply_adds == 16 * (9 * 8 + 8 * 6)


def test_by_hand_and_of_a_model_are_one_arithmetic():
    by_hand = convolution((9, 7, 4), 8, 3, 2, groups=2)
    counts = analyze(functional((9, 7, 4), layers.Conv2D(8, 3, 2, "same", groups=2))).layers[1]
    assert [getattr(counts, name) for name in vars(by_hand)] == list(vars(by_hand).values())


def test_subsampling_and_codes():
    counts = analyze(functional((8, 6, 3), TrainableSubsampling(2))).layers[1]
    assert counts.connections == 4 * 3 * 3 * (2 * 2 + 1) and counts.multiply_adds == 0
    fixed = analyze(functional((84,), RBFOutput(10)))
    assert (fixed.connections, fixed.parameters, fixed.trainable_parameters) == (840, 840, 0)


def test_channels_first():
    shape, options = (4, 11, 9), {"data_format": "channels_first"}
    counts = analyze(
        functional(shape, layers.Conv2D(5, 3, **options), layers.GlobalMaxPooling2D(**options))
    ).layers
    assert counts[1].multiply_adds == 9 * 7 * 9 * 4 * 5
    assert counts[2].receptive_field == 11


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.PReLU(),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.ZeroPadding2D(1),
        layers.Rescaling(2.0),
        LocalResponseNormalization(),
        DropPath(0.5),
        keras.ops.relu,
    ],
)
def test_what_has_no_kernel_multiplies_nothing_and_makes_no_units(layer):
    counts = analyze(functional((6, 6, 2), layer)).layers[1]
    assert (counts.multiply_adds, counts.connections, counts.activations) == (0, 0, 0)


@pytest.mark.parametrize(
    ("layer", "units"),
    [
        (layers.MaxPooling2D(2), 3 * 3 * 2),
        (layers.MaxPooling2D(3, 1, "same"), 6 * 6 * 2),
        (layers.GlobalAveragePooling2D(), 2),
        (lambda x: layers.Add()([x, x]), 6 * 6 * 2),
        (lambda x: layers.Concatenate()([x, x]), 0),
    ],
)
def test_units_of_pooling_and_joining(layer, units):
    assert analyze(functional((6, 6, 2), layer)).layers[1].activations == units


# Receptive fields


def reactions(model):
    """For each row of the output, the first and the last row of the input that it reacts to."""
    height = model.input_shape[1]
    images = np.zeros((height, *model.input_shape[1:]), "float32")
    images[np.arange(height), np.arange(height)] = 1  # one white row each
    output = numpy(with_ones(model)(images))
    output = output.reshape(height, output.shape[1] if output.ndim == 4 else 1, -1)
    return [np.flatnonzero(row)[[0, -1]] for row in output.any(-1).T if row.any()]


def branches(x):
    """An inception-like module: 1x1, 3x3 and pooling."""
    parts = [layers.Conv2D(2, 1)(x), layers.Conv2D(2, 3, padding="same")(x)]
    return layers.Concatenate()([*parts, layers.MaxPooling2D(5, 1, "same")(x)])


def residual(x):
    y = layers.Conv2D(2, 3, 2, "same")(x)
    return layers.Add()([layers.Conv2D(2, 3, padding="same")(y), x[:, ::2, ::2, :2]])


FIELDS = {  # made in the test: a layer made earlier may have the name of a later one
    "strided": lambda: [layers.Conv2D(2, 5, 2), layers.Conv2D(2, 3), layers.Conv2D(2, 3, 3)],
    "dilated": lambda: [layers.Conv2D(2, 3, dilation_rate=3), layers.Conv2D(2, 2)],
    "pooled": lambda: [
        layers.AveragePooling2D(3, 2),
        TrainableSubsampling(2),
        layers.MaxPooling2D(2),
    ],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, 2), layers.SeparableConv2D(2, 3)],
    "transposed": lambda: [
        layers.Conv2D(2, 3, 2),
        layers.Conv2DTranspose(2, 4, 2),
        layers.Conv2D(2, 3),
    ],
    "upsampled": lambda: [layers.AveragePooling2D(2), layers.UpSampling2D(2), layers.Conv2D(2, 3)],
    "branches": lambda: [layers.Conv2D(2, 3, 2), branches, branches],
    "residual": lambda: [residual, residual],
    "global": lambda: [layers.Conv2D(2, 4, 2), layers.GlobalAveragePooling2D()],
    "dense": lambda: [layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(3)],
}


@pytest.mark.parametrize("steps", FIELDS.values(), ids=FIELDS)
def test_receptive_field_is_what_a_unit_reacts_to(steps):
    model = functional((40, 40, 3), *steps())
    seen, last = reactions(model), analyze(model).layers[-1]
    assert last.receptive_field == max(b - a for a, b in seen) + 1
    inner = seen[len(seen) // 3 : -(len(seen) // 3)]  # away from the edges
    steps = (len(inner) - 1) // 2 * 2  # two units of a doubled map have one centre
    if steps > 0:
        assert steps * last.jump == inner[steps][0] - inner[0][0]


@pytest.mark.parametrize(
    ("name", "layer", "options"),
    [
        ("VGG16", "block5_pool", {}),
        ("ResNet50", "conv5_block3_out", {}),
        ("MobileNet", "conv_pw_13_relu", {"alpha": 0.25}),
        ("InceptionV3", "mixed10", {}),
    ],
)
def test_receptive_fields_of_keras_applications_are_the_published(name, layer, options):
    builder = getattr(keras.applications, name)
    model = builder(weights=None, include_top=False, **options)
    fields = {row.name: row.receptive_field for row in analyze(model, (224, 224, 3)).layers}
    assert fields[layer] == facts.RECEPTIVE_FIELDS[name]


# Whole models


def test_lenet_has_the_connections_of_the_paper():
    lenet = analyze(LeNet5(output="rbf"))
    connections = {row.name: row.connections for row in lenet.layers if row.connections}
    assert connections == facts.LENET5_CONNECTIONS
    assert lenet.connections == facts.LENET5_ALL_CONNECTIONS
    assert lenet.trainable_parameters == facts.LENET5_TRAINABLE
    parameters = {row.name: row.parameters for row in analyze(LeNet5()).layers if row.parameters}
    assert parameters == facts.LENET5_PARAMETERS


def test_convolutions_as_tensorflow_counts_them():
    """TensorFlow's profiler counts a multiply-add as two operations; MobileNetV2 has all kinds."""
    if keras.config.backend() != "tensorflow":
        pytest.skip("the profiler is TensorFlow's")
    import tensorflow as tf

    options = {"weights": None, "include_top": False, "alpha": 0.35}
    model = keras.applications.MobileNetV2((96, 96, 3), **options)
    function = tf.function(lambda x: model(x, training=False))
    graph = function.get_concrete_function(tf.TensorSpec((1, 96, 96, 3))).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    asked = builder(builder.float_operation()).with_empty_output().build()
    node = tf.compat.v1.profiler.profile(graph, cmd="op", options=asked)
    operations = {}
    while node.children:
        (node,) = node.children
        operations[node.name] = node.float_ops
    expected = operations["Conv2D"] + operations["DepthwiseConv2dNative"]
    assert 2 * analyze(model).multiply_adds == expected


def vgg_like(with_norm):
    """The same small network, written in two ways."""
    image = x = keras.Input((16, 16, 3))
    for filters in (4, 8):
        if with_norm:
            x = layers.ZeroPadding2D(1)(x)
            x = layers.Conv2D(filters, 3, use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        else:
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    return keras.Model(image, layers.Dense(5)(layers.Dropout(0.5)(layers.Flatten()(x))))


def test_a_network_has_one_count_however_it_is_written():
    one, other = analyze(vgg_like(False)), analyze(vgg_like(True))
    units = 16 * 16 * (3 + 4) + 8 * 8 * (4 + 8) + 4 * 4 * 8 + 5
    assert one.activations == other.activations == units
    assert one.activation_bytes == 4 * units
    assert one.multiply_adds == other.multiply_adds
    assert one.depth == other.depth == 3
    assert one.layers[-1].receptive_field == other.layers[-1].receptive_field


def test_totals_are_those_of_keras_and_frozen_layers_do_not_train():
    model = vgg_like(True)
    assert analyze(model).parameters == model.count_params()
    model.layers[2].trainable = False
    analysis = analyze(model)
    assert analysis.parameters == model.count_params()
    trainable = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    assert analysis.trainable_parameters == trainable == model.count_params() - 3 * 9 * 4 - 2 * 12


def test_depth_is_the_longest_and_effective_depth_the_shortest_way():
    image = x = keras.Input((8, 8, 4))
    for _ in range(3):  # each block: two convolutions, or straight on
        y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
        y = layers.Conv2D(4, 3, padding="same")(y)
        x = layers.Pipeline([layers.Add(), layers.ReLU()])([x, y])
    early = layers.Dense(2)(layers.GlobalAveragePooling2D()(y))
    x = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    for outputs, expected in ((x, (7, 1)), (early, (7, 3)), ([early, x], (7, 1))):
        analysis = analyze(keras.Model(image, outputs))
        assert (analysis.depth, analysis.shortest_path) == expected


def test_what_only_steers_is_no_way():
    """Numbers drawn from the image that say which way is taken, such as those of `FractalPath`."""
    image = keras.Input((8, 8, 4))
    x = layers.Conv2D(4, 3)(image)
    bright = keras.ops.cast(keras.ops.max(image, axis=(1, 2, 3)) > 0, "float32")
    path = FractalPath(2)(image)
    x = FractalJoin([0, 1])([x, x * keras.ops.reshape(bright, (-1, 1, 1, 1)), path])
    analysis = analyze(keras.Model(image, x))
    assert (analysis.depth, analysis.shortest_path) == (1, 1)
    assert {row.kind: row.activations for row in analysis.layers}["FractalPath"] == 0
    assert analyze(keras.Model(image, keras.ops.argmax(x, axis=-1))).depth == 1


def test_bytes_are_a_signal():
    image = keras.Input((8, 8, 3), dtype="uint8")
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(image[..., ::-1]))
    assert analyze(keras.Model(image, layers.Add()([x, x]))).shortest_path == 1


def test_shared_layers_are_counted_once_and_work_twice():
    shared, image = layers.Conv2D(3, 3, padding="same"), keras.Input((8, 8, 3))
    model = keras.Model(image, shared(shared(image)))
    analysis = analyze(model)
    assert analysis.parameters == model.count_params() == 84
    assert analysis.multiply_adds == 2 * 64 * 81
    assert analysis.depth == 2


def test_wrapped_layers():
    conv = layers.Conv2D(4, 3, padding="same")
    plain = analyze(functional((8, 8, 3), layers.Conv2D(4, 3, padding="same")))
    model = functional((8, 8, 3), layers.SpectralNormalization(conv))
    wrapped = analyze(model)
    assert wrapped.multiply_adds == plain.multiply_adds
    assert wrapped.parameters == model.count_params() > plain.parameters
    assert wrapped.layers[1].receptive_field == 3


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: layers.MultiHeadAttention(2, 4)(x, x),
        layers.LSTM(3),
        layers.EinsumDense("abc,cde->abde", (None, 2, 5)),
    ],
)
def test_kernels_that_cannot_be_counted_are_said(layer):
    with pytest.raises(InputError, match="multiply-adds of layer .* are not known"):
        analyze(functional((6, 4), layer))


def test_a_deep_network_needs_no_recursion():
    model = functional((4, 4, 1), *[layers.DepthwiseConv2D(1) for _ in range(200)])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 120)
    try:
        assert analyze(model).depth == 200
    finally:
        sys.setrecursionlimit(limit)


def test_print_shows_a_table():
    lines = str(analyze(LeNet5())).splitlines()
    assert lines[3].split() == ["c1", "Conv2D", "28x28x6", "156", "117,600", "4,704", "5"]
    assert lines[-1].split()[:2] == ["total", "60,850"]
