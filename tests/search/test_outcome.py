"""What a search leaves behind: its files say what its trials were, and its models open."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import kerascnn as kc
from kerascnn.data import from_arrays
from kerascnn.search import FromScratch, Tuner, _outcome, trials

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def space():
    """Dark photos and bright ones."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = rng.integers(0, 100, (40, 8, 8, 3)) + 120 * labels[:, None, None, None]
    data = from_arrays(images.astype("uint8"), labels, class_names=["dark", "bright"])
    return FromScratch(data, epochs=1, max_blocks=1)


@pytest.fixture(scope="module")
def tuner(space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcome") / "search"
    tuner = Tuner(space, folder, max_trials=2, isolate=False, verbose=False)
    tuner.search()
    return tuner


@pytest.fixture
def folder(tuner):
    return tuner._folder


def size(path):
    with Image.open(path) as picture:
        return picture.size


def test_trials_as_a_table(folder):
    _outcome.write_trials(folder)
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    for row, found in zip(written, trials(folder), strict=True):
        assert (row["trial"], float(row["score"])) == (found["trial"], found["score"])
        assert {k: row[k] for k in found["values"]} == {
            k: str(v) for k, v in found["values"].items()
        }
        assert float(row["val_loss"]) == found["metrics"]["val_loss"]


def test_pictures(folder, monkeypatch):
    assert _outcome.write_pictures(folder) is None  # two trials say nothing about importance
    assert size(folder / "parallel.png")[1] > 300
    assert not (folder / "importance.png").exists()
    many = [
        {"values": {"rate": i / 30, "size": i % 3}, "score": i / 30, "metrics": {}}
        for i in range(30)
    ]
    monkeypatch.setattr(_outcome, "trials", lambda folder: many)
    shares = _outcome.write_pictures(folder)
    assert next(iter(shares)) == "rate" and size(folder / "importance.png")[0] > 300


def test_the_winner_is_trained_once_and_again_when_another_one_wins(space, folder, capsys):
    metrics = _outcome.winner(space, folder, verbose=True)
    best = max(trials(folder), key=lambda row: row["score"])
    assert capsys.readouterr().err == f"Training with the values of trial {best['trial']}.\n"
    assert json.loads((folder / "best.json").read_text()) == best["values"]
    run = kc.transfer.load_run(folder / "best")
    test = space.data.test
    guess = run.model.predict(np.concatenate([x for x, _ in test]), verbose=0).argmax(axis=1)
    assert run.class_names == ["dark", "bright"]
    assert metrics["test_accuracy"] == pytest.approx(np.mean(guess == test.labels))
    assert metrics["validation_accuracy"] == pytest.approx(best["metrics"]["val_accuracy"])

    made = (folder / "best" / "model.keras").stat().st_ino
    assert _outcome.winner(space, folder, verbose=True) == metrics
    assert capsys.readouterr().err == ""
    assert (folder / "best" / "model.keras").stat().st_ino == made
    (folder / "best.json").write_text("{}")  # of another trial
    _outcome.winner(space, folder, verbose=False)
    assert (folder / "best" / "model.keras").stat().st_ino != made
    assert json.loads((folder / "best.json").read_text()) == best["values"]


def test_the_ensemble_is_the_mean_of_the_best(tuner, folder):
    path = _outcome.write_ensemble(tuner, folder, 2)
    x = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3)).astype("float32")
    members = [model.predict(x, verbose=0) for model in tuner.get_best_models(2)]
    vote = kc.load_model(path).predict(x, verbose=0)
    np.testing.assert_allclose(vote, np.mean(members, axis=0), atol=1e-6)
