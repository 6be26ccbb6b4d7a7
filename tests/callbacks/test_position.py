"""Data that is read from a given step on, and what `fit` must not do with it."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.callbacks._position import Positioned, knows_its_position, pass_over_batches
from tests.callbacks.runs import FLOATS, LABELS, compiled, images, train


def test_data_of_ours_knows_its_position():
    assert knows_its_position(train())
    assert knows_its_position(images(one_hot=True).train.augment(keras.layers.RandomFlip()))
    for other in (FLOATS, [1, 2], None, keras.utils.PyDataset()):
        assert not knows_its_position(other)


def test_batches_are_those_of_the_epoch_and_done_ones_cost_one_row():
    data = Positioned(train())
    data.move(3, done=2)
    assert data.num_batches == 4
    assert [len(data[i][1]) for i in range(4)] == [1, 1, 8, 8]
    for i in (2, 3):
        np.testing.assert_array_equal(data[i][0], train().batch(3, i)[0])


class Counting:
    num_batches = 9

    def __init__(self):
        self.asked = []

    def batch(self, epoch, index):
        self.asked.append(index)
        return {"a": np.zeros((4, 2))}, np.zeros(4), np.ones(4)


def test_only_one_of_the_done_batches_is_read():
    source = Counting()
    data = Positioned(source)
    data.move(0, done=8)
    shapes = [keras.tree.map_structure(np.shape, data[i]) for i in range(9)]
    assert source.asked == [0, 8]
    assert shapes[7] == ({"a": (1, 2)}, (1,), (1,)) and shapes[8] == ({"a": (4, 2)}, (4,), (4,))


def used(order, workers=1, **more):
    data = Positioned(Counting())
    data.workers = workers
    vars(data).update(more)
    for i in order:
        data[i]
    data.check_use()


def test_the_order_must_be_kept():
    used(range(9))
    used([1, 0, 3, 2, 8, 4, 5, 7, 6], workers=2)  # threads overtake each other
    for wrong in ([0, 2, 1], [1, 0], [0, 0]):
        with pytest.raises(InputError, match=r"Call model\.fit\(resume\.data, shuffle=False"):
            used(wrong)
    with pytest.raises(InputError, match=r"fit does not read resume\.data"):
        used([])


def test_the_source_decides_how_it_is_read():
    source = train()
    source.workers, source.max_queue_size = 3, 7
    data = Positioned(source)
    assert (data.workers, data.max_queue_size, data.use_multiprocessing) == (3, 7, False)


def test_a_model_passes_over_batches_as_long_as_it_is_told():
    model, answers = compiled()(), iter([True, True, False])
    model.fit(FLOATS, LABELS, batch_size=10, verbose=0, epochs=1)
    before, train_function = model.get_weights(), model.train_function
    pass_over_batches(model, lambda: next(answers))
    batches = iter([(FLOATS[i : i + 10], LABELS[i : i + 10]) for i in (0, 10, 20, 30)])
    for _ in range(2):
        model.train_function(batches)
        assert all((a == b).all() for a, b in zip(model.get_weights(), before))
    model.train_function(batches)
    assert (model.get_weights()[-1] != before[-1]).any()
    assert model.train_function is train_function and len(list(batches)) == 1
