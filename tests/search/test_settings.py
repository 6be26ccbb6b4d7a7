"""What tells one search from another."""

import keras_tuner
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.search import _settings
from tests.search.spaces import Space


def settings(space=None, objective="val_loss", seed=0):
    oracle = keras_tuner.Oracle(objective)
    space = space or Space()
    space.declare_hyperparameters(oracle.hyperparameters)
    return _settings.settings(space, oracle, "random", seed, None)


def test_equal_settings_pass_and_others_are_named(tmp_path):
    _settings.write(tmp_path, settings() | {"later": 1})
    _settings.check(tmp_path, settings())
    with pytest.raises(kc.InputError, match="seed: was 0, is 1.*overwrite=True"):
        _settings.check(tmp_path, settings(seed=1))
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(kc.InputError, match="holds no search"):
        _settings.check(tmp_path, settings())


@pytest.mark.parametrize(
    "objective", ["val_loss", "accuracy", [keras_tuner.Objective("a", "max"), "loss"]]
)
def test_objectives_are_stored(objective):
    wanted = keras_tuner.Oracle(objective).objective
    found = _settings.stored_objective(_settings.objectives(wanted))
    assert (found.name, found.direction) == (wanted.name, wanted.direction)
    logs = {"a": 0.5, "loss": 2.0, "val_loss": 3.0, "accuracy": 0.1}
    assert found.get_value(logs) == wanted.get_value(logs)


class Data:
    def fingerprint(self):
        return {"photos": 12}


def test_arguments_are_told_apart_by_their_content():
    x = np.arange(12.0).reshape(3, 4)

    def described(*args, **kwargs):
        return _settings.arguments(args, kwargs)

    assert described(x, epochs=2) == described(x.copy(order="F"), epochs=2, verbose=1)
    others = [described(x + 1), described(x.astype("float32")), described(x.reshape(4, 3))]
    assert described(x) not in others
    assert described(data=(Data(), object(), None)) == {"data": [{"photos": 12}, "object", None]}
