"""Every hook of a callback reaches those within, in their order."""

import inspect

import keras

from kerascnn.callbacks._forwarding import Forwarding

HOOKS = [name for name in dir(keras.callbacks.Callback) if name.startswith("on_")]
ALIASES = {"on_batch_begin", "on_batch_end"}  # Keras's own hooks call them


class Notes(keras.callbacks.Callback):
    def __init__(self, name, calls):
        super().__init__()
        self.name, self.calls = name, calls


def note(hook):
    return lambda self, *args: self.calls.append((self.name, hook, *args))


for hook in HOOKS:
    setattr(Notes, hook, note(hook))


def test_every_hook_is_passed_on():
    calls = []
    outer = Forwarding([Notes("a", calls), Notes("b", calls)])
    for hook in set(HOOKS) - ALIASES:
        parameters = list(inspect.signature(getattr(keras.callbacks.Callback, hook)).parameters)
        args = [3, {"loss": 1.0}] if len(parameters) == 3 else [{"loss": 1.0}]
        calls.clear()
        getattr(outer, hook)(*args)
        assert calls == [("a", hook, *args), ("b", hook, *args)]
    assert len(HOOKS) - len(ALIASES) == 14


def test_model_and_params_are_passed_on():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    inner = Notes("a", [])
    outer = Forwarding([inner])
    outer.set_model(model)
    outer.set_params({"steps": 3})
    assert inner.model is model and inner.params == outer.params == {"steps": 3}


def test_a_callback_that_knows_only_the_old_names():
    class Old(keras.callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            self.seen = batch

    old = Old()
    Forwarding([old]).on_train_batch_end(7)
    assert old.seen == 7
