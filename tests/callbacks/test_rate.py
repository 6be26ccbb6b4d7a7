"""The learning rate of a run that continues."""

import keras
import pytest

from kerascnn.callbacks._rate import LearningRate
from tests.callbacks.runs import FLOATS, LABELS, compiled


def sgd(rate):
    return compiled(optimizer=lambda: keras.optimizers.SGD(rate))()


def scaled(rate):
    sgd = lambda: keras.optimizers.SGD(rate)  # noqa: E731
    return compiled(optimizer=lambda: keras.optimizers.LossScaleOptimizer(sgd()))()


@pytest.mark.parametrize("make", [sgd, scaled])
@pytest.mark.parametrize(
    ("compiled_with", "continues_at", "told"),
    [(0.5, 0.125, ""), (0.125, 0.125, ""), (2.0, 2.0, "at 2, not at 0.125")],
)
def test_the_runs_own_unless_the_user_chose_another(
    make, compiled_with, continues_at, told, caplog
):
    model = make(compiled_with)
    rate = LearningRate(model)
    rate.continue_from([0.5, 0.125])
    model.optimizer.learning_rate = 0.125  # as `restore` does
    rate.set()
    assert float(model.optimizer.learning_rate) == continues_at
    assert told in caplog.text and bool(told) == bool(caplog.text)
    assert rate.state() == ([2.0, 2.0] if told else [0.5, 0.125])


def test_what_callbacks_left_in_a_model_that_trained_is_no_choice(caplog):
    model = sgd(0.25)
    model.train_on_batch(FLOATS, LABELS)
    rate = LearningRate(model)
    rate.continue_from([0.5, 0.125])
    model.optimizer.learning_rate = 0.125
    rate.set()
    assert rate.state() == [0.5, 0.125]
    assert "continues at 0.125, as it was saved, not at 0.25. To choose another" in caplog.text


def test_schedules_and_several_optimisers_decide_for_themselves():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 20)
    several = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(keras.optimizers.SGD()))
    for optimizer in (keras.optimizers.SGD(schedule), several):
        rate = LearningRate(compiled(optimizer=lambda: optimizer)())  # noqa: B023
        rate.continue_from([None, None])
        rate.set()
        assert rate.state() == [None, None]
