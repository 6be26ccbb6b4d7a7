"""Steps that are really made, and how they are counted."""

import keras
import numpy as np
import pytest

from kerascnn.compute import ComputeChoice
from kerascnn.compute._trial import Trial


def started(rows=40, **settings):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x = np.random.default_rng(0).normal(size=(rows, 6)).astype("float32")
    trial = Trial(ComputeChoice(jit_compile=keras.backend.backend() == "jax", **settings))
    trial.start(model, (x, x[:, :2]))
    return trial


@pytest.mark.parametrize(("at_once", "parts"), [(1, 1), (3, 1), (1, 4)])
def test_a_round_is_whole_updates(at_once, parts):
    trial = started(steps_per_execution=at_once, micro_batch_size=8, accumulation_steps=parts)
    trial.seconds = 0.1  # of one execution, as if it were known
    trial.last(0.6)
    assert trial.executions == {1: 6, 4: 8}[parts]
    before = int(trial.model.optimizer.iterations)
    assert trial.measure() > 0
    steps = (trial.executions + 1) * at_once  # the first one is not timed
    assert int(trial.model.optimizer.iterations) - before == steps // parts


def test_batches_are_rows_of_the_data_all_of_one_size():
    sizes = [len(x) for x, _ in started(rows=40, micro_batch_size=16).batches]
    assert sizes == [16, 16]
    ((x, _),) = started(rows=5, micro_batch_size=8).batches  # as many again
    np.testing.assert_array_equal(x[5:], x[:3])


def test_the_loss_is_that_before_training():
    trial = started(micro_batch_size=8)
    x, y = trial.batches[0]
    keras.utils.set_random_seed(0)
    fresh = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    assert trial.loss == pytest.approx(np.mean((fresh.predict_on_batch(x) - y) ** 2), rel=1e-5)
    trial.measure()
    trial.note_rate(50, 25)
    trial.note_rate(10, 10)
    row = trial.row()
    assert (row["ratio"], row["lowest"], row["highest"]) == (1.5, 1.0, 2.0)
    assert row["images_per_second"] == 30


def test_a_loss_that_is_not_finite_ends_it():
    trial = started(micro_batch_size=8)
    trial.model.set_weights([np.full((6, 2), np.nan), np.zeros(2)])
    with pytest.raises(FloatingPointError, match="became NaN"):
        trial.measure()
    trial.drop("NaN")
    assert not trial.is_live and trial.row()["ratio"] is None
