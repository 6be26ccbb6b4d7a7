"""What a run has learnt is read out of it and put back, and nothing else."""

import collections
import random

import keras
import ml_dtypes
import numpy as np
import pytest

from kerascnn.callbacks._state import Memory, capture, first_bad, restore, variables
from tests.callbacks.runs import FLOATS, LABELS, compiled


class Plain(keras.callbacks.Callback):
    """Holds its arguments."""

    def __init__(self, **values):
        super().__init__()
        vars(self).update(values)


VALUES = {  # name: (before, learnt)
    "int": (0, 3),
    "huge": (0, 3**200),
    "nan": (0.0, float("nan")),
    "none": (1, None),
    "str": ("a", "ü\udcff"),
    "array": (np.zeros(3), np.arange(3.0)),
    "the dtype of an array": (np.zeros(2), np.zeros(2, "float32")),
    "bfloat16": (None, np.array([1.5], ml_dtypes.bfloat16)),
    "scalar": (np.float32(1), np.float32(0.1)),
    "bool_": (np.bool_(False), np.bool_(True)),
    "list": ([], [1, [np.arange(2)], ("a", None)]),
    "keys": ({}, {1: "a", "1": "b", (2, 3): [np.ones(1)], np.int64(7): 0}),
    "set": (set(), {1, "a", (2,)}),
    "comparison": (None, keras.ops.less),
    "counter": (collections.Counter(), collections.Counter("abca")),
    "deque": (collections.deque(maxlen=2), collections.deque([1, 2], maxlen=2)),
    "defaultdict": (collections.defaultdict(list), collections.defaultdict(list, a=[1])),
    "ordered": (collections.OrderedDict(), collections.OrderedDict(b=1, a=2)),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_was_learnt_is_put_back(name):
    before, learnt = VALUES[name]
    memory = Memory(Plain(value=before, option=1))
    memory.callback.value = learnt
    arrays = {}
    changes = memory.changes("callbacks/0", arrays)
    assert changes.keys() == {"value"} and all(key.startswith("callbacks/0") for key in arrays)
    for array in arrays.values():
        array.flags.writeable = False  # as when it is read from a file
    fresh = Plain(value=type(before)(before) if name == "deque" else before, option=2)
    if name == "deque":
        fresh.value = collections.deque(maxlen=2)
    Memory(fresh).put_back(changes, arrays)
    assert type(fresh.value) is type(learnt) and fresh.option == 2
    np.testing.assert_equal(fresh.value, learnt)
    assert getattr(fresh.value, "maxlen", None) == getattr(learnt, "maxlen", None)
    if isinstance(fresh.value, np.ndarray):
        fresh.value[...] = 0  # it can be changed


def test_what_is_not_plain_is_its_own_affair():
    memory = Memory(Plain(value=open, file=object(), complex=np.array([1j]), words=np.array(["a"])))
    memory.callback.file, memory.callback.value = object(), len
    assert memory.changes("callbacks/0", {}) == {}


def test_what_did_not_change_is_not_kept():
    memory = Memory(Plain(patience=2, best=None, weights=[np.ones(3)]))
    memory.callback.weights = [np.ones(3)]
    assert memory.changes("callbacks/0", {}) == {}


def test_a_callback_may_say_its_state():
    class Own(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen, self.other = {1, 2}, 0

        def get_state(self):
            return sorted(self.seen)

        def set_state(self, state):
            self.seen = set(state)

    memory, arrays = Memory(Own()), {}
    memory.callback.seen.add(5)
    memory.callback.other = 9
    fresh = Own()
    Memory(fresh).put_back(memory.changes("callbacks/0", arrays), arrays)
    assert (fresh.seen, fresh.other, arrays) == ({1, 2, 5}, 0, {})


def test_all_that_training_changes_is_captured():
    """After `restore` into another model, both take the same next step and draw the same."""
    keras.utils.set_random_seed(0)
    model = compiled(optimizer=lambda: keras.optimizers.Adam(0.01, use_ema=True))()
    model.train_on_batch(FLOATS, LABELS)
    state, arrays = capture(model, [], with_metrics=True)
    drawn = random.random(), np.random.random()
    logs = model.train_on_batch(FLOATS, LABELS, return_dict=True)

    keras.utils.set_random_seed(1)
    other = compiled(optimizer=lambda: keras.optimizers.Adam(0.01, use_ema=True))()
    other.train_on_batch(FLOATS[:3], LABELS[:3])
    restore(other, [], state, arrays, with_metrics=True)
    assert (random.random(), np.random.random()) == drawn
    assert other.train_on_batch(FLOATS, LABELS, return_dict=True) == logs
    for a, b in zip(variables(model).values(), variables(other).values()):
        np.testing.assert_array_equal(np.array(a), np.array(b))


def test_the_first_weight_that_is_not_finite_is_named():
    model = compiled()()
    assert first_bad(model, capture(model, [])[1]) is None
    model.variables[-1].assign([0, np.inf, np.nan])
    assert first_bad(model, capture(model, [])[1]) == model.variables[-1].path
