"""What is read from the folder of a search."""

import keras_tuner
import pytest

import kerascnn as kc
from kerascnn.search import Tuner, best_values, results, retrain_best, trials
from tests.search.spaces import Space


def fail():
    raise ValueError("no")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    space = Space({3: fail})
    Tuner(space, folder, max_trials=5, isolate=False, verbose=False).search()
    return folder


def test_trials_are_plain_rows_in_order(folder):
    found = trials(str(folder))
    assert [row["trial"] for row in found] == ["0000", "0001", "0002", "0003", "0004"]
    names = {"trial", "status", "values", "score", "metrics", "seconds", "seed", "message"}
    assert all(row.keys() == names for row in found)
    assert (found[2]["status"], found[2]["score"]) == ("FAILED", None)
    for row in found[:2] + found[3:]:
        score = row["values"]["rate"] / 2 + row["values"].get("units", 0) / 20
        assert row["score"] == row["metrics"]["val_accuracy"] == pytest.approx(score)


def test_best_values_are_the_highest_scores_first(folder):
    completed = [row for row in trials(folder) if row["score"] is not None]
    expected = sorted(completed, key=lambda row: -row["score"])
    assert best_values(folder, 9) == [row["values"] for row in expected]
    assert best_values(folder) == [expected[0]["values"]]


@pytest.mark.parametrize("rank", [0, 2])
def test_retraining_gives_the_score_and_leaves_the_folder(folder, rank):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    model, metrics = retrain_best(Space(), folder, rank)
    row = results.ranked(folder)[rank]
    assert metrics["val_accuracy"] == row["score"]
    assert model.get_layer("only").units == row["values"].get("units", 1)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_loss_is_better_when_it_is_lower(tmp_path):
    class Lossy(Space):
        def fit(self, hp, model, **kwargs):
            return hp.get("rate")

    objective = keras_tuner.Objective("regret", "min")
    tuner = Tuner(
        Lossy(), tmp_path, objective=objective, max_trials=4, isolate=False, verbose=False
    )
    tuner.search()
    rates = [values["rate"] for values in best_values(tmp_path, 4)]
    assert rates == sorted(rates) and len(rates) == 4


def test_what_cannot_be_read_or_retrained(folder, tmp_path):
    for read in (trials, best_values, lambda path: retrain_best(Space(), path)):
        with pytest.raises(
            kc.InputError, match="holds no search: there is no readable search.json"
        ):
            read(tmp_path)
    with pytest.raises(kc.InputError, match="has 4 completed trials, so none of rank 4"):
        retrain_best(Space(), folder, 4)
    with pytest.raises(kc.InputError, match="holds another search.*space"):
        retrain_best(Space(choices="xyz"), folder)
