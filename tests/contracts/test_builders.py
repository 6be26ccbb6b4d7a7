"""What every builder keeps. A new builder joins by its rows: the smallest member of each form.

Members of a family that differ in numbers only are in test_members.py.
"""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError, models

ROOT = Path(__file__).parents[2]
SMALL = {"input_shape": (32, 32, 3), "classes": 5}
BUILDERS = {  # id: (builder, its own options and what makes it small)
    "LeNet5": (models.LeNet5, {}),
    "LeNet5-modern": (models.LeNet5, {"variant": "modern"}),
    "LeNet5-rbf": (models.LeNet5, {"output": "rbf"}),
    "AlexNet": (models.AlexNet, {"input_shape": (67, 67, 3), "classes": 5}),
    "ZFNet": (models.ZFNet, {"input_shape": (53, 53, 3), "classes": 5}),
    "VGG11": (models.VGG, {"config": "A"} | SMALL),
    "VGG11LRN-bn": (models.VGG, {"config": "A-LRN", "batch_norm": True} | SMALL),
    "GoogLeNet": (models.GoogLeNet, SMALL),
    "ResNet18": (models.ResNet, {"depth": 18} | SMALL),
    "ResNet18-C": (models.ResNet, {"depth": 18, "shortcut": "C"} | SMALL),
    "ResNet50-v1-A": (models.ResNet, {"depth": 50, "variant": "v1", "shortcut": "A"} | SMALL),
    "ResNet50-v2": (models.ResNet, {"depth": 50, "variant": "v2"} | SMALL),
    "ResNet50-v2-keras": (models.ResNet, {"depth": 50, "variant": "v2-keras"} | SMALL),
    "CifarResNet8": (models.CifarResNet, {"depth": 8}),
    "CifarResNet8-v2": (models.CifarResNet, {"depth": 8, "variant": "v2"}),
    "CifarPlainNet8": (models.CifarPlainNet, {"depth": 8}),
    "WideResNet10x2": (models.WideResNet, {"depth": 10, "width": 2, "dropout_rate": 0.3}),
    "WideResNet50x2": (models.WideBottleneckResNet, {"depth": 50, "width": 2} | SMALL),
    "ResNeXt50": (models.ResNeXt, {"depth": 50} | SMALL),
    "CifarResNeXt11": (models.CifarResNeXt, {"depth": 11, "cardinality": 4, "width": 8}),
    "CifarResNeXt11-a": (
        models.CifarResNeXt,
        {"depth": 11, "cardinality": 2, "width": 4, "form": "a"},
    ),
    "StochasticDepthResNet8": (models.StochasticDepthResNet, {"depth": 8}),
    "FractalNet": (
        models.FractalNet,
        {"num_columns": 2, "filters": (8, 16), "dropout_rates": (0.0, 0.2)},
    ),
    "FractalNet34": (models.FractalNet34, {"num_columns": 2} | SMALL),
}
LARGE = {  # the second form of a family, or many parameters: only in `make test-all`
    "ZFNet",
    "VGG11",
    "ResNet18-C",
    "ResNet50-v1-A",
    "ResNet50-v2",
    "ResNet50-v2-keras",
    "CifarResNeXt11-a",
    "FractalNet34",
    "ResNeXt50",
    "WideResNet50x2",
}
TYPICAL = {"LeNet5", "LeNet5-modern", "LeNet5-rbf", "AlexNet", "CifarResNet8", "CifarResNet8-v2"}
TYPICAL |= {"CifarPlainNet8", "FractalNet"}  # and small: the others only in `make test-thorough`
SLOW_TO_COMPILE = {"GoogLeNet", "ResNet18", "VGG11LRN-bn", "ZFNet", "LeNet5-modern"}
MARKS = {name: [pytest.mark.thorough] * (name not in TYPICAL) for name in BUILDERS}
MARKS |= {name: [pytest.mark.slow] for name in LARGE}
ROWS = [pytest.param(name, marks=MARKS[name]) for name in BUILDERS]
PUBLIC = [name for name in models.__all__ if name[0].isupper()]  # functions are not builders
# Keras 3.15 saves TensorFlow variables through NumPy 1's __array__.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(params=ROWS, scope="module")
def build(request):
    builder, options = BUILDERS[request.param]
    return lambda **common: builder(**options | common)


@pytest.fixture(scope="module")
def model(build):
    """One for all tests of a row: they leave it as it is."""
    keras.utils.set_random_seed(0)
    return build()


def images(model, number=2):
    return (
        np.random.default_rng(0).uniform(-1, 1, (number, *model.input_shape[1:])).astype("float32")
    )


def run(model, x):
    return keras.ops.convert_to_numpy(model(x))


def test_every_family_has_a_row():
    families = {inspect.unwrap(getattr(models, name)) for name in PUBLIC}
    assert {builder for builder, _ in BUILDERS.values()} == families
    assert set(BUILDERS) > LARGE


@pytest.mark.parametrize("name", PUBLIC)
def test_signature_is_that_of_keras_applications(name):
    builder = getattr(models, name)
    parameters = list(inspect.signature(builder).parameters.values())
    keras_parameters = list(inspect.signature(keras.applications.ResNet50).parameters.values())
    assert [p.name for p in parameters[:8]] == [p.name for p in keras_parameters]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[8:])
    defaults = {p.name: p.default for p in parameters[:8]}
    assert (
        defaults.items()
        >= {
            "include_top": True,
            "weights": None,
            "input_tensor": None,
            "input_shape": None,
            "pooling": None,
            "classifier_activation": "softmax",
            "name": name.lower(),
        }.items()
    )
    for parameter in parameters:
        assert f"{parameter.name}:" in builder.__doc__


def test_it_is_one_flat_functional_graph_of_unique_names(model):
    assert type(model) is type(keras.Model(i := keras.Input((1,)), i))
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert not model.losses  # weight decay belongs to the recipe


def test_a_plain_call_is_inference(model):
    x = images(model)
    np.testing.assert_array_equal(run(model, x), model(x, training=False))


def test_outputs_are_probabilities(model):
    y = run(model, images(model))
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-5)
    assert (y >= 0).all()


def test_without_activation_it_returns_logits(build, model):
    logits = build(classifier_activation=None)
    logits.set_weights(model.get_weights())
    x = images(model)
    softmax = keras.ops.softmax(run(logits, x))
    np.testing.assert_allclose(run(model, x), softmax, atol=1e-5)


def test_classes_may_be_an_int_of_numpy(build, model):
    twin = build(classes=np.int64(model.output_shape[-1]))
    assert twin.output_shape == model.output_shape
    json.dumps(twin.get_config())  # as saving does


def test_config_round_trip(model):
    again = keras.Model.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    x = images(model)
    np.testing.assert_array_equal(run(again, x), run(model, x))


@pytest.mark.parametrize("pooling", [None, "avg", "max"])
def test_features_are_those_of_the_whole_network(build, model, pooling):
    features = build(include_top=False, pooling=pooling)
    last = features.layers[-1 if pooling is None else -2].name
    for layer in features.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    x = images(model)
    maps = run(keras.Model(model.input, model.get_layer(last).output), x)
    expected = {None: maps, "avg": maps.mean((1, 2)), "max": maps.max((1, 2))}[pooling]
    np.testing.assert_allclose(run(features, x), expected, atol=1e-5)


def test_preprocessing_may_be_part_of_the_graph(build, model):
    inputs = keras.Input(model.input_shape[1:])
    whole = build(input_tensor=keras.layers.Rescaling(0.5, 0.25)(inputs))
    whole.set_weights(model.get_weights())
    x = images(model)
    expected = run(model, 0.5 * x + 0.25)
    np.testing.assert_allclose(run(whole, x), expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_ends_in_float32(build, policy):
    model = build(classifier_activation=None)
    keras.config.set_dtype_policy(policy)
    try:
        half = build(classifier_activation=None)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    x = images(model)
    y, expected = run(half, x), run(model, x)
    assert y.dtype == np.float32
    assert {layer.compute_dtype for layer in half.layers} >= {policy.removeprefix("mixed_")}
    assert np.linalg.norm(y - expected) < 0.1 * np.linalg.norm(expected)


def test_seed_repeats_the_start(build):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return build().get_weights()

    first, second, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, second))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other))


@pytest.mark.slow
def test_it_trains_under_xla(build):
    keras.utils.set_random_seed(0)
    model = build()
    x, y = images(model), np.array([0, 1])
    expected = run(model, x)
    slow = keras.optimizers.Adam(1e-4)  # AlexNet and ZFNet overshoot at the usual 1e-3
    model.compile(slow, loss="sparse_categorical_crossentropy", jit_compile=True)
    np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-4, atol=1e-5)
    losses = [float(model.train_on_batch(x, y)) for _ in range(6)]
    assert min(losses[1:]) < losses[0]


@pytest.mark.parametrize(
    "options",
    [
        {"input_shape": (1, 1, 1)},
        {"input_shape": "large"},
        {"classes": 0},
        {"pooling": "mean"},
        {"weights": "no such weights"},
    ],
)
def test_arguments_that_cannot_be_are_one_sentence(build, options):
    with pytest.raises(InputError) as error:
        build(**options)
    assert "\n" not in str(error.value)


ELSEWHERE = """
import sys, numpy, kerascnn
folder, *names = sys.argv[1:]
for name in names:
    x = numpy.load(f"{folder}/{name}.x.npy")
    y = kerascnn.load_model(f"{folder}/{name}.keras").predict(x, verbose=0)
    numpy.save(f"{folder}/{name}.y.npy", y)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=pytest.mark.slow)])
@pytest.mark.parametrize("rows", ["small", pytest.param("large", marks=pytest.mark.slow)])
def test_a_saved_model_gives_the_same_in_another_process_and_backend(backend, rows, tmp_path):
    expected = {}
    for name, (builder, options) in BUILDERS.items():
        if (name in LARGE | SLOW_TO_COMPILE) != (rows == "large"):
            continue
        model = builder(**options, classifier_activation=None)
        x = images(model)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.x.npy", x)
        expected[name] = run(model, x)
    env = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, tmp_path, *expected], env=env, check=True, timeout=600
    )
    for name, y in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.y.npy"), y, rtol=1e-4, atol=1e-4)
