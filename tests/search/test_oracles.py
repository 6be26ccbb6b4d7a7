"""Which values trials have: repeatable from the seed, also when a search is cut anywhere."""

import keras_tuner
import pytest

import kerascnn as kc
from kerascnn.search import Tuner, _oracles, trials
from tests.search.spaces import Line, Space, rows

pytestmark = pytest.mark.thorough


def searched(folder, space=None, **options):
    options = {"isolate": False, "verbose": False, "max_trials": 6} | options
    Tuner(space or Space(), folder, **options).search()
    return rows(trials(folder))


def test_values_depend_on_the_seed_and_the_number_alone(tmp_path):
    found = searched(tmp_path / "a")
    assert found[0]["values"] == {"kind": "a", "rate": 0.01}
    assert [row["trial"] for row in found] == [f"000{i}" for i in range(6)]
    assert searched(tmp_path / "b", max_trials=3) == found[:3]
    assert searched(tmp_path / "b") == found
    others = searched(tmp_path / "c", seed=1)
    assert not [row for row in others[1:] if row["values"] in [f["values"] for f in found]]
    for row in [*found, *others]:
        assert ("units" in row["values"]) == (row["values"]["kind"] == "b")


def test_a_large_sample_is_what_the_scales_say():
    oracle = _oracles.make_oracle("random", "val_loss", 3, None)
    Space().declare_hyperparameters(oracle.hyperparameters)
    drawn = [oracle.populate_space(str(i))["values"] for i in range(400)]
    logs = [value["rate"] < 0.01 for value in drawn]  # the middle of 1e-4 .. 1
    assert 160 < sum(logs) < 240
    units = [value["units"] for value in drawn if "units" in value]
    assert 160 < len(units) < 240 and set(units) == set(range(1, 10))


def test_a_small_space_is_used_up_without_repeats(tmp_path):
    class Small(Space):
        def declare_hyperparameters(self, hp):
            hp.Choice("kind", self.choices)
            hp.Fixed("rate", 0.5)

    found = searched(tmp_path, Small(choices="acd"), max_trials=10)
    assert sorted(row["values"]["kind"] for row in found) == ["a", "c", "d"]


ORACLES = {
    "random": {"max_trials": 11},
    "bayesian": {"max_trials": 8, "space": Line()},  # six are random
    "hyperband": {"max_trials": None, "epochs": 4},
}


@pytest.mark.parametrize(("oracle", "options"), ORACLES.items())
def test_a_search_repeats_and_so_does_one_in_pieces(tmp_path, oracle, options):
    whole = searched(tmp_path / "whole", oracle=oracle, **options)
    assert whole[0]["values"] == {"kind": "a", "rate": 0.01}
    assert len({str(row["values"]) for row in whole}) > 4
    for most in (4, 7):
        searched(tmp_path / "pieces", oracle=oracle, **options | {"max_trials": most})
    assert searched(tmp_path / "pieces", oracle=oracle, **options) == whole


def test_an_oracle_of_keras_tuner_keeps_its_own_objective_and_number(tmp_path):
    space = keras_tuner.HyperParameters()
    Space().declare_hyperparameters(space)
    objective = keras_tuner.Objective("val_accuracy", "min")
    oracle = keras_tuner.oracles.GridSearchOracle(objective, max_trials=3, hyperparameters=space)
    found = searched(tmp_path, oracle=oracle)
    assert [row["trial"] for row in found] == ["0000", "0001", "0002"]
    scores = [row["score"] for row in found]
    assert Tuner(Space(), tmp_path, oracle=again()).oracle.objective.direction == "min"
    best = kc.search.best_values(tmp_path)[0]
    assert best == found[scores.index(min(scores))]["values"]


def again():
    objective = keras_tuner.Objective("val_accuracy", "min")
    return keras_tuner.oracles.GridSearchOracle(objective, max_trials=3)


class Killed(BaseException):
    pass


def test_a_kill_before_or_after_any_file_changes_nothing(tmp_path, monkeypatch):
    whole = searched(tmp_path / "whole", max_trials=2)
    real, files = _oracles.write_json, []

    def dying(path, value):
        files.append(path)
        if len(files) == last and not after:
            raise Killed
        real(path, value)
        if len(files) == last:
            raise Killed

    kills = 0
    for after in (False, True):
        for last in range(1, 30):
            folder, files = tmp_path / f"{after}{last}", []
            monkeypatch.setattr(_oracles, "write_json", dying)
            try:
                searched(folder, max_trials=2)
            except Killed:
                kills += 1
            monkeypatch.setattr(_oracles, "write_json", real)
            space = Space()
            assert searched(folder, space, max_trials=2) == whole
            assert space.fits <= 2
            if len(files) < last:
                break
    assert kills > 15


def test_no_trial_starts_when_the_time_is_over_in_all_calls_together(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_oracles, "monotonic", lambda: now[0])

    def ten_seconds():
        now[0] += 10

    space = Space(dict.fromkeys(range(1, 20), ten_seconds))
    for most, fits in ((15, 2), (15, 2), (20, 2), (41, 5)):
        now[0] += 1000  # between the calls
        searched(tmp_path, space, max_seconds=most, max_trials=None)
        assert space.fits == fits
    searched(tmp_path, space, max_trials=6)
    assert space.fits == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"oracle": "grid"}, "Unknown oracle 'grid'.*random, bayesian"),
        ({"oracle": "hyperband"}, "say how many at most, e.g. epochs=27"),
        ({"objective": "beauty"}, "No objective can be made of 'beauty'"),
        ({"max_trials": 0}, "max_trials must be an int >= 1"),
        ({"max_seconds": -1}, "max_seconds must be a number > 0"),
        ({"seed": -1}, "seed must be an int >= 0"),
    ],
)
def test_wrong_arguments(tmp_path, options, message):
    with pytest.raises(kc.InputError, match=message):
        Tuner(Space(), tmp_path / "search", **options)
    assert not (tmp_path / "search").exists()
