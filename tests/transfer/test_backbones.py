import inspect
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError, _graph, models
from kerascnn.transfer import backbone, backbones, list_backbones

ROOT = Path(__file__).parents[2]
ROWS = {row.name: row for row in list_backbones()}
KERAS_ROWS = [row for row in ROWS.values() if row.source == "keras.applications"]
GOLDEN = json.loads((ROOT / "tests/golden/backbones_imagenet.json").read_text("utf-8"))
RECIPE = runpy.run_path(ROOT / "recipes/make_goldens.py")

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates, and its older HDF5
# format warns that there is a newer one.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = {"image_size": 32, "alpha": 0.25}


def module(row):
    return getattr(keras.applications, row.family)


def all_bytes(size=32):
    """Two uint8 images that hold every byte in every channel, in another order in each."""
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    order = np.arange(256, dtype=np.uint8)
    images[0].reshape(-1, 3)[:256] = np.stack([order, order[::-1], np.roll(order, 85)], axis=-1)
    return images


def same(values, expected):
    """Equal to the bit; on JAX, which multiplies by reciprocals, but for rounding."""
    values = np.asarray(values)
    if keras.config.backend() == "tensorflow":
        return np.array_equal(values, expected)
    return np.allclose(values, expected, rtol=1e-4, atol=1e-5)


def python(code, **extra):
    """The output of `code` in a fresh process without network."""
    offline = (
        "import socket\n"
        "def refuse(*args, **kwargs): raise OSError('the network is blocked in tests')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
    )
    environment = {"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    environment |= {"KERAS_BACKEND": keras.config.backend()} | extra
    result = subprocess.run(
        [sys.executable, "-c", offline + code], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# The list


def test_list_has_exactly_what_keras_applications_offers():
    offered = inspect.getmembers(keras.applications, inspect.isfunction)
    assert {row.name for row in KERAS_ROWS} == {name for name, _ in offered}
    for row in KERAS_ROWS:
        assert hasattr(module(row), row.name) or row.family == "mobilenet_v3"


def test_list_has_our_networks_with_packaged_weights():
    ours = {row.name: list(row.weights) for row in ROWS.values() if row.source == "kerascnn"}
    packaged = {name: RECIPE["packaged"](name) for name in models.__all__}
    assert ours == {name: names for name, names in packaged.items() if names}
    # LeCun et al. 1998: C1, S2, C3, S4, C5
    assert ROWS["LeNet5"].num_parameters == 156 + 12 + 1_516 + 32 + 48_120


def test_list_imports_neither_keras_nor_tensorflow():
    code = (
        "import sys, kerascnn as kc; rows = kc.transfer.list_backbones()\n"
        "print(len(rows), {'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    )
    assert python(code).split(maxsplit=1) == [str(len(ROWS)), "set()\n"]


def test_list_keeps_families_together_and_sorted():
    families = [row.family for row in ROWS.values()]
    assert len(set(families)) == sum(a != b for a, b in zip(families, [None, *families]))
    sizes = {}
    for row in ROWS.values():
        sizes.setdefault(row.family, []).append(row.num_parameters)
    assert all(s == sorted(s) for s in sizes.values())
    smallest = [s[0] for s in sizes.values()]
    assert smallest == sorted(smallest)


def test_sizes_and_parameters_of_the_documentation():
    # keras.io/api/applications: with top 3,538,984 and 25,636,712; the tops are Dense(1000)
    assert ROWS["MobileNetV2"].num_parameters == 3_538_984 - 1281 * 1000
    assert ROWS["ResNet50"].num_parameters == 25_636_712 - 2049 * 1000
    sizes = {"VGG16": 224, "InceptionV3": 299, "NASNetLarge": 331, "EfficientNetB7": 600}
    assert {name: ROWS[name].image_size for name in sizes} == sizes


def rebuilt(row):
    found = RECIPE["builders"]()[row.name]
    return RECIPE["row"](row.name, *found)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small", "EfficientNetB0", "VGG16"])
def test_rows_of_small_networks_are_what_a_new_build_gives(name):
    assert backbones.Backbone(**rebuilt(ROWS[name]) | {"weights": ("imagenet",)}) == ROWS[name]


@pytest.mark.slow
@pytest.mark.parametrize("row", KERAS_ROWS, ids=lambda row: row.name)
def test_all_rows_are_what_a_new_build_gives(row):
    assert backbones.Backbone(**rebuilt(row) | {"weights": ("imagenet",)}) == row


# The preprocessing


MODULES = [
    name
    for name, found in inspect.getmembers(keras.applications, inspect.ismodule)
    if name != "imagenet_utils"
]


@pytest.mark.parametrize("name", MODULES)
def test_preprocessing_equals_preprocess_input_to_the_bit(name):
    family = "resnet" if name == "resnet50" else name
    (regime,) = {row.preprocessing for row in KERAS_ROWS if row.family == family}
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, backbones._preprocess(images, regime))
    x = all_bytes()
    expected = getattr(keras.applications, name).preprocess_input(x.astype("float32"))
    assert expected.dtype == np.float32
    assert same(model(x.astype("float32")), expected)
    assert same(model.predict(x, verbose=0), expected)  # uint8, as a graph
    model.compile(jit_compile=True)
    assert same(model.predict(x, verbose=0), expected)


@pytest.mark.parametrize("regime", ["tf", "torch", "caffe"])
def test_preprocessing_divides_numbers_between_the_bytes_too(regime):
    x = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, backbones._preprocess(images, regime))
    preprocess = keras.applications.imagenet_utils.preprocess_input
    assert same(model.predict(x, verbose=0), preprocess(x.copy(), mode=regime))


def test_the_usual_rescaling_is_not_equal_to_the_bit():
    # Why `_preprocess` is not one Rescaling: if this fails one day, it can be.
    x = np.arange(256, dtype="float32").reshape(1, 16, 16, 1)
    usual = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    assert (np.asarray(usual) != x / np.float32(127.5) - 1).sum() > 50


@pytest.mark.parametrize("name", ["MobileNet", "VGG16", "DenseNet121"])
def test_preprocessing_is_float32_under_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = backbone(name, None, image_size=32)
    finally:
        keras.config.set_dtype_policy("float32")
    first = next(layer for layer in model.layers if layer.weights)
    assert first.compute_dtype == "bfloat16"
    # Padding and pooling by policy come after it; the last of the preprocessing is the last plain
    # float32 layer, whose numbers must still be exact.
    kept = [x for x in model.layers[1:] if x.compute_dtype == "float32"]
    assert kept[-1] in model.layers[: model.layers.index(first)]
    x = all_bytes().astype("float32")
    exact = keras.Model(model.input, kept[-1].output)(x)
    assert same(exact, module(ROWS[name]).preprocess_input(x.copy()))


# The whole network


EXACT = [  # every regime, and the one that is not flat in Keras
    ("MobileNetV3Small", {"minimalistic": True}),
    ("MobileNet", {"alpha": 0.25}),
    ("VGG16", {}),
    pytest.param("DenseNet121", {}, marks=pytest.mark.slow),
    ("EfficientNetB0", {}),
    pytest.param("ConvNeXtTiny", {}, marks=pytest.mark.slow),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "options"), EXACT)
def test_file_gives_the_predictions_of_keras_applications(name, options, tmp_path):
    equal_to_plain_keras(name, options, 32, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("row", KERAS_ROWS, ids=lambda row: row.name)
def test_every_network_is_flat_and_equals_keras_applications(row, tmp_path):
    size = 96 if row.family in {"inception_v3", "inception_resnet_v2", "xception"} else 64
    model = equal_to_plain_keras(row.name, {}, size, tmp_path)
    path, x = tmp_path / "saved.keras", all_bytes(size)
    model.save(path)
    again = keras.models.load_model(path)
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    keras.backend.clear_session()


def equal_to_plain_keras(name, options, size, tmp_path):
    builder, path = getattr(keras.applications, name), tmp_path / "plain.weights.h5"
    shared = options | {"include_top": False, "pooling": "avg"}
    plain = builder(weights=None, input_shape=(size, size, 3), **shared)
    plain.save_weights(path)
    model = backbone(name, path, image_size=size, **options)
    assert _graph.weights_digest(model) == _graph.weights_digest(plain)
    x = all_bytes(size)
    y = plain.predict(module(ROWS[name]).preprocess_input(x.astype("float32")), verbose=0)
    assert np.ptp(y) > 0
    assert same(model.predict(x, verbose=0), y)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    trunk, tail = _graph.split(model, _graph.freeze_boundary(model))
    assert tail.output_shape == model.output_shape and trunk.weights and tail.weights
    assert model.input_shape == (None, size, size, 3) and model.input.dtype == "float32"
    return model


@pytest.mark.thorough
@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_golden_predictions_of_real_weights_on_photos(golden, shared_data):
    weights = shared_data(f"weights/{golden['weights']}")
    size = golden["options"]["image_size"]
    images, labels = RECIPE["photos"](shared_data("data/imagenet_sample100"), size)
    model = backbone(golden["name"], weights, include_top=True, **golden["options"])
    scores = model.predict(images, verbose=0)
    top3 = np.take_along_axis(scores[golden["photos"]], np.array(golden["classes"]), axis=1)
    assert np.abs(top3 - golden["probabilities"]).max() <= 1e-5
    # Very probably training images: this says that inputs and weights fit, not how good they are.
    share = {"MobileNetV2": 0.85, "MobileNet": 0.45}[golden["name"]]
    assert np.mean(scores.argmax(1) == labels) == golden["top1_share"] >= share


def test_lenet5_reads_raw_digits(shared_data):
    with np.load(shared_data("data/mnist.npz")) as mnist:
        digits = np.pad(mnist["x_test"][:500], ((0, 0), (2, 2), (2, 2)))[..., None]
        labels = mnist["y_test"][:500]
    model = backbone("LeNet5", "mnist", include_top=True)
    scores = model.predict(digits, verbose=0)
    assert np.mean(scores.argmax(1) == labels) >= 0.98
    scaled = digits * np.float32(0.005) - np.float32(0.1)
    plain = models.LeNet5(weights="mnist").predict(scaled, verbose=0)
    assert np.abs(scores - plain).max() <= 1e-5


def test_lenet5_from_a_file_and_in_other_sizes(tmp_path):
    features = backbone("LeNet5", "mnist")
    assert features.input_shape == (None, 32, 32, 1) and features.output_shape == (None, 120)
    models.LeNet5(weights="mnist").save_weights(tmp_path / "top.weights.h5")
    again = backbone("LeNet5", tmp_path / "top.weights.h5")
    assert _graph.weights_digest(again) == _graph.weights_digest(features)
    wide = backbone("LeNet5", None, image_size=(40, 48), channels=3, pooling=None)
    assert wide.output_shape == (None, 3, 5, 120)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras"])
def test_weights_that_are_no_numbers_are_refused(name, tmp_path):
    model = models.LeNet5(weights="mnist")
    kernel, *rest = model.get_weights()
    model.set_weights([np.full_like(kernel, np.inf), *rest])
    (model.save if name == "a.keras" else model.save_weights)(tmp_path / name)
    with pytest.raises(InputError, match=r"a\..* holds NaN or infinity in c1/kernel"):
        backbone("LeNet5", tmp_path / name)


def test_features_of_a_file_with_the_top_and_without_are_equal(shared_data):
    with_top = backbone("MobileNet", shared_data("weights/mobilenet_0.25_128.weights.h5"), **SMALL)
    without = shared_data("weights/mobilenet_0.25_128_notop.weights.h5")
    bare = backbone("MobileNet", without, **SMALL)
    assert _graph.weights_digest(with_top) == _graph.weights_digest(bare)
    assert with_top.output_shape == (None, 256)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({}, (None, 256)),
        ({"pooling": "max"}, (None, 256)),
        ({"pooling": None}, (None, 1, 1, 256)),
        ({"image_size": (64, 96), "pooling": None}, (None, 2, 3, 256)),
        ({"alpha": 0.5}, (None, 512)),
        ({"include_top": True, "classes": 7}, (None, 7)),
        ({"image_size": None, "pooling": None}, (None, 7, 7, 256)),
    ],
)
def test_outputs(arguments, shape):
    assert backbone("MobileNet", None, **SMALL | arguments).output_shape == shape


OPEN = """
import sys

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "kerascnn":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import keras, numpy as np
x = np.load("x.npy")
for name in NAMES:
    y = keras.models.load_model(f"{name}.keras").predict(x, verbose=0)
    assert np.array_equal(y, np.load(f"{name}.npy")), name
assert "kerascnn" not in sys.modules
try:
    import kerascnn
except ModuleNotFoundError:
    print("opened")
"""


@pytest.mark.slow
def test_saved_model_opens_with_plain_keras_where_kerascnn_is_absent(tmp_path):
    names = ["MobileNet", "VGG16", "ConvNeXtTiny"]
    np.save(tmp_path / "x.npy", all_bytes())
    for name in names:
        model = backbone(name, None, image_size=32)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", model.predict(all_bytes(), verbose=0))
    code = f"import os; os.chdir({str(tmp_path)!r}); NAMES = {names}\n" + OPEN
    assert python(code) == "opened\n"


@pytest.mark.parametrize("regime", ["tf", "torch", "caffe"])
def test_exported_preprocessing_is_exact_too(regime, tmp_path):
    if keras.config.backend() != "tensorflow":
        pytest.skip("exports a TensorFlow function")
    import tensorflow as tf

    images, x = keras.Input((32, 32, 3)), all_bytes().astype("float32")
    model = keras.Model(images, backbones._preprocess(images, regime))
    model.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "saved")
    preprocess = keras.applications.imagenet_utils.preprocess_input
    assert same(loaded.serve(x), preprocess(x.copy(), mode=regime))


def test_network_trains_from_the_raw_photos():
    model = backbone("MobileNet", None, **SMALL)
    before = _graph.weights_digest(model)
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(all_bytes(), np.ones((2, 256), "float32"), verbose=0)
    assert _graph.weights_digest(model) != before


# Weights


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One MobileNet in every format in which people have its weights: {name: path}."""
    folder = tmp_path_factory.mktemp("weights")
    options = {"weights": None, "alpha": 0.25, "input_shape": (32, 32, 3)}
    top = keras.applications.MobileNet(**options)
    bare = keras.Model(top.input, top.get_layer("conv_pw_13_relu").output)
    flat = backbone("MobileNet", None, **SMALL)
    flat.set_weights(bare.get_weights())
    saved = {"top.keras": top, "bare.keras": bare, "backbone.keras": flat}
    saved |= {"top.weights.h5": top, "bare.weights.h5": bare, "backbone.weights.h5": flat}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("absl.logging.warning", lambda *_: None)
        for name, model in (saved | {"top.h5": top, "bare.h5": bare}).items():
            (model.save_weights if ".weights." in name else model.save)(folder / name)
    paths = {path.name: path for path in folder.iterdir()}
    return paths | {"digest": _graph.weights_digest(bare), "top": _graph.weights_digest(top)}


FORMATS = ["bare.keras", "backbone.keras", "bare.weights.h5", "backbone.weights.h5", "bare.h5"]
WITH_TOP = ["top.keras", "top.weights.h5", "top.h5"]


@pytest.mark.parametrize("file", FORMATS + WITH_TOP)
def test_every_format_is_loaded(file, files):
    model = backbone("MobileNet", str(files[file]), **SMALL)
    assert _graph.weights_digest(model) == files["digest"]


@pytest.mark.parametrize("file", WITH_TOP)
def test_top_is_loaded(file, files):
    model = backbone("MobileNet", files[file], include_top=True, **SMALL)
    assert _graph.weights_digest(model) == files["top"]


@pytest.mark.parametrize("file", FORMATS)
def test_file_without_the_top_is_refused_for_the_top(file, files):
    with pytest.raises(
        InputError, match="holds 135 arrays and the model has 137.*includes the top"
    ):
        backbone("MobileNet", files[file], include_top=True, **SMALL)


@pytest.mark.parametrize("file", ["bare.keras", "bare.weights.h5", "bare.h5"])
def test_file_of_another_network_is_refused(file, files):
    with pytest.raises(InputError, match="does not fit this MobileNetV2"):
        backbone("MobileNetV2", files[file], image_size=32)
    with pytest.raises(InputError, match="does not fit this MobileNet.*such as alpha"):
        backbone("MobileNet", files[file], image_size=32, alpha=0.5)


@pytest.mark.parametrize("file", ["bare.keras", "bare.weights.h5", "bare.h5"])
@pytest.mark.parametrize("share", [0, 0.1, 0.9, 0.999])
def test_truncated_file_is_refused(file, share, files, tmp_path):
    data = files[file].read_bytes()
    path = tmp_path / file
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match="is damaged or (not a weights file|no model)"):
        backbone("MobileNet", path, **SMALL)


@pytest.mark.slow
def test_both_forms_of_convnext_are_loaded(tmp_path):
    model = backbone("ConvNeXtTiny", None, image_size=32)
    model.save_weights(tmp_path / "flat.weights.h5")
    again = backbone("ConvNeXtTiny", tmp_path / "flat.weights.h5", image_size=32)
    assert _graph.weights_digest(again) == _graph.weights_digest(model)


@pytest.mark.slow
def test_published_efficientnet_file_is_divided_by_the_deviation(tmp_path):
    mean = np.array([0.485, 0.456, 0.406], "float32")
    deviation = np.array([0.229, 0.224, 0.225], "float32")
    plain = keras.applications.EfficientNetB0(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    normalization = next(x for x in plain.layers if isinstance(x, keras.layers.Normalization))
    normalization.set_weights([mean, deviation, np.array(0)])  # as published, see Keras's source
    plain.save_weights(tmp_path / "published.weights.h5")
    model = backbone("EfficientNetB0", tmp_path / "published.weights.h5", image_size=32)
    first = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    x = all_bytes().astype("float32")
    y = keras.Model(model.input, first.output).predict(x, verbose=0)
    assert np.abs(y - (x / 255 - mean) / deviation).max() < 1e-6


@pytest.mark.thorough
def test_download_that_fails_names_the_file_and_its_folder_where_keras_finds_it(tmp_path):
    code = (
        "import keras, re\n"
        "from kerascnn import InputError, _graph\n"
        "from kerascnn.transfer import backbone\n"
        "keras.config.disable_interactive_logging()\n"
        "options = dict(image_size=128, alpha=0.25)\n"
        "try: backbone('MobileNet', **options)\n"
        "except InputError as error: path = re.search(r'put the file at (\\S+),', str(error))[1]\n"
        "network = backbone('MobileNet', None, **options)\n"
        "network.save(path)\n"
        "again = backbone('MobileNet', **options)\n"
        "assert _graph.weights_digest(again) == _graph.weights_digest(network)\n"
        "print(path)\n"
    )
    path = python(code, KERAS_HOME=str(tmp_path)).split()[-1]
    assert path == str(tmp_path / "models" / "mobilenet_2_5_128_tf_no_top.h5")


@pytest.mark.parametrize(
    "name",
    [
        "VGG16",
        "MobileNetV3Small",
        pytest.param("NASNetMobile", marks=pytest.mark.slow),
        pytest.param("EfficientNetV2B0", marks=pytest.mark.slow),
    ],
)
def test_download_that_fails_is_one_sentence(name, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(InputError, match="could not be downloaded from https://") as error:
        backbone(name)
    assert re.search(rf"put the file at {tmp_path}/models/[\w.-]+\.h5, or pass", str(error.value))


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("MobilNetV2",), "Unknown backbone 'MobilNetV2'. Did you mean 'MobileNetV2'?"),
        (("MobileNet", "imagnet"), "Unknown weights of MobileNet: 'imagnet'. Did you mean"),
        (("MobileNet", "nowhere/x.h5"), "There is no weights file at nowhere/x.h5"),
        (("MobileNet", __file__), "must be a .weights.h5, .h5 or .keras file"),
        (("MobileNet", None, {"aplha": 0.5}), "Unknown option of MobileNet: 'aplha'"),
        (("MobileNet", None, {"input_shape": (9, 9, 3)}), "Unknown option of MobileNet: 'input_sh"),
        (("MobileNet", None, {"pooling": "mean"}), "Unknown pooling 'mean'"),
        (("MobileNet", None, {"image_size": 16}), "MobileNet cannot be built: Input size must"),
        (("MobileNet", None, {"image_size": "big"}), "`image_size` must be an int or (height"),
        (("MobileNet", None, {"image_size": (1, 2, 3)}), "`image_size` must be an int or (height"),
        (("MobileNet", None, {"channels": 1}), "takes images of 3 channels, not 1"),
        (("LeNet5",), "Unknown weights of LeNet5: 'imagenet'."),
        (("LeNet5", "mnist", {"channels": 3}), "do not fit"),
        (("MobileNet", "imagenet", {"alpha": 0.3}), "MobileNet cannot be built: If imagenet"),
    ],
)
def test_wrong_use_is_said_in_one_sentence(arguments, message):
    *positional, options = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with pytest.raises(InputError, match=re.escape(message)) as error:
        backbone(*positional, **options)
    assert "\n" not in str(error.value)
