"""Fine-tuning end to end: what is trained, what must not move, what comes out."""

import json
import zipfile

import keras
import numpy as np
import pytest

from kerascnn import InputError, _graph, data
from kerascnn.transfer import _training, finetune
from tests.transfer.conftest import SHAPES, equal, in_process, shape_data, tiny_network, tune

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def moving_statistics(model):
    return [
        value
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for value in (layer.moving_mean.numpy(), layer.moving_variance.numpy())
    ]


# On real photos


@pytest.fixture(scope="module")
def real(clothing, mobilenet, tmp_path_factory):
    """(photos, network): 60 training photos of ten classes, and weights of ImageNet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASCNN_CACHE", str(tmp_path_factory.mktemp("real")))
        yield data.from_directory(clothing, 128, progress=False), mobilenet()


def says(result, split):
    return result.model.predict(split.images(range(split.num_photos)), verbose=0)


@pytest.fixture(scope="module")
def real_partial(real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("partial") / "run"
    return tune(*real, "partial", engine="auto", epochs=1, output=folder), folder


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", ["probe", "partial"])
def test_what_was_measured_is_what_the_model_says(real, real_partial, strategy):
    photos, network = real
    result = real_partial[0] if strategy == "partial" else tune(photos, network, strategy)
    assert result.metrics["strategy"] == strategy
    trained = says(result, photos.train).argmax(axis=1) == photos.train.labels
    assert trained.mean() > 0.7  # guessing gives 0.1
    for split, measured in (
        (photos.validation, result.validation_probabilities),
        (photos.test, result.test_probabilities),
    ):
        np.testing.assert_allclose(measured, says(result, split), atol=1e-4)
    hits = result.test_probabilities.argmax(axis=1) == photos.test.labels
    assert result.metrics["test_accuracy"] == hits.mean()


@pytest.mark.thorough
def test_full_training_moves_all_kernels_and_no_frozen_statistic(real, clothing):
    _, network = real
    photos = data.from_directory(clothing, 128, splits=(1, 0, 0), progress=False)
    before = moving_statistics(network)
    assert len(before) == 2 * 27
    result = tune(photos, network, "full", epochs=1)
    assert [stage["name"] for stage in result.stages] == ["probe", "partial", "full"]
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            tuned = result.model.get_layer(layer.name)
            assert not np.array_equal(layer.get_weights()[0], tuned.get_weights()[0])
    for old, new in zip(before, moving_statistics(result.model)):
        np.testing.assert_array_equal(old, new)


# On drawn photos: strategies


@pytest.fixture(autouse=True)
def one_cache(monkeypatch, shared_cache):
    """What a test puts into it wrongly, another will find."""
    monkeypatch.setenv("KERASCNN_CACHE", str(shared_cache))


@pytest.mark.thorough
def test_statistics_move_where_they_are_not_frozen(shapes, partial, monkeypatch):
    """The tests of frozen ones can fail: this is what `fit` does without `freeze_batch_norm`."""
    before = moving_statistics(tiny_network())
    for old, new in zip(before, moving_statistics(partial.model)):
        np.testing.assert_array_equal(old, new)
    monkeypatch.setattr(_graph, "freeze_batch_norm", lambda model: 0)
    loose = tune(shapes, tiny_network(), "partial", epochs=1)
    assert "not kept" not in loose.stages[1]["what"]
    same = [np.array_equal(a, b) for a, b in zip(before, moving_statistics(loose.model))]
    assert same == [True] * 4 + [False] * 2  # two statistics each of three stages


def test_partial_trains_what_comes_after_the_boundary(partial):
    network = tiny_network()
    boundary = _graph.freeze_boundary(network)
    assert boundary in partial.stages[1]["what"]
    assert "not kept" not in partial.stages[1]["what"]
    names = [layer.name for layer in network.layers]
    for place, layer in enumerate(network.layers):
        same = all(
            np.array_equal(a, b)
            for a, b in zip(layer.get_weights(), partial.model.get_layer(layer.name).get_weights())
        )
        trained = place > names.index(boundary) and layer.name.endswith("_conv")
        assert same != (trained and bool(layer.weights)) or layer.name.endswith("_bn")


def test_history_and_stages_tell_what_was_trained(partial):
    assert [row["stage"] for row in partial.history] == ["partial"] * 3
    assert [row["epoch"] for row in partial.history] == [1, 2, 3]
    probe, tail = partial.stages
    assert (probe["learning_rate"], tail["learning_rate"], tail["epochs"]) == (None, 3e-4, 3)
    for stage in partial.stages:
        assert 0 <= stage["validation_accuracy"] <= 1 and stage["seconds"] > 0
    assert set(partial.timings) == {"build", "features", "probe", "partial", "test"}


def test_auto_asks_the_table(shapes):
    """16 training photos a class are little data; with 25 the last stage is trained."""
    result = tune(shapes, tiny_network(), "auto")
    assert (result.plan.strategy, [s["name"] for s in result.stages]) == ("probe", ["probe"])
    assert [row[0] for row in result.tables[0]["rows"]] == ["stage1_relu", "stage2_relu", "output"]
    more = shape_data(dict.fromkeys(SHAPES, 32))
    result = tune(more, tiny_network(), "auto", views="auto", epochs=1)
    assert result.plan.strategy in ("partial", "full") and len(result.stages) > 1
    assert any("mirrored photos" in reason for reason in result.plan.reasons)


def test_probe_reads_an_earlier_layer_where_that_is_better(shapes):
    """A network whose last stage has forgotten everything: unlike what the photos need."""
    network = tiny_network()
    last = network.get_layer("stage3_conv")
    last.set_weights([np.zeros_like(value) for value in last.get_weights()])
    result = tune(shapes, network, "auto")
    assert result.plan.strategy == "probe" and result.plan.layer in ("stage1_relu", "stage2_relu")
    assert "different photos" in result.plan.reasons[1]
    assert "stage3_conv" not in [layer.name for layer in result.model.layers]
    np.testing.assert_allclose(result.test_probabilities, says(result, shapes.test), atol=1e-5)
    assert result.metrics["test_accuracy"] > 0.6


def test_digits_by_the_packaged_network():
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.kron(digits.images * (255 / 16), np.ones((1, 4, 4))).astype(np.uint8)[:300]
    photos = data.from_arrays(images, digits.target[:300])
    result = finetune(photos, "LeNet5", "partial", weights="mnist", epochs=2, verbose=False)
    assert result.metrics["test_accuracy"] > 0.8
    assert result.config["weights"] == "mnist"


# Repeating


def test_the_same_seed_repeats_to_the_bit(shapes, partial, monkeypatch, tmp_path):
    monkeypatch.setenv("KERASCNN_CACHE", str(tmp_path))  # nothing is found: all computed again
    again = tune(shapes, tiny_network(), "partial", epochs=3)
    assert equal(again.model, partial.model)
    assert again.history == partial.history
    np.testing.assert_array_equal(again.test_probabilities, partial.test_probabilities)
    seconds = {"seconds", "stages"}
    for key in set(again.metrics) - seconds:
        assert again.metrics[key] == partial.metrics[key]


def test_another_seed_is_another_run(shapes, partial):
    assert not equal(tune(shapes, tiny_network(), "partial", epochs=3, seed=1).model, partial.model)


# Data at its limits


def test_imbalance_weights_the_classes():
    photos = shape_data({"circle": 60, "square": 5, "triangle": 5})
    auto, balanced, plain = (
        tune(photos, tiny_network(), "probe", class_weight=w) for w in ("auto", "balanced", None)
    )
    assert "classes of few photos count as much as those of many" in auto.plan.reasons
    assert not any("few photos" in reason for reason in plain.plan.reasons)
    assert equal(auto.model, balanced.model) and not equal(auto.model, plain.model)


@pytest.mark.parametrize("strategy", ["auto", "partial"])
def test_without_held_out_photos(strategy, tmp_path):
    """Classes of one or two photos train only."""
    photos = shape_data({"circle": 2, "square": 2, "triangle": 1})
    result = tune(photos, tiny_network(), strategy, epochs=1, output=tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text("utf-8"))
    assert (metrics["test_accuracy"], metrics["validation_accuracy"]) == (None, None)
    assert metrics["num_photos"] == {"train": 5, "validation": 0, "test": 0}
    assert result.model.predict(photos.train.images(range(5)), verbose=0).shape == (5, 3)


# The model


def test_model_is_flat_and_compiled_with_stock_objects(partial):
    model = partial.model
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert type(model.optimizer) is keras.optimizers.SGD
    assert model.loss == "sparse_categorical_crossentropy"
    assert (model.input_shape, model.output_shape) == ((None, 32, 32, 3), (None, 3))


def opens_without_kerascnn(run, photos, tmp_path):
    """Predictions of uint8 and float32 photos where kerascnn cannot be imported."""
    np.save(tmp_path / "photos.npy", photos)
    code = f"""
import sys
sys.modules["kerascnn"] = None  # importing it is an error
import warnings; warnings.simplefilter("error")
warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
import keras, numpy as np
model = keras.models.load_model({str(run / "model.keras")!r})
photos = np.load({str(tmp_path / "photos.npy")!r})
assert photos.dtype == np.uint8
np.save({str(tmp_path / "says.npy")!r}, [model.predict(photos, verbose=0),
                                         model.predict(photos.astype("float32"), verbose=0)])
print(type(model.optimizer).__name__)
"""
    assert in_process(code).strip() == "SGD"
    return np.load(tmp_path / "says.npy")


@pytest.mark.thorough
def test_model_opens_without_kerascnn(partial, saved, shapes, tmp_path):
    photos = shapes.test.images(range(6))
    for found in opens_without_kerascnn(saved, photos, tmp_path):
        np.testing.assert_array_equal(found, partial.model.predict(photos, verbose=0))


@pytest.mark.slow
def test_model_of_keras_applications_opens_without_kerascnn(real, real_partial, tmp_path):
    result, run = real_partial
    test = real[0].test.images(range(10))
    for found in opens_without_kerascnn(run, test, tmp_path):
        np.testing.assert_array_equal(found, result.model.predict(test, verbose=0))


def test_labels_are_inside_the_archive(saved):
    with zipfile.ZipFile(saved / "model.keras") as archive:
        labels = json.loads(archive.read("labels.json"))
    assert labels["class_names"] == ["circle", "square", "triangle"]
    assert labels == json.loads((saved / "labels.json").read_text("utf-8"))


@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_mixed_precision_inside_is_float32_outside(shapes, policy):
    keras.config.set_dtype_policy(policy)
    try:
        result = tune(shapes, tiny_network(), "partial", epochs=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert result.model.get_layer("stage1_conv").compute_dtype == policy.removeprefix("mixed_")
    assert (result.model.input.dtype, result.model.output.dtype) == ("float32", "float32")
    probabilities = says(result, shapes.test)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, result.test_probabilities, atol=0.02)


def test_bfloat16_features_are_compared_with_float32(shapes):
    pytest.importorskip("openvino")
    result = tune(shapes, tiny_network(), "probe", engine="auto", precision="bfloat16")
    (table,) = result.tables
    assert table["title"] == "Features in bfloat16"
    assert [row[0] for row in table["rows"]] == ["float32", "bfloat16"]
    assert "openvino-bfloat16" in result.config["engines_used"]
    measured = result.validation_probabilities
    np.testing.assert_allclose(measured, says(result, shapes.validation), atol=1e-4)


# What is left behind


def test_interrupted_leaves_nothing_but_checkpoints(shapes, monkeypatch, tmp_path):
    def interrupt(self, epoch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(_training._Epochs, "on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tune(shapes, tiny_network(), "partial", output=tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run.partial"]
    assert [path.name for path in (tmp_path / "run.partial").iterdir()] == ["checkpoints"]


def test_existing_output_is_refused_before_anything_is_computed(shapes, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    monkeypatch.setattr("kerascnn.transfer._job.Job.run", lambda *args: pytest.fail("computed"))
    with pytest.raises(InputError, match="already exists and nothing in it was changed"):
        tune(shapes, tiny_network(), "probe", output=tmp_path / "run")
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


def test_progress_is_on_stderr_and_can_be_silenced(shapes, capsys):
    tune(shapes, tiny_network(), "partial", epochs=1, verbose=True)
    captured = capsys.readouterr()
    assert captured.out == "" and "partial: epoch 1/1: accuracy" in captured.err
    tune(shapes, tiny_network(), "probe")
    assert capsys.readouterr() == ("", "")


# Wrong use


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "partal"}, "Did you mean 'partial'?"),
        ({"epochs": 0}, "epochs must be an int >= 1"),
        ({"engine": "openvin"}, "Did you mean 'openvino'?"),
        ({"backbone": "MobilNetV2"}, "Did you mean 'MobileNetV2'?"),
        ({"backbone": tiny_network(size=48)}, "photos (32, 32, 3) to features (N, F)"),
    ],
)
def test_wrong_arguments(shapes, options, message):
    with pytest.raises(InputError) as caught:
        finetune(shapes, **{"backbone": tiny_network(), "verbose": False} | options)
    assert message in str(caught.value)


@pytest.mark.parametrize("wrong", ["photos/", (np.zeros((2, 4, 4, 3)), [0, 1]), None])
def test_data_is_image_data(wrong):
    with pytest.raises(InputError, match=f"needs ImageData.*Received: {type(wrong).__name__}."):
        finetune(wrong, tiny_network())


def test_a_sequential_backbone_is_adapted_as_the_functional_one_is(shapes):
    network = tiny_network()
    expected, found = (
        tune(shapes, backbone, "probe", seed=np.int64(3), learning_rate=np.float32(1e-3))
        for backbone in (network, keras.Sequential(network.layers))
    )
    np.testing.assert_array_equal(found.test_probabilities, expected.test_probabilities)
    np.testing.assert_allclose(says(found, shapes.test), found.test_probabilities, atol=1e-4)
    assert json.loads(json.dumps(found.config))["seed"] == 3


# Other backends


@pytest.mark.slow
def test_fine_tuning_on_jax(tmp_path):
    pytest.importorskip("jax")
    code = f"""
import numpy as np
from tests.transfer.conftest import shape_data, tiny_network, tune
from tests.transfer.test_finetuning import moving_statistics, says
photos, network = shape_data(), tiny_network()
options = {{"views": "auto", "engine": "auto", "output": {str(tmp_path / "run")!r}}}
result = tune(photos, network, "full", **options)
assert [stage["name"] for stage in result.stages] == ["probe", "partial", "full"]
assert result.config["engines_used"] == ["keras"]
np.testing.assert_allclose(result.test_probabilities, says(result, photos.test), atol=1e-4)
for old, new in zip(moving_statistics(network), moving_statistics(result.model)):
    np.testing.assert_array_equal(old, new)
"""
    in_process(code, KERAS_BACKEND="jax")
    assert (tmp_path / "run/model.keras").is_file()
