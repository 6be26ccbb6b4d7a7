"""Cross-validated trials: each fold is a training of its own, the score is their mean."""

import keras
import keras_tuner
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.search import CrossValidation, FromScratch, Tuner, trials


@pytest.fixture(scope="module")
def data():
    images = np.random.default_rng(0).integers(256, size=(60, 6, 6), dtype="uint8")
    images[::2, 2:4] //= 4
    return kc.data.from_arrays(images, [0, 1] * 30)


class Sums(keras_tuner.HyperModel):
    """Not a network's training, but arithmetic that can be done again here."""

    def __init__(self, data, result):
        super().__init__()
        self.data, self.result_of = data, result

    def with_data(self, data):
        return Sums(data, self.result_of)

    def declare_hyperparameters(self, hp):
        hp.Float("scale", 1.0, 3.0, default=2.0)

    def build(self, hp):
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])

    def fit(self, hp, model, callbacks=(), **options):
        self.result = self.result_of(hp["scale"], sorted(self.data.validation.paths))
        history = getattr(self.result, "history", {})
        for epoch, row in enumerate(zip(*history.values())):
            model.set_weights([np.full((1, 1), epoch)])
            for callback in callbacks:
                callback.set_model(model)
                callback.on_epoch_end(epoch, dict(zip(history, row)))
        return self.result


def total(scale, paths):
    return scale * sum(int(path.split("/")[1]) for path in paths)


def history(scale, paths):
    """Three epochs; the second is the best, and has the highest loss."""
    found, best = keras.callbacks.History(), total(scale, paths)
    found.history = {
        "val_accuracy": [best - 1, best, float("nan")],
        "val_loss": [3.0, 5.0, 4.0],
    }
    return found


class Models(keras.callbacks.Callback):
    """The models that it was called with."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.model)


def default(space):
    hp = keras_tuner.HyperParameters()
    space.declare_hyperparameters(hp)
    return hp


def history_with_scores(scale, paths):
    found = history(scale, paths)
    found.history["val_f1_score"] = [np.ones(2)] * 3
    return found


FORMS = {
    "float": total,
    "dict": lambda scale, paths: {"val_accuracy": total(scale, paths), "val_loss": 5.0},
    "history": history,
    "dict with scores": lambda scale, paths: {
        "val_accuracy": total(scale, paths),
        "val_loss": 5.0,
        "val_f1_score": np.ones(2),
    },
    "history with scores": history_with_scores,
}


@pytest.mark.parametrize("form", FORMS)
def test_score_is_the_mean_over_the_folds(data, form):
    space = CrossValidation(Sums(data, FORMS[form]), folds=3, seed=2)
    hp, watch = default(space), Models()
    model = space.build(hp)
    found = space.fit(hp, model, callbacks=[watch])
    wanted = [total(2.0, part.validation.paths) for part in kc.data.folds(data, 3, seed=2)]
    assert [found[f"val_accuracy_fold{i}"] for i in range(3)] == wanted
    assert found["val_accuracy"] == pytest.approx(np.mean(wanted))
    assert found["val_accuracy_std"] == pytest.approx(np.std(wanted, ddof=1))
    assert form == "float" or found["val_loss"] == 5.0
    assert "val_f1_score" not in found  # a number for each class
    if form.startswith("history"):
        assert watch.seen == [model] * 3  # callbacks of a tuner see, and save, fold 0
        assert [member.get_weights()[0].item() for member in space.members(hp)] == [1.0] * 3


def test_for_a_loss_the_lowest_epoch_counts(data):
    space = CrossValidation(Sums(data, history), folds=2, objective="val_loss")
    hp = default(space)
    model = space.build(hp)
    found = space.fit(hp, model)
    assert model.get_weights()[0].item() == 0.0
    assert (found["val_loss"], found["val_loss_fold1"], found["val_loss_std"]) == (3.0, 3.0, 0.0)


def test_space_data_and_fingerprint_are_those_of_the_hypermodel(data):
    inner = FromScratch(data, epochs=1)
    space = CrossValidation(inner, folds=2)
    assert default(space).get_config() == default(inner).get_config()
    assert space.data is data
    assert space.fingerprint()["space"] == inner.fingerprint()
    other = space.with_data(kc.data.folds(data, 2)[1])
    assert other.fingerprint() != space.fingerprint() and other.folds == 2
    assert CrossValidation(Sums(data, total), 2).fingerprint()["space"] == {}


def accuracies(models, parts):
    pairs = zip(models, parts)
    return [
        m.evaluate(part.validation, verbose=0, return_dict=True)["accuracy"] for m, part in pairs
    ]


@pytest.mark.thorough
def test_the_tuner_keeps_fold_0_and_the_members_are_those_of_all_folds(data, tmp_path):
    space = CrossValidation(FromScratch(data, epochs=4, max_blocks=1), folds=2)
    tuner = Tuner(space, tmp_path / "search", max_trials=1, isolate=False, verbose=False)
    tuner.search()
    (trial,) = trials(tmp_path / "search")
    parts = kc.data.folds(data, 2)
    (best,) = tuner.get_best_models(1)
    scores = [trial["metrics"][f"val_accuracy_fold{i}"] for i in range(2)]
    assert trial["score"] == pytest.approx(np.mean(scores))
    assert accuracies([best], parts) == pytest.approx(scores[:1], abs=1e-6)
    keras.utils.set_random_seed(0)
    members = space.members(tuner.get_best_hyperparameters()[0])
    assert accuracies(members, parts)[0] == pytest.approx(scores[0], abs=0.06)
    assert np.abs(members[0].get_weights()[0] - members[1].get_weights()[0]).max() > 1e-3
    assert kc.ensembles.ensemble(members).output_shape == (None, 2)


def test_a_trial_that_goes_on_from_another_is_refused(data):
    space = CrossValidation(Sums(data, total), 2)
    with pytest.raises(kc.InputError, match='oracle="random"'):
        space.fit(default(space), None, initial_epoch=2)


def test_an_objective_of_several_numbers_is_refused(data):
    space = CrossValidation(Sums(data, history_with_scores), 2, objective="val_f1_score")
    with pytest.raises(kc.InputError, match="gives no val_f1_score, only"):
        space.fit(default(space), space.build(default(space)))


def test_a_space_that_gives_no_objective_is_refused(data):
    for result in (lambda scale, paths: {"loss": 1.0}, lambda *_: keras.callbacks.History()):
        space = CrossValidation(Sums(data, result), 2)
        with pytest.raises(kc.InputError, match="gives no val_accuracy, only (loss|nothing)"):
            space.fit(default(space), space.build(default(space)))


def test_a_space_without_its_parts_is_refused():
    for given in (keras_tuner.HyperModel(), lambda hp: None):
        with pytest.raises(kc.InputError, match="Folds need a keras_tuner.HyperModel with `data`"):
            CrossValidation(given)
