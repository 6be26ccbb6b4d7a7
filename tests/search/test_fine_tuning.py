"""A trial is `finetune` without its test; trials share what is frozen, and nothing else."""

import json

import cloudpickle
import keras
import keras_tuner
import numpy as np
import pytest

from kerascnn import InputError, _graph, data
from kerascnn.search import FineTuning
from kerascnn.transfer import Recipe, finetune
from tests.transfer.conftest import draw_photos, equal, shape_data, tiny_network

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
ALL = ("head", "partial", "full")
RICH = {
    "depth": "full", "hidden_units": 128, "dropout": 0.2, "num_stages": 2, "stage_rate": 0.5,
    "magnitude": 10, "batch_size": 64, "views": "2", "weight_decay": 0.01,
    "learning_rate": 0.001, "label_smoothing": 0.05,
}  # fmt: skip


@pytest.fixture(scope="module")
def shapes():
    return shape_data()


@pytest.fixture
def space(shapes):
    return FineTuning(shapes, tiny_network(), depths=ALL, epochs=2, engine="keras")


def chosen(space, **values):
    """Hyperparameters with these values and the defaults of the others."""
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    space.declare_hyperparameters(hp)
    hp.ensure_active_values()
    return hp


def trial(space, callbacks=(), **values):
    hp = chosen(space, **values)
    model = space.build(hp)
    return model, space.fit(hp, model, callbacks=callbacks)


@pytest.mark.parametrize("values", [{}, pytest.param(RICH, marks=pytest.mark.slow)])
def test_a_trial_is_a_finetune(shapes, space, values):
    model, metrics = trial(space, **values)
    if not values:
        result = finetune(
            shapes, tiny_network(), "partial", epochs=2, engine="keras", verbose=False
        )
    else:
        result = finetune(shapes, **space.settings(values), verbose=False)
        assert [stage["name"] for stage in result.stages] == ["probe", "head", "partial", "full"]
    assert equal(model, result.model)
    assert metrics["val_accuracy"] == result.metrics["validation_accuracy"]
    assert space.history == result.history


def test_trials_do_not_change_each_other(space):
    digest = _graph.weights_digest(space.backbones[0])
    head, scores = trial(space, depth="head")
    trial(space, learning_rate=0.003)
    again, same = trial(space, depth="head")
    assert equal(head, again) and scores == same
    fresh = FineTuning(space.data, tiny_network(), depths=ALL, epochs=2, engine="keras")
    assert trial(fresh, depth="head")[1] == scores
    assert _graph.weights_digest(space.backbones[0]) == digest


def test_later_trials_read_no_photo_and_no_weight_again(shapes, space, monkeypatch):
    trial(space)
    calls = []
    monkeypatch.setattr(_graph, "weights_digest", calls.append)
    for split in (shapes.train, shapes.validation):
        monkeypatch.setattr(split, "images", calls.append)
    trial(space, learning_rate=0.001)
    trial(space, depth="head", batch_size=64)
    assert calls == []


def test_test_photos_are_not_touched(monkeypatch):
    photos = shape_data()

    def refuse(*args):
        raise AssertionError("a trial reads test photos")

    monkeypatch.setattr(photos.test, "images", refuse)
    monkeypatch.setattr(photos.test, "digests", None)
    trial(FineTuning(photos, tiny_network(), epochs=1, engine="keras"))


class Watch(keras.callbacks.Callback):
    def __init__(self, stop_at=None):
        super().__init__()
        self.epochs, self.stop_at = [], stop_at

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, logs["val_accuracy"]))
        if epoch == self.stop_at:
            self.model.stop_training = True


def test_callbacks_are_told_the_epochs_of_all_stages(space):
    watch = Watch()
    model, _ = trial(space, [watch], hidden_units=128)
    assert [epoch for epoch, _ in watch.epochs] == [0, 1, 2, 3]  # two of the head, two of the rest
    assert [row["val_accuracy"] for row in space.history] == [value for _, value in watch.epochs]
    assert watch.model is model


def test_a_callback_may_end_the_trial(shapes):
    space = FineTuning(shapes, tiny_network(), depths="head", epochs=9, engine="keras")
    watch = Watch(stop_at=1)
    trial(space, [watch])
    assert len(watch.epochs) == 2


def test_an_epoch_budget_is_a_shorter_plan(space):
    hp = chosen(space, depth="head")
    space.fit(hp, space.build(hp), epochs=1, initial_epoch=0)
    assert len(space.history) == 1
    assert space.settings({"depth": "head", "tuner/epochs": 1})["epochs"] == 1


@pytest.mark.slow
def test_a_longer_trial_trains_anew(space):
    """Hyperband loads what a shorter trial left; the score is of values and seed alone."""
    values = {"hidden_units": 128, "dropout": 0.3}
    whole, metrics = trial(space, **values)
    hp = chosen(space, **values)
    model, _ = trial(space, **values)  # trained: as loaded from a shorter trial
    assert space.fit(hp, model, epochs=2, initial_epoch=1) == metrics
    assert equal(model, whole)


@pytest.mark.parametrize("depths", [ALL, ("head", "partial"), "head"])
def test_the_space_is_conditional_and_begins_with_the_default_plan(shapes, depths):
    space = FineTuning(shapes, tiny_network(), depths=depths)
    hp = chosen(space)
    settings = space.settings({p.name: hp.values[p.name] for p in hp.space if hp.is_active(p)})
    assert settings["strategy"] == ("head" if depths == "head" else "partial")
    assert (settings["views"], settings["learning_rate"], settings["epochs"]) == ("auto", 3e-4, 12)
    assert Recipe(**settings["recipe"]) == Recipe()
    active = {p.name for p in chosen(space, depth="head").space if hp.is_active(p)}
    assert ("num_stages" in active) == (depths != "head") and "magnitude" not in active


def test_settings_of_a_named_backbone_are_plain(shapes, tmp_path):
    weights = tmp_path / "weights.h5"
    weights.touch()
    space = FineTuning(shapes, ["MobileNetV2", "ResNet50"], weights={"ResNet50": weights})
    settings = space.settings({"backbone": "ResNet50", "dropout": 0.1})
    assert json.loads(json.dumps(settings)) == settings
    assert settings["weights"] == str(weights) and settings["backbone"] == "ResNet50"
    with pytest.raises(InputError, match="Unknown backbone with weights: 'MobileNetV2'"):
        space.settings({"backbone": "MobileNetV2"})


def test_the_fingerprint_is_of_what_decides_a_trial(shapes):
    def prints(photos=shapes, network=None, **options):
        return FineTuning(photos, network or tiny_network(), **options).fingerprint()

    assert json.loads(json.dumps(prints())) == prints()
    others = [
        prints(shape_data({"circle": 20, "square": 21})), prints(network=tiny_network(seed=1)),
        prints(epochs=3), prints(seed=1), prints(depths="head"), prints(engine="tensorflow"),
    ]  # fmt: skip
    assert prints() not in others and all(others.count(other) == 1 for other in others)


def test_other_data_in_the_same_space(shapes, space):
    other = space.with_data(shape_data({"circle": 20, "square": 20}))
    assert other.data.class_names == ["circle", "square"]
    mine, theirs = space.fingerprint(), other.fingerprint()
    assert {key for key in mine if mine[key] != theirs[key]} == {"train", "validation"}


def test_photos_travel_by_their_place_on_disk(tmp_path):
    folder = draw_photos(tmp_path / "photos", {"circle": 20, "square": 20})
    photos = data.from_directory(folder, 128, progress=False)
    space = FineTuning(photos, weights=None)
    space._kept = photos.train.images(range(32))  # as a network that was kept: stays here
    sent = cloudpickle.dumps(space)
    assert len(sent) < 50_000 < photos.train.images(range(32)).nbytes
    twin = cloudpickle.loads(sent)
    np.testing.assert_array_equal(twin.data.train.images([3]), photos.train.images([3]))
    assert twin.fingerprint() == space.fingerprint() and twin._kept is None


@pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning")
def test_keras_tuner_searches_it(space, tmp_path):
    tuner = keras_tuner.RandomSearch(
        space, "val_accuracy", max_trials=2, seed=1, directory=tmp_path, project_name="search"
    )
    tuner.search(verbose=0)
    best = tuner.oracle.get_best_trials(1)[0]
    (model,) = tuner.get_best_models(1)
    held = space.data.validation
    guess = model.predict(held.images(range(held.num_photos)) * 1.0, verbose=0)
    assert (guess.argmax(axis=1) == held.labels).mean() >= best.score


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"depths": "heads"}, "Unknown depth 'heads'. Did you mean 'head'?"),
        ({"depths": ()}, "depths and backbone must name at least one each."),
        ({"epochs": 0}, "epochs must be an int >= 1. Received: 0."),
        ({"engine": "fast"}, "Unknown engine 'fast'."),
    ],
)
def test_what_cannot_be_searched(shapes, options, said):
    with pytest.raises(InputError) as caught:
        FineTuning(shapes, tiny_network(), **options)
    assert str(caught.value).startswith(said)


def test_photos_that_cannot_be_searched_with():
    with pytest.raises(InputError, match="A search needs validation photos"):
        FineTuning(shape_data(splits=(1, 0, 0)))
    with pytest.raises(InputError, match="A search needs ImageData .* Received: str"):
        FineTuning("photos/")
