"""A run made anew in the same or another process is the same; the rest is in test_resume.py."""

import json

import keras
import pytest

from kerascnn.callbacks._identity import differences, identity
from kerascnn.callbacks._scaling import scale_rates
from tests.callbacks.runs import L, compiled, images, layers
from tests.callbacks.situations import nested, within

MODELS = {
    "chain": layers,
    "nested": nested,
    "wrapped": within(lambda: L.SpectralNormalization(L.Conv2D(2, 3)), L.Flatten),
    "wrapped model": lambda: [
        keras.Input((6, 6, 1)),
        L.TimeDistributed(keras.Sequential([keras.Input((6, 1)), L.Dense(2), L.Softmax()])),
        L.Flatten(),
        L.Dense(3, activation="softmax"),
    ],
    "drawn seeds": within(lambda: L.RandomCrop(4, 4), L.Flatten),
}


def plain(model):
    return identity(model, [keras.callbacks.TerminateOnNaN()], images().train)


@pytest.mark.parametrize("name", MODELS)
def test_made_twice_it_is_the_same(name):
    first, second = (plain(compiled(MODELS[name])()) for _ in range(2))
    assert differences(first, second) == []
    assert json.loads(json.dumps(first)) == first


def test_the_learning_rate_is_no_part_of_it():
    first, second = compiled()(), compiled()()
    second.optimizer.learning_rate = 0.5
    assert differences(plain(first), plain(second)) == []


def test_what_a_callback_scaled_a_schedule_by_is_no_part_of_it():
    schedule = keras.optimizers.schedules.CosineDecay
    first, second = (
        compiled(optimizer=lambda: keras.optimizers.SGD(schedule(0.1, 9)))() for _ in range(2)
    )
    scale_rates(second, 0.5)
    assert differences(plain(first), plain(second)) == []
    other = compiled(optimizer=lambda: keras.optimizers.SGD(schedule(0.1, 8)))()
    scale_rates(other, 0.5)
    (different,) = differences(plain(first), plain(other))
    assert different.endswith("decay_steps: was 9, is 8")


def test_a_loss_that_keras_cannot_describe():
    class Odd(keras.losses.Loss):
        def get_config(self):
            raise NotImplementedError

    model = compiled()()
    model.compile("sgd", Odd())
    assert plain(model)["compile"] == {"optimizer": "SGD"}
    model.compile("sgd", lambda y, p: keras.ops.mean(y - p))
    assert "loss" in plain(model)["compile"]


def test_a_lambda_may_move_to_another_line_of_the_script():
    def with_lambda(function):
        model = compiled(lambda: [keras.Input((6, 6, 1)), L.Lambda(function), L.Flatten()])()
        model.compile("sgd", function)
        return plain(model)

    first = with_lambda(lambda x, y=0: x - y)

    second = with_lambda(lambda x, y=0: x - y)
    assert differences(first, second) == []


def test_a_subclass_with_a_config_of_its_own():
    class Own(keras.Model):
        def __init__(self, layers):
            super().__init__()
            self.parts = [L.Dense(units) for units in layers]

        def get_config(self):
            return {"layers": [part.units for part in self.parts]}

    found = identity(Own([4, 3]), [], None)["model"]["layers"]
    assert [config["units"] for config in found.values()] == [4, 3]


def test_differences():
    before = {"a": [1, 2], "b": {"c": "x" * 99}, "d": 1}
    assert differences(before, {"a": [1, 3], "b": {"c": 2}, "e": 1}) == [
        "a, 1: was 2, is 3",
        f'b, c: was "{"x" * 56}..., is 2',
        "d: was 1, is null",
        "e: was null, is 1",
    ]
    many = differences(dict.fromkeys("abcdefgh", 1), dict.fromkeys("abcdefgh", 2))
    assert many[4:] == ["e: was 1, is 2", "and 3 more"]
