"""Trials on Ray: the same ones as `Tuner` runs, in the same folder, cut short where Ray says so."""

import sys

import keras
import keras_tuner
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.search import ray_tune, trials, with_ray

# Keras Tuner 1.4.8 asks for its thread by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning")


def space():
    """A line through the origin, fitted at a rate."""

    class Line(keras_tuner.HyperModel):
        def declare_hyperparameters(self, hp):
            hp.Float("rate", 1e-4, 1e-1, sampling="log")

        def build(self, hp):
            self.declare_hyperparameters(hp)
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            model.compile(keras.optimizers.SGD(hp["rate"]), "mse")
            return model

    return Line()


def points():
    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    return {"x": x, "y": x[:, :1], "epochs": 6, "batch_size": 8}


def test_without_ray_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(kc.InputError, match=r'pip install "kerascnn\[distributed\]"'):
        with_ray(space(), tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_what_ray_reports_becomes_a_trial(tmp_path, capsys):
    """A trial that was stopped after its worst epoch, one that died, one that ended by itself."""
    tuner = ray_tune._RayTuner(space(), tmp_path, objective="loss", max_trials=3, isolate=False)
    handed = [tuner.oracle.create_trial(f"ray{i}") for i in range(3)]
    tuner._claim({})
    kept = tmp_path / "trial_0000" / ".best.weights.h5"
    tuner.hypermodel.build(handed[0].hyperparameters).save_weights(kept)
    losses = [0.5, 0.2, 0.9]
    rows = [{"epoch_metrics": {"loss": v}, "time_total_s": 2.0 + v, "loss": v} for v in losses]
    tuner._take(handed[0], rows)
    tuner._take(handed[1], [])
    whole = {"status": "COMPLETED", "message": "", "score": 0.1, "metrics": {"loss": 0.1}}
    tuner._take(handed[2], [*rows, {"loss": 0.1, "outcome": whole}])
    stopped, died, ended = trials(tmp_path)
    assert (stopped["status"], stopped["score"], stopped["seconds"]) == ("COMPLETED", 0.2, 2.9)
    assert stopped["message"] == "stopped by the scheduler after 3 epochs"
    assert (died["status"], died["message"]) == ("FAILED", ray_tune._DIED)
    assert (ended["status"], ended["score"]) == ("COMPLETED", 0.1)
    assert (tmp_path / "trial_0000" / "model.weights.h5").exists() and not kept.exists()
    assert [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "trial 0000", "trial 0001", "trial 0002",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray's own
def test_ray_runs_the_trials_of_tuner_and_its_scheduler_stops_some(tmp_path, monkeypatch):
    monkeypatch.undo()  # Ray's processes talk over sockets
    pytest.importorskip("ray")
    from ray.tune.schedulers import ASHAScheduler

    alone = kc.search.Tuner(space(), tmp_path / "a", objective="loss", max_trials=4, isolate=False)
    alone.search(**points())
    with_ray(space(), tmp_path / "b", objective="loss", max_trials=3, **points())
    tuner = with_ray(space(), tmp_path / "b", objective="loss", max_trials=4, **points())
    expected, found = trials(tmp_path / "a"), trials(tmp_path / "b")
    assert [row["values"] for row in found] == [row["values"] for row in expected]
    scores = [row["score"] for row in expected]
    np.testing.assert_allclose([row["score"] for row in found], scores, rtol=1e-5)
    assert tuner.get_best_models(1)[0].count_params() == 3
    assert not (tmp_path / "b" / "ray").exists()

    asha = ASHAScheduler(max_t=100, grace_period=2, reduction_factor=2)
    with_ray(
        space(), tmp_path / "c", objective="loss", max_trials=4, scheduler=asha,
        resources={"cpu": 10**-3}, **points(),
    )  # fmt: skip
    stopped = [row for row in trials(tmp_path / "c") if "stopped" in row["message"]]
    assert stopped and len(stopped) < 4
    assert {row["status"] for row in trials(tmp_path / "c")} == {"COMPLETED"}
