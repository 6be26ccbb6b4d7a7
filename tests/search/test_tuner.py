"""A search from its first line to its best models, and what it refuses."""

import json

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn._runs import lock
from kerascnn.search import Tuner, best_values, trials
from tests.search.spaces import Space, rows

LOSS = "sparse_categorical_crossentropy"


def searched(folder, hypermodel=None, fit=None, **options):
    options = {"isolate": False, "verbose": False, "max_trials": 4} | options
    tuner = Tuner(hypermodel or Space(), folder, **options)
    tuner.search(**(fit or {}))
    return tuner


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_a_finished_search_goes_on_with_more_trials_and_runs_none_again(tmp_path):
    first, more = Space(), Space()
    searched(tmp_path, first)
    before = trials(tmp_path)
    done = files(tmp_path / "trial_0001")
    searched(tmp_path, more, max_trials=7)
    assert (first.fits, more.fits) == (4, 3)
    assert trials(tmp_path)[:4] == before and len(trials(tmp_path)) == 7
    assert files(tmp_path / "trial_0001") == done
    assert set(done) == {"config.json", "model.weights.h5", "trial.json"}
    assert searched(tmp_path, max_trials=7).remaining_trials == 0


class Scores(Space):
    """A metric that is a number for each class, beside one that is a number."""

    def build(self, hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
        metrics = ["accuracy", keras.metrics.F1Score()]
        model.compile("sgd", "categorical_crossentropy", metrics=metrics)
        return model

    def fit(self, hp, model, *args, **options):
        return model.fit(*args, **options)


def test_a_metric_for_each_class_is_no_score_and_no_obstacle(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    tuner = Tuner(
        Scores(), tmp_path, objective="accuracy", max_trials=1, isolate=False, verbose=False
    )
    tuner.search(x, np.eye(2, dtype="float32")[[0, 1] * 4])
    (trial,) = trials(tmp_path)
    assert (trial["status"], set(trial["metrics"])) == ("COMPLETED", {"accuracy", "loss"})


def test_the_config_of_a_trial(tmp_path):
    searched(tmp_path, seed=5)
    config = json.loads((tmp_path / "trial_0002" / "config.json").read_text())
    row = trials(tmp_path)[2]
    same = ("trial", "status", "score", "metrics", "seconds", "seed", "message", "values")
    assert {name: config[name] for name in same} == row
    assert row["seed"] == 5 and config["peak_bytes"] > 10_000_000


def test_ints_of_numpy_are_as_those_of_python(tmp_path):
    def told(seed, count, epochs):
        options = {"seed": seed, "max_trials": count, "epochs": epochs}
        return searched(tmp_path, **options).remaining_trials

    assert told(np.int64(5), np.int32(2), np.int64(3)) == 0
    assert json.loads((tmp_path / "search.json").read_text())["epochs"] == 3
    assert told(5, 2, 3) == 0 and len(trials(tmp_path)) == 2  # the same search, which is done


def test_hyperband_trains_the_best_further_from_where_they_were(tmp_path):
    starts = {}

    class Counting(Space):
        def fit(self, hp, model, *args, epochs, initial_epoch, **kwargs):
            kernel = model.get_layer("only").kernel
            starts[float(hp.get("rate")), initial_epoch] = float(kernel[0, 0])
            kernel.assign_add(keras.ops.ones_like(kernel) * (epochs - initial_epoch))
            return {"val_accuracy": hp.get("rate"), "epochs": epochs}

    searched(tmp_path, Counting(), oracle="hyperband", epochs=9, max_trials=18)
    configs = [path.read_text() for path in sorted(tmp_path.glob("trial_*/config.json"))]
    values = [json.loads(config)["values"] for config in configs]
    further = [value for value in values if "tuner/trial_id" in value]
    assert {value["tuner/initial_epoch"] for value in further} == {1, 3}
    for value in further:
        earlier = values[int(value["tuner/trial_id"])]
        assert earlier["rate"] == value["rate"]
        assert earlier["tuner/epochs"] == value["tuner/initial_epoch"]
        begun = starts[value["rate"], earlier["tuner/initial_epoch"]]
        trained = earlier["tuner/epochs"] - earlier["tuner/initial_epoch"]
        assert starts[value["rate"], value["tuner/initial_epoch"]] == pytest.approx(begun + trained)
    # Successive halving: nine or more start, the best third goes on, and of these again.
    rates = sorted({v["rate"] for v in values if v["tuner/bracket"] == 2}, reverse=True)
    going_on = {v["rate"] for v in further if v["tuner/bracket"] == 2}
    assert going_on == set(rates[: len(going_on)]) and len(going_on) < len(rates) / 2
    assert best_values(tmp_path)[0].keys() <= {"kind", "units", "rate"}


def test_models_of_a_real_search_are_the_best_epochs_and_vote(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8, 8, 3)).astype("float32")
    y = (x.mean((1, 2, 3)) > 0).astype("int32")
    fit = {"x": x[:40], "y": y[:40], "validation_data": (x[40:], y[40:])}

    def build(hp):
        inputs = keras.Input((8, 8, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(inputs)
        outputs = keras.layers.Dense(2, "softmax")(pooled)
        model = keras.Model(inputs, outputs)
        rate = hp.Float("rate", 1e-2, 10, sampling="log")
        model.compile(keras.optimizers.SGD(rate), LOSS, metrics=["accuracy"])
        return model

    tuner = searched(tmp_path, build, fit, epochs=3, objective="val_loss", max_trials=3)
    found = sorted(trials(tmp_path), key=lambda row: row["score"])
    best = tuner.get_best_models(2)
    for model, row in zip(best, found):
        history = json.loads((tmp_path / f"trial_{row['trial']}" / "config.json").read_text())
        assert row["score"] == min(epoch["val_loss"] for epoch in history["epochs"])
        loss, accuracy = model.evaluate(x[40:], y[40:], verbose=0)
        assert loss == pytest.approx(row["score"], rel=1e-5)
        assert accuracy == pytest.approx(row["metrics"]["val_accuracy"])
    vote = kc.ensembles.ensemble(best).predict(x[:5], verbose=0)
    mean = np.mean([model.predict(x[:5], verbose=0) for model in best], 0)
    np.testing.assert_allclose(vote, mean, atol=1e-6)
    model, metrics = kc.search.retrain_best(build, tmp_path, 1, **fit)
    assert metrics["val_loss"] == pytest.approx(found[1]["score"], rel=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], best[1].get_weights()[0], atol=1e-6)


def failing(error, first=1, last=99):
    def fail():
        raise error

    return Space(dict.fromkeys(range(first, last + 1), fail))


def test_wrong_input_stops_the_search_at_once_and_mended_it_goes_on(tmp_path):
    with pytest.raises(kc.InputError, match="^There are no photos.$"):
        searched(tmp_path, failing(kc.InputError("There are no photos.")))
    assert [row["status"] for row in trials(tmp_path)] == ["RUNNING"]
    assert "There are no photos" in (tmp_path / "trial_0000" / "error.txt").read_text()
    searched(tmp_path)
    assert [row["status"] for row in trials(tmp_path)] == ["COMPLETED"] * 4
    assert not list(tmp_path.rglob("error.txt"))


def test_what_only_some_values_cause_fails_those_trials(tmp_path):
    searched(tmp_path, failing(kc.InputError("Too deep for 8 pixels."), 2, 3))
    found = trials(tmp_path)
    assert [row["status"] for row in found] == ["COMPLETED", "FAILED", "FAILED", "COMPLETED"]
    assert found[1]["message"] == "Too deep for 8 pixels." and found[1]["score"] is None


def test_three_failures_in_a_row_end_the_search(tmp_path):
    with pytest.raises(kc.InputError, match="Three trials in a row failed.*KeyError: 'x'.*_0003"):
        searched(tmp_path, failing(KeyError("x"), 2), max_trials=9)
    searched(tmp_path, max_trials=5)
    statuses = [row["status"] for row in trials(tmp_path)]
    assert statuses == ["COMPLETED", "FAILED", "FAILED", "COMPLETED", "COMPLETED"]


def test_control_c_says_how_to_go_on(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, failing(KeyboardInterrupt(), 3), verbose=True)
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == (
        "Stopped in trial 0002. The trials before are kept in "
        f"{tmp_path}: the same search goes on there."
    )
    searched(tmp_path)
    searched(tmp_path.with_name("whole"))
    assert rows(trials(tmp_path)) == rows(trials(tmp_path.with_name("whole")))


class Photos(Space):
    def __init__(self, photos):
        super().__init__()
        self.photos = photos

    def fingerprint(self):
        return {"photos": self.photos}


def changed_file(folder):
    path = folder / "search.json"
    stored = json.loads(path.read_text())
    stored["versions"]["kerascnn"] = "0.0.1"
    path.write_text(json.dumps(stored))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "seed: was 0, is 1"),
        ({"hypermodel": Photos("other")}, 'data, photos: was "mine", is "other"'),
        ({"hypermodel": Space(choices="ac")}, "space, 0, config, values, 1: was"),
        ({"oracle": "bayesian"}, 'oracle: was "random", is "bayesian"'),
        ({"objective": "val_loss"}, "objective"),
        ({"epochs": 3}, "epochs: was null, is 3"),
        ({"fit": {"x": np.ones(3)}}, "arguments, x"),
    ],
)
def test_another_search_is_refused_and_nothing_changes(tmp_path, options, message):
    fit = {"x": np.zeros(3)}
    searched(tmp_path, Photos("mine"), fit, max_trials=1)
    before = files(tmp_path)
    options = {"hypermodel": Photos("mine"), "fit": fit} | options
    with pytest.raises(kc.InputError, match=f"holds another search.*{message}.*overwrite=True"):
        searched(tmp_path, **options)
    assert files(tmp_path) == before
    searched(tmp_path, max_trials=2, overwrite=True, **options | {"objective": "val_accuracy"})
    assert len(trials(tmp_path)) == 2


def test_a_folder_of_another_version_or_of_other_things_is_refused(tmp_path):
    searched(tmp_path / "old", max_trials=1)
    changed_file(tmp_path / "old")
    with pytest.raises(kc.InputError, match='versions, kerascnn: was "0.0.1"'):
        searched(tmp_path / "old")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    for overwrite in (False, True):
        with pytest.raises(kc.InputError, match="holds something else than a search"):
            searched(tmp_path / "photos", overwrite=overwrite)
    assert (tmp_path / "photos" / "cat.jpg").exists()
    with pytest.raises(kc.InputError, match="holds something else"):
        searched(tmp_path / "photos" / "cat.jpg")


def test_one_process_at_a_time(tmp_path):
    tuner = searched(tmp_path, max_trials=1)
    with lock(tmp_path), pytest.raises(kc.InputError, match="Another kerascnn process is working"):
        tuner.search()
