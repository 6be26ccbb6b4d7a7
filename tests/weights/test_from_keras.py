"""Networks of keras.applications and ours, from the same weights file, give the same outputs."""

import re

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from kerascnn.weights import from_keras, load
from tests.oracles import drawn, legacy_h5

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPES = {"VGG": (64, 64, 3), "ResNet": (75, 110, 3)}  # odd, so that a shifted window shows
PEERS = {  # keras.applications: (ours, options)
    "VGG16": (models.VGG16, {}),
    "VGG19": (models.VGG19, {}),
    "ResNet50": (models.ResNet50, {"variant": "v1"}),
    "ResNet101": (models.ResNet101, {"variant": "v1"}),
    "ResNet152": (models.ResNet152, {"variant": "v1"}),
    "ResNet50V2": (models.ResNet50, {"variant": "v2-keras"}),
    "ResNet101V2": (models.ResNet101, {"variant": "v2-keras"}),
    "ResNet152V2": (models.ResNet152, {"variant": "v2-keras"}),
}
QUICK = ("VGG16", "ResNet50", "ResNet50V2")
CASES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PEERS]
PUBLISHED_NAMES = {"predictions": "probs"}  # so the files of ResNet call their classifier


def random_weight(layer, weight):
    """Some channels are dead, as in published files: there the epsilon is most of the variance."""
    name, shape = f"{layer}/{weight.name}", tuple(weight.shape)
    dead = drawn.uniform(f"{layer} is dead", shape) < 0.3
    if weight.name == "moving_variance":
        return np.where(dead, 1e-8, drawn.uniform(name, shape, 0.5, 1.5))
    if weight.name == "gamma":
        return np.where(dead, 0.003, 1) * drawn.uniform(name, shape, 0.4, 0.9)
    if len(shape) == 1:
        return drawn.uniform(name, shape, -0.3, 0.3)
    limit = np.sqrt(6 / np.prod(shape[:-1]))
    return drawn.uniform(name, shape, -limit, limit)


def common(name, **options):
    shape = SHAPES[re.match("VGG|ResNet", name)[0]]
    return {
        "weights": None,
        "classes": 10,
        "classifier_activation": None,
        "input_shape": shape,
    } | options


def peer(name, **options):
    """A network of keras.applications whose weights and statistics are all random."""
    network = getattr(keras.applications, name)(**common(name, **options))
    for layer in network.layers:
        layer.set_weights([random_weight(layer.name, weight) for weight in layer.weights])
    return network


def ours(name, **more):
    builder, options = PEERS[name]
    return builder(**common(name, **options | more))


def counterpart(name):
    """Our layer's name at the end of a block or stage, in keras.applications."""
    name = re.sub(r"^stage(\d)_block", r"conv\1_block", name)
    name = re.sub(r"^stage(\d)_pool", r"block\1_pool", name)
    return {"output": "predictions", "stem_pool": "pool1_pool", "last_relu": "post_relu"}.get(
        name, name
    )


def stages(model):
    pattern = r"stem_pool|stage\d_pool|stage\d_block\d+_out|last_relu|output"
    return [layer.name for layer in model.layers if re.fullmatch(pattern, layer.name)]


def outputs(model, names, x):
    return keras.Model(model.input, [model.get_layer(name).output for name in names])(x)


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """(name, Keras's network, its weights in a file as Keras publishes them)."""
    network = peer(request.param)
    path = tmp_path_factory.mktemp(request.param) / "published.h5"
    renamed = PUBLISHED_NAMES if request.param.startswith("ResNet") else {}
    legacy_h5.write(path, legacy_h5.of_model(network, renamed))
    yield request.param, network, path
    path.unlink()


@pytest.mark.thorough
def test_every_stage_is_the_same(case):
    name, network, path = case
    model = ours(name)
    report = load(model, path)
    assert (report.new, report.skipped, report.adapted) == ((), (), ())
    names = stages(model)
    assert len(names) >= 6
    x = drawn.images((2, *network.input_shape[1:]))
    expected = outputs(network, [counterpart(stage) for stage in names], x)
    for stage, a, b in zip(names, outputs(model, names, x), map(np.asarray, expected)):
        assert np.abs(np.asarray(a) - b).max() / np.abs(b).max() <= 1e-4, stage


# What refuses the weights of each network.
OTHER_VARIANTS = {
    "ResNet50": [("v1.5", 'they are of variant="v1". Build the model with it')],
    "ResNet50V2": [("v2", 'weights (variant="v2-keras"), or pass')],
}


@pytest.mark.thorough
def test_another_variant_is_refused_though_the_shapes_may_fit(case):
    name, _, path = case
    for variant, message in OTHER_VARIANTS.get(name, []):
        model = ours(name, variant=variant)
        before = model.get_weights()
        with pytest.raises(InputError, match=re.escape(message)):
            load(model, path)
        assert all(np.array_equal(v, w) for v, w in zip(before, model.get_weights()))


@pytest.mark.thorough
def test_features_of_a_file_with_top_in_each_format(tmp_path):
    network = peer("ResNet50V2")
    paths = [tmp_path / "a.weights.h5", tmp_path / "b.h5"]
    network.save_weights(paths[0])
    of_model = legacy_h5.of_model(network, PUBLISHED_NAMES)
    legacy_h5.write(paths[1], of_model, chunks=3, inside="model_weights")
    a, b = (ours("ResNet50V2", include_top=False, weights=path) for path in paths)
    assert all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights()))
    with pytest.raises(InputError, match=r"`output` is .* in the file and missing in the model"):
        load(a, paths[1])
    assert load(a, paths[1], skip=["output"]).skipped == ("output",)


def test_folding_by_hand():
    one, bias, mean = (np.full(1, value, "f4") for value in (1, 0.25, 2))
    layers = {"conv1_conv": ["kernel", bias], "conv1_bn": [one, one, mean, one], "probs": ["head"]}
    converted, variant = from_keras.convert(layers)
    assert (
        variant == "v1" and converted["stem_conv"] == ["kernel"] and converted["output"] == ["head"]
    )
    *_, new_mean, variance = converted["stem_bn"]
    assert new_mean == 1.75
    assert variance + 1e-5 == np.float32(1 + 1.001e-5)
    assert mean == 2  # what was passed stays


@pytest.mark.parametrize(
    ("keras_name", "name"),
    [
        ("conv1_conv", "stem_conv"),
        ("conv2_block1_preact_bn", "stage2_block1_1_bn"),
        ("conv2_block1_1_bn", "stage2_block1_2_bn"),
        ("conv4_block36_2_bn", "stage4_block36_3_bn"),
        ("conv5_block3_3_conv", "stage5_block3_3_conv"),
        ("conv3_block1_0_conv", "stage3_block1_0_conv"),
        ("post_bn", "last_bn"),
        ("predictions", "output"),
    ],
)
def test_names_of_v2(keras_name, name):
    converted, variant = from_keras.convert({"conv1_conv": [], keras_name: ["x"]})
    assert variant == "v2-keras" and converted[name] == ["x"]
