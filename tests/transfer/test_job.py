"""What one fine-tuning decides, keeps and undoes, and when it reads which photos."""

import json
import logging
import random
import shutil

import keras
import numpy as np
import pytest

from kerascnn import InputError, NonFiniteError, _graph
from kerascnn._random import permutation
from kerascnn.transfer import Recipe, _training, finetune
from kerascnn.transfer._classifier import network_for
from kerascnn.transfer._job import Job
from tests.transfer.conftest import SHAPES, equal, shape_data, tiny_network, tune

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def one_cache(monkeypatch, shared_cache):
    """What a test puts into it wrongly, another will find."""
    monkeypatch.setenv("KERASCNN_CACHE", str(shared_cache))


def job(shapes, **options):
    config = {"class_weight": None}
    return Job(shapes, config, **options)


def test_the_checkpoints_of_others_stay(shapes, tmp_path):
    (tmp_path / "photos").mkdir()
    first, second = job(shapes), job(shapes)
    second.config["seed"] = 1
    first.own_folder(tmp_path).mkdir()
    second.own_folder(tmp_path).mkdir()
    assert first.own_folder(tmp_path) != second.own_folder(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_times_are_counted_once(shapes, monkeypatch):
    clock = iter([0.0, 1.0, 31.0, 40.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    timed = job(shapes)
    with timed.timed("partial"), timed.timed("compute"):
        pass
    assert timed.timings == {"compute": 30.0, "partial": 10.0}


# The network


def test_network_without_pooling_is_refused(shapes):
    network = tiny_network()
    maps = keras.Model(network.input, network.get_layer("stage3_relu").output)
    with pytest.raises(InputError, match=r"Received: \(32, 32, 3\) to \(None, 4, 4, 64\)"):
        finetune(shapes, maps, verbose=False)


def test_a_network_that_was_passed_and_is_made_for_fractions_gives_a_warning(shapes):
    layers = [keras.layers.Rescaling(2, -1), keras.layers.Flatten(), keras.layers.Dense(2)]
    network = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    with pytest.warns(UserWarning, match="made for values around 0 to 1, and these images"):
        network_for(network, None, shapes)
    network_for(tiny_network(), None, shapes)


def test_the_network_that_was_passed_stays_as_it_is(shapes):
    network, twin = tiny_network(), tiny_network()
    network.get_layer("stage1_conv").trainable = False
    tune(shapes, network, "partial", epochs=1)
    assert equal(network, twin)
    flags = {layer.name: layer.trainable for layer in network.layers}
    assert [name for name, flag in flags.items() if not flag] == ["stage1_conv"]


def test_what_the_caller_draws_does_not_depend_on_it(shapes):
    """Else runs that are repeated beside a fine-tuning are all alike."""
    network = tiny_network()
    random.seed(7), np.random.seed(7)
    expected = random.random(), np.random.random()
    random.seed(7), np.random.seed(7)
    finetune(shapes, network, "probe")
    assert (random.random(), np.random.random()) == expected


def test_network_of_one_stage():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 32, activation="relu", name="only")(inputs)
    network = keras.Model(inputs, keras.layers.Flatten()(x), name="one_stage")
    photos = shape_data(dict.fromkeys(SHAPES, 32))
    with pytest.raises(InputError, match="has no stage to freeze before its last one"):
        tune(photos, network, "partial")
    for strategy in ("auto", "full"):
        result = tune(photos, network, strategy, epochs=1)
        assert [stage["name"] for stage in result.stages] == ["probe", "full"]


# Stages that do not help


def test_a_stage_that_makes_it_worse_is_undone(shapes, probed):
    result = tune(shapes, tiny_network(), "full", learning_rate=50.0)
    assert result.stages[1]["what"].endswith("(not kept: validation accuracy fell)")
    assert result.stages[2]["what"].endswith("(not kept: validation accuracy fell)")
    assert result.stages[1]["validation_accuracy"] < result.stages[0]["validation_accuracy"]
    assert len(result.history) == 4
    rates = [stage["learning_rate"] for stage in result.stages]
    assert rates == [None, 50.0, 5.0]  # a tenth for the whole network
    assert equal(result.model, probed.model)
    np.testing.assert_array_equal(result.validation_probabilities, probed.validation_probabilities)
    np.testing.assert_array_equal(result.test_probabilities, probed.test_probabilities)


def test_a_stage_that_diverges_is_undone_without_validation_photos():
    photos = shape_data(dict.fromkeys(SHAPES, 8), splits=(1, 0, 0))
    result = tune(photos, tiny_network(), "partial", learning_rate=1e30, epochs=4)
    assert "not kept: The loss is" in result.stages[1]["what"]
    assert "learning rate than" in result.stages[1]["what"] and result.history == []
    assert equal(result.model, tune(photos, tiny_network(), "probe").model)


# Photos


def test_one_validation_photo_and_two_classes():
    parts = ["train"] * 5 + ["validation"] + ["train"] * 5 + ["test"]
    photos = shape_data({"circle": 6, "square": 6}, splits=parts)
    result = tune(photos, tiny_network(), "partial", epochs=1)
    assert result.metrics["validation_accuracy"] in (0.0, 1.0)
    assert result.test_probabilities.shape == (1, 2)


def test_test_photos_are_read_once_and_last(shapes, monkeypatch):
    log = []
    for name in ("train", "validation", "test"):
        split = getattr(shapes, name)

        def images(indices, name=name, read=split.images):
            log.extend((name, int(i)) for i in indices)
            return read(indices)

        monkeypatch.setattr(split, "images", images)
    monkeypatch.setattr(
        _training._Epochs,
        "on_train_end",
        lambda self, logs=None: log.append("trained"),
        raising=False,
    )
    tune(shapes, tiny_network(seed=9), "full", epochs=1)
    last_stage = len(log) - log[::-1].index("trained")
    assert log.count("trained") == 2
    assert not any(entry[0] == "test" for entry in log[:last_stage])
    assert sorted(log[last_stage:][-6:]) == [("test", i) for i in range(6)]
    assert sum(entry[0] == "test" for entry in log) == 6


# The disk


def test_too_little_disk_trains_without_a_cache(shapes, partial, monkeypatch, caplog):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with caplog.at_level(logging.WARNING, "kerascnn"):
        result = tune(shapes, tiny_network(), "partial", epochs=3)
    assert "Too little disk is free" in caplog.text
    assert "cached" not in result.stages[1]["what"]
    # The same training, but for rounding.
    for ours, theirs in zip(result.model.get_weights(), partial.model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    before = tiny_network().get_layer("stage1_conv")
    np.testing.assert_array_equal(result.model.get_layer("stage1_conv").kernel, before.kernel)


# Recipes


def test_the_partial_stage_is_this_program_of_plain_keras(shapes, probed, partial):
    """Batches of 32, AdamW with Keras's decay, warm-up, cosine, smoothing 0.1, the best epoch."""
    model = keras.models.clone_model(probed.model)
    model.set_weights(probed.model.get_weights())
    trunk, tail = _graph.split(model, _graph.freeze_boundary(tiny_network()))
    _graph.freeze_batch_norm(tail)
    parts = shapes.train, shapes.validation
    x, held = (trunk.predict(p.images(range(p.num_photos)) * 1.0, verbose=0) for p in parts)
    labels = shapes.train.labels
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, 4, 0.02, warmup_target=3e-4, warmup_steps=2
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    tail.compile(keras.optimizers.AdamW(schedule, weight_decay=0.004), loss)
    best = None
    for epoch in range(3):
        order = permutation(48, 0, "order", epoch)
        for rows in (order[:32], order[32:]):
            tail.train_on_batch(x[rows], np.eye(3)[labels[rows]])
        found = float(loss(np.eye(3)[shapes.validation.labels], tail.predict(held, verbose=0)))
        if best is None or found < best[0]:
            best = found, model.get_weights()
    for ours, plain in zip(partial.model.get_weights(), best[1]):
        np.testing.assert_allclose(ours, plain, atol=2e-6)


@pytest.mark.parametrize("num_stages", [1, 2])
def test_stages_learn_at_their_rates(shapes, probed, num_stages):
    """Of one step of Adam each weight moves by the rate, whatever its gradient."""
    recipe = {"batch_size": 48, "weight_decay": 0, "num_stages": num_stages, "stage_rate": 0.25}
    result = tune(shapes, tiny_network(), "partial", epochs=1, recipe=recipe)
    assert "not kept" not in result.stages[1]["what"]
    moved = {}
    for layer, start in zip(result.model.layers, probed.model.layers):
        if layer.weights and not isinstance(layer, keras.layers.BatchNormalization):
            steps = np.abs(layer.get_weights()[0] - start.get_weights()[0])
            moved[layer.name] = np.median(steps) / 3e-4
    expected = {"stage1_conv": 0, "stage2_conv": 0, "stage3_conv": 0.25, "predictions": 1}
    if num_stages == 2:
        expected["stage2_conv"] = 0.0625
    assert moved == pytest.approx(expected, rel=0.02)


def test_more_stages_than_there_are_train_all_but_the_first(shapes):
    result = tune(shapes, tiny_network(), "partial", epochs=1, recipe={"num_stages": 9})
    assert result.stages[1]["what"] == "layers after stage1_relu, from cached features"


def test_a_hidden_layer_learns_before_the_rest(shapes, tmp_path):
    recipe = Recipe(hidden_units=32, dropout=0.2, batch_size=8)
    result = tune(shapes, tiny_network(), "partial", epochs=12, recipe=recipe)
    assert [stage["name"] for stage in result.stages] == ["probe", "head", "partial"]
    assert [stage["learning_rate"] for stage in result.stages[1:]] == pytest.approx([3e-3, 3e-4])
    assert result.stages[1]["validation_accuracy"] > 0.7  # guessing gives 0.33
    before = tiny_network().get_layer("stage1_conv").get_weights()
    assert np.array_equal(result.model.get_layer("stage1_conv").get_weights()[0], before[0])
    says = result.model.predict(shapes.test.images(range(6)) * 1.0, verbose=0)
    np.testing.assert_allclose(result.test_probabilities, says, atol=1e-5)
    result.model.save(tmp_path / "model.keras")
    assert equal(keras.models.load_model(tmp_path / "model.keras"), result.model)  # no kerascnn


def test_the_head_alone(shapes, probed):
    result = tune(shapes, tiny_network(), "head", epochs=3, recipe={"dropout": 0.5})
    assert [stage["name"] for stage in result.stages] == ["probe", "head"]
    for layer, start in zip(result.model.layers[:-2], probed.model.layers[:-1]):
        assert equal(layer, start)
    says = result.model.predict(shapes.test.images(range(6)) * 1.0, verbose=0)
    np.testing.assert_allclose(result.test_probabilities, says, atol=1e-5)


def test_a_hidden_layer_that_diverges_is_an_error(shapes):
    with pytest.raises(NonFiniteError):
        tune(shapes, tiny_network(), "head", learning_rate=1e30, recipe={"hidden_units": 8})


def test_the_recipe_is_in_the_run_folder(shapes, tmp_path):
    recipe = {"batch_size": 16, "dropout": 0.1}
    tune(shapes, tiny_network(), "head", epochs=1, recipe=recipe, output=tmp_path / "run")
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert Recipe(**config["recipe"]) == Recipe(**recipe)
    assert "batch_size" in (tmp_path / "run/report.html").read_text()
    assert "batch size 16" in (tmp_path / "run/model_card.md").read_text()
