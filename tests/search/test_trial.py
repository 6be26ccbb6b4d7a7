"""One trial: which numbers and which weights it is judged by, and what its errors say."""

import copy

import keras
import keras_tuner
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.search import _trial

pytestmark = pytest.mark.thorough

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")
LOSS = keras_tuner.Objective("val_loss", "min")


class Jumping(keras_tuner.HyperModel):
    """Gradient descent at a rate that rises in the third epoch, from where it gets worse."""

    def build(self, hp):
        model = keras.Sequential([keras.layers.Dense(1)])  # without an input layer
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 1.0, default=0.1)), "mse")
        return model

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        def rate(epoch, before):
            return before if epoch < 2 else 3.0

        schedule = keras.callbacks.LearningRateScheduler(rate)
        return model.fit(*args, callbacks=[*callbacks, schedule], **kwargs)


def study(hypermodel, folder, objective=LOSS, **kwargs):
    kwargs = {"validation_data": (X[30:], Y[30:]), "epochs": 4, "shuffle": False} | kwargs
    return _trial.Study(hypermodel, objective, 0, folder, (X[:30], Y[:30]), kwargs)


def ran(hypermodel, folder, **options):
    told = []
    model, outcome = _trial.run(
        study(hypermodel, folder, **options), "0000", keras_tuner.HyperParameters(), folder,
        lambda epoch, logs: told.append((epoch, logs)),
    )  # fmt: skip
    return model, outcome, told


def loss(model):
    return float(np.mean((model(X[30:]).numpy() - Y[30:]) ** 2))


def test_the_best_epoch_counts_and_its_weights_are_kept(tmp_path):
    model, outcome, told = ran(Jumping(), tmp_path)
    losses = [logs["val_loss"] for _, logs in told]
    assert [epoch for epoch, _ in told] == [0, 1, 2, 3]
    assert losses[0] > losses[1] < losses[2] < losses[3]
    assert (outcome["epoch"], outcome["score"]) == (1, losses[1])
    assert outcome["metrics"] == {**told[1][1], "learning_rate": pytest.approx(0.1)}
    assert outcome["epochs"] == [row for _, row in told]
    assert loss(model) == pytest.approx(losses[3], rel=1e-5)
    model.load_weights(tmp_path / "model.weights.h5")
    assert loss(model) == pytest.approx(losses[1], rel=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["model.weights.h5"]
    before = np.random.get_state()[1].tolist()
    again = ran(Jumping(), tmp_path)[1]
    assert again["epochs"] == outcome["epochs"]
    assert np.random.get_state()[1].tolist() == before  # the caller's draws go on


def test_several_objectives_are_summed(tmp_path):
    both = keras_tuner.Oracle([LOSS, keras_tuner.Objective("loss", "max")]).objective
    outcome = ran(Jumping(), tmp_path, objective=both)[1]
    differences = [row["val_loss"] - row["loss"] for row in outcome["epochs"]]
    assert outcome["score"] == min(differences) == outcome["metrics"]["multi_objective"]


@pytest.mark.parametrize("result", [0.25, np.float32(0.25), {"val_loss": 0.25, "note": "fine"}])
def test_a_fit_that_returns_numbers_leaves_its_own_weights(tmp_path, result):
    class Own(Jumping):
        def fit(self, hp, model, *args, **kwargs):
            super().fit(hp, model, *args, **kwargs)
            return result

    model, outcome, _ = ran(Own(), tmp_path)
    assert outcome["metrics"] == {"val_loss": 0.25} and outcome["epoch"] is None
    last = model.get_weights()
    model.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], last[0])


def test_a_part_that_is_trained_alone_leaves_the_whole_model_s_weights(tmp_path):
    class Headed(Jumping):
        def build(self, hp):
            self.head = super().build(hp)
            return keras.Sequential([keras.Input((3,)), keras.layers.Identity(), self.head])

        def fit(self, hp, model, *args, **kwargs):
            return super().fit(hp, self.head, *args, **kwargs)

    model, outcome, _ = ran(Headed(), tmp_path)
    assert outcome["score"] < outcome["epochs"][-1]["val_loss"] == pytest.approx(loss(model))
    model.load_weights(tmp_path / "model.weights.h5")
    assert loss(model) == pytest.approx(outcome["epochs"][-1]["val_loss"], rel=1e-5)


def test_each_trial_has_its_own_callbacks(tmp_path):
    stop = keras.callbacks.EarlyStopping("val_loss")
    both = [ran(Jumping(), tmp_path, callbacks=[stop])[1] for _ in range(2)]
    assert [len(outcome["epochs"]) for outcome in both] == [3, 3]
    assert stop.model is None


def failing(error):
    class Failing(Jumping):
        def fit(self, hp, model, *args, **kwargs):
            hp.Int("late", 1, 3)
            raise error

    return Failing()


@pytest.mark.parametrize(
    ("error", "message", "fatal"),
    [
        (KeyError("photo"), "KeyError: 'photo'", False),
        (ValueError("one\ntwo"), "ValueError: one", False),
        (ValueError(), "ValueError: ", False),
        (kc.InputError("No photos."), "No photos.", True),
        (kc.NonFiniteError("It diverged."), "It diverged.", False),
        (keras_tuner.errors.FatalTypeError("wrong"), "FatalTypeError: wrong", True),
    ],
)
def test_an_error_is_an_outcome(tmp_path, error, message, fatal):
    values = keras_tuner.HyperParameters()
    outcome = _trial.attempt(study(failing(error), tmp_path), "0000", values, print)
    assert (outcome["status"], outcome["message"], outcome["fatal"]) == ("FAILED", message, fatal)
    assert "in fit\n    raise error" in outcome["traceback"]
    assert outcome["hyperparameters"]["values"] == {"rate": 0.1, "late": 1}


@pytest.mark.parametrize(
    ("result", "objective", "message"),
    [
        (None, "val_accuracy", "gives no val_accuracy, only nothing: choose an objective"),
        ({"loss": 1.0}, "val_accuracy", "gives no val_accuracy, only loss: choose"),
    ],
)
def test_a_score_that_is_not_there(tmp_path, result, objective, message):
    class Empty(Jumping):
        def fit(self, hp, model, *args, **kwargs):
            return result

    with pytest.raises(kc.InputError, match=message):
        ran(Empty(), tmp_path, objective=keras_tuner.Objective(objective, "max"))


def test_a_score_that_is_no_number_is_a_failure(tmp_path):
    class Diverged(Jumping):
        def fit(self, hp, model, *args, **kwargs):
            return float("nan")

    (tmp_path / "trial_0000").mkdir()
    values = keras_tuner.HyperParameters()
    outcome = _trial.attempt(study(Diverged(), tmp_path), "0000", values, print)
    assert (outcome["status"], outcome["message"]) == ("FAILED", "val_loss is nan")


def test_what_is_built_must_be_a_model(tmp_path):
    class Wrong(Jumping):
        def build(self, hp):
            return "a model"

    with pytest.raises(kc.InputError, match="should return a compiled keras.Model, not 'a model'"):
        ran(Wrong(), tmp_path)


class Ordered(keras_tuner.HyperModel):
    """Steps of single photos: their order decides the loss."""

    def __init__(self, own=None):
        super().__init__()
        self.own = own

    def build(self, hp):
        layers = [keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
        model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255), *layers])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args or [self.own], **kwargs)


@pytest.mark.parametrize(("given", "copied"), [(True, False), (False, False), (False, True)])
def test_a_trial_reads_the_epochs_from_the_first_whatever_ran_before(tmp_path, given, copied):
    images = np.random.default_rng(0).integers(256, size=(20, 4, 4), dtype="uint8")
    train = kc.data.from_arrays(images, [0, 1] * 10, batch_size=1).train
    train = copy.copy(train) if copied else train
    train.epoch = 7  # the user's own count stays
    hypermodel, args = (Ordered(), (train,)) if given else (Ordered(train), ())
    objective, options = keras_tuner.Objective("loss", "min"), {"epochs": 2, "shuffle": False}
    trial = _trial.Study(hypermodel, objective, 0, tmp_path, args, options)
    scores = {
        _trial.run(trial, "0000", keras_tuner.HyperParameters(), tmp_path)[1]["score"]
        for _ in range(2)
    }
    assert len(scores) == 1 and train.epoch == 7
